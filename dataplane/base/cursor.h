// Bounds-checked cursors over wire bytes, with a latched error: read or write fields in a row, look
// at ok() once. Reads after an error give zeros; writes after an error are dropped. Lengths are
// checked by subtraction, never by adding to a pointer.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace slipway {

using ByteSpan = std::span<const std::byte>;
using MutableByteSpan = std::span<std::byte>;

// std::byte or std::uint8_t.
template <typename T>
concept Octet = std::same_as<T, std::byte> || std::same_as<T, std::uint8_t>;

// Big-endian load from exactly sizeof(T) bytes. REQUIRES: bytes.size() >= sizeof(T). One
// instruction at run time, which compilers do not make of the loop.
template <std::unsigned_integral T, Octet Byte>
[[nodiscard]] constexpr T LoadBig(const Byte* bytes) noexcept {
  T value = 0;
  if (!std::is_constant_evaluated()) {
    std::memcpy(&value, bytes, sizeof(T));
    return std::endian::native == std::endian::big ? value : std::byteswap(value);
  }
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>((value << (sizeof(T) == 1 ? 0 : 8)) | static_cast<T>(bytes[i]));
  }
  return value;
}

// Big-endian store. REQUIRES: room for sizeof(T) bytes.
template <std::unsigned_integral T, Octet Byte>
constexpr void StoreBig(Byte* bytes, T value) noexcept {
  if (!std::is_constant_evaluated()) {
    value = std::endian::native == std::endian::big ? value : std::byteswap(value);
    std::memcpy(bytes, &value, sizeof(T));
    return;
  }
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes[i] = static_cast<Byte>((value >> (8 * (sizeof(T) - 1 - i))) & 0xFF);
  }
}

// Little-endian, for our own files.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T LoadLittle(const std::byte* bytes) noexcept {
  T value = 0;
  if (!std::is_constant_evaluated() && std::endian::native == std::endian::little) {
    std::memcpy(&value, bytes, sizeof(T));
    return value;
  }
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value | static_cast<T>(std::to_integer<T>(bytes[i]) << (8 * i)));
  }
  return value;
}

template <std::unsigned_integral T>
constexpr void StoreLittle(std::byte* bytes, T value) noexcept {
  if (!std::is_constant_evaluated() && std::endian::native == std::endian::little) {
    std::memcpy(bytes, &value, sizeof(T));
    return;
  }
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes[i] = static_cast<std::byte>((value >> (8 * i)) & 0xFF);
  }
}

// Reads a packet from front to back. Never yields memory outside its span. Lifetime: the span's.
class WireReader {
 public:
  constexpr explicit WireReader(ByteSpan bytes) noexcept : bytes_(bytes) {}

  [[nodiscard]] constexpr bool ok() const noexcept { return ok_; }

  [[nodiscard]] constexpr std::size_t offset() const noexcept { return offset_; }

  [[nodiscard]] constexpr std::size_t left() const noexcept { return bytes_.size() - offset_; }

  constexpr void Fail() noexcept { ok_ = false; }

  [[nodiscard]] constexpr std::uint8_t U8() noexcept { return Big<std::uint8_t>(); }

  [[nodiscard]] constexpr std::uint16_t U16() noexcept { return Big<std::uint16_t>(); }

  [[nodiscard]] constexpr std::uint32_t U32() noexcept { return Big<std::uint32_t>(); }

  [[nodiscard]] constexpr std::uint64_t U64() noexcept { return Big<std::uint64_t>(); }

  // The next `size` bytes, or an empty span and a latched error.
  [[nodiscard]] constexpr ByteSpan Bytes(std::size_t size) noexcept {
    if (!Take(size)) {
      return {};
    }
    return bytes_.subspan(offset_ - size, size);
  }

  constexpr void Skip(std::size_t size) noexcept { (void)Take(size); }

  // All that is left; never fails.
  [[nodiscard]] constexpr ByteSpan Rest() noexcept {
    const ByteSpan rest = ok_ ? bytes_.subspan(offset_) : ByteSpan{};
    offset_ = bytes_.size();
    return rest;
  }

