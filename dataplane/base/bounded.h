// Containers with a fixed capacity and no allocation. A full container says so; it never grows.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <type_traits>
#include <utility>

#include "dataplane/base/check.h"

namespace slipway {

// At most N elements, in place. T must be default constructible; elements past size() are defaults.
template <typename T, std::size_t N>
class FixedVector {
 public:
  using value_type = T;
  using iterator = T*;
  using const_iterator = const T*;

  constexpr FixedVector() = default;

  constexpr FixedVector(std::initializer_list<T> values) {
    for (const T& value : values) {
      SLIP_CHECK(push_back(value));
    }
  }

  [[nodiscard]] static constexpr std::size_t capacity() noexcept { return N; }

  [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }

  [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }

  [[nodiscard]] constexpr bool full() const noexcept { return size_ == N; }

  // False if full: the element is not added.
  [[nodiscard]] constexpr bool push_back(T value) {
    if (size_ == N) {
      return false;
    }
    items_[size_++] = std::move(value);
    return true;
  }

  constexpr void pop_back() {
    SLIP_CHECK(size_ > 0);
    items_[--size_] = T{};
  }

  // The last element takes the place of the one removed.
  constexpr void SwapRemove(std::size_t index) {
    SLIP_CHECK(index < size_);
    items_[index] = std::move(items_[size_ - 1]);
    pop_back();
  }

  constexpr void clear() {
    while (size_ > 0) {
      pop_back();
    }
  }

  [[nodiscard]] constexpr T& operator[](std::size_t index) {
    SLIP_CHECK(index < size_);
    return items_[index];
  }

  [[nodiscard]] constexpr const T& operator[](std::size_t index) const {
    SLIP_CHECK(index < size_);
    return items_[index];
  }

  [[nodiscard]] constexpr T& back() { return (*this)[size_ - 1]; }

  [[nodiscard]] constexpr const T* data() const noexcept { return items_.data(); }

  [[nodiscard]] constexpr T* data() noexcept { return items_.data(); }

  [[nodiscard]] constexpr iterator begin() noexcept { return items_.data(); }

  [[nodiscard]] constexpr iterator end() noexcept { return items_.data() + size_; }

  [[nodiscard]] constexpr const_iterator begin() const noexcept { return items_.data(); }

  [[nodiscard]] constexpr const_iterator end() const noexcept { return items_.data() + size_; }

  friend constexpr bool operator==(const FixedVector& a, const FixedVector& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  std::array<T, N> items_{};
  std::size_t size_ = 0;
};

// At most N characters. Not NUL-terminated. Trivially copyable, so that records may hold it.
template <std::size_t N>
class FixedString {
 public:
  static_assert(N <= 65535);

  constexpr FixedString() = default;

  // Cuts at N: use Assign where that would be wrong.
  constexpr FixedString(std::string_view text) {  // NOLINT(google-explicit-constructor): a value
    (void)Append(text.substr(0, N));
  }

  [[nodiscard]] static constexpr std::size_t capacity() noexcept { return N; }

  // False, and unchanged, if it does not fit.
  [[nodiscard]] constexpr bool Assign(std::string_view text) {
    if (text.size() > N) {
      return false;
    }
    clear();
    return Append(text);
  }

  // False, and unchanged, if it does not fit.
  [[nodiscard]] constexpr bool Append(std::string_view text) {
    if (text.size() > N - size_) {
      return false;
    }
    std::copy(text.begin(), text.end(), chars_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ = static_cast<std::uint16_t>(size_ + text.size());
    return true;
  }

  [[nodiscard]] constexpr bool push_back(char c) { return Append(std::string_view(&c, 1)); }

  constexpr void clear() {
    // Zeroed as the tail is, so that equal strings have equal bytes.
    std::fill_n(chars_.begin(), size_, '\0');
    size_ = 0;
  }

  [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }

  [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }

  [[nodiscard]] constexpr const char* data() const noexcept { return chars_.data(); }

  [[nodiscard]] constexpr std::string_view view() const noexcept { return {chars_.data(), size_}; }

  constexpr operator std::string_view() const noexcept {  // NOLINT(google-explicit-constructor)
    return view();
  }

  friend constexpr bool operator==(const FixedString& a, const FixedString& b) {
    return a.view() == b.view();
  }

  friend constexpr bool operator==(const FixedString& a, std::string_view b) {
    return a.view() == b;
  }

  friend constexpr auto operator<=>(const FixedString& a, const FixedString& b) {
    return a.view() <=> b.view();
  }

 private:
  std::array<char, N> chars_{};
  std::uint16_t size_ = 0;
};

// First in, first out, in place. N is a power of two.
template <typename T, std::size_t N>
class FixedRing {
 public:
  static_assert(N > 0 && (N & (N - 1)) == 0);

  [[nodiscard]] constexpr std::size_t size() const noexcept { return tail_ - head_; }

  [[nodiscard]] constexpr bool empty() const noexcept { return head_ == tail_; }

  [[nodiscard]] constexpr bool full() const noexcept { return size() == N; }

  // False if full: the element is not added.
  [[nodiscard]] constexpr bool Push(T value) {
    if (full()) {
      return false;
    }
    items_[tail_++ & (N - 1)] = std::move(value);
    return true;
  }

  // REQUIRES: not empty.
  [[nodiscard]] constexpr T Pop() {
    SLIP_CHECK(!empty());
    return std::move(items_[head_++ & (N - 1)]);
  }

  // REQUIRES: not empty.
  [[nodiscard]] constexpr T& front() {
    SLIP_CHECK(!empty());
    return items_[head_ & (N - 1)];
  }

 private:
  std::array<T, N> items_{};
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

}  // namespace slipway