  // Copies exactly out.size() bytes; zeros on error.
  constexpr void Copy(MutableByteSpan out) noexcept {
    const ByteSpan from = Bytes(out.size());
    if (from.size() == out.size()) {
      std::copy(from.begin(), from.end(), out.begin());
    } else {
      std::fill(out.begin(), out.end(), std::byte{0});
    }
  }

 private:
  [[nodiscard]] constexpr bool Take(std::size_t size) noexcept {
    if (!ok_ || left() < size) {
      ok_ = false;
      return false;
    }
    offset_ += size;
    return true;
  }

  template <std::unsigned_integral T>
  [[nodiscard]] constexpr T Big() noexcept {
    if (!Take(sizeof(T))) {
      return 0;
    }
    return LoadBig<T>(bytes_.data() + (offset_ - sizeof(T)));
  }

  ByteSpan bytes_;
  std::size_t offset_ = 0;
  bool ok_ = true;
};

// Writes a packet into a span that the caller owns. A write that does not fit latches the error and
// leaves the span as it was from that place on.
class WireWriter {
 public:
  constexpr explicit WireWriter(MutableByteSpan bytes) noexcept : bytes_(bytes) {}

  [[nodiscard]] constexpr bool ok() const noexcept { return ok_; }

  [[nodiscard]] constexpr std::size_t size() const noexcept { return offset_; }

  [[nodiscard]] constexpr std::size_t left() const noexcept { return bytes_.size() - offset_; }

  [[nodiscard]] constexpr MutableByteSpan written() const noexcept { return bytes_.first(offset_); }

  constexpr void Fail() noexcept { ok_ = false; }

  constexpr void U8(std::uint8_t value) noexcept { Big(value); }

  constexpr void U16(std::uint16_t value) noexcept { Big(value); }

  constexpr void U32(std::uint32_t value) noexcept { Big(value); }

  constexpr void U64(std::uint64_t value) noexcept { Big(value); }

  constexpr void Bytes(ByteSpan from) noexcept {
    if (Take(from.size())) {
      std::copy(from.begin(), from.end(), bytes_.begin() + Offset(from.size()));
    }
  }

  constexpr void Text(std::string_view text) noexcept {
    if (Take(text.size())) {
      auto to = bytes_.begin() + Offset(text.size());
      for (const char c : text) {
        *to++ = static_cast<std::byte>(c);
      }
    }
  }

  constexpr void Fill(std::size_t size, std::byte value = std::byte{0}) noexcept {
    if (Take(size)) {
      const auto to = bytes_.begin() + Offset(size);
      std::fill(to, to + static_cast<std::ptrdiff_t>(size), value);
    }
  }

  // Overwrites two bytes written before (a length or checksum). REQUIRES: at + 2 <= size().
  constexpr void PatchU16(std::size_t at, std::uint16_t value) noexcept {
    if (at <= offset_ && offset_ - at >= sizeof(value)) {
      StoreBig(bytes_.data() + at, value);
    } else {
      ok_ = false;
    }
  }

  constexpr void PatchU8(std::size_t at, std::uint8_t value) noexcept {
    if (at < offset_) {
      bytes_[at] = static_cast<std::byte>(value);
    } else {
      ok_ = false;
    }
  }

 private:
  [[nodiscard]] constexpr bool Take(std::size_t size) noexcept {
    if (!ok_ || left() < size) {
      ok_ = false;
      return false;
    }
    offset_ += size;
    return true;
  }

  [[nodiscard]] constexpr std::ptrdiff_t Offset(std::size_t size) const noexcept {
    return static_cast<std::ptrdiff_t>(offset_ - size);
  }

  template <std::unsigned_integral T>
  constexpr void Big(T value) noexcept {
    if (Take(sizeof(T))) {
      StoreBig(bytes_.data() + (offset_ - sizeof(T)), value);
    }
  }

  MutableByteSpan bytes_;
  std::size_t offset_ = 0;
  bool ok_ = true;
};

[[nodiscard]] inline ByteSpan AsBytes(std::string_view text) noexcept {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

[[nodiscard]] inline std::string_view AsText(ByteSpan bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace slipway
