// Writes JSON (RFC 8259) into a buffer that the caller owns. Output is ASCII whatever goes in:
// firmware strings hold bytes of any kind, and each byte above 0x7F is taken as Latin-1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace slipway::launcher {

// A value that does not fit latches the error: ok() says so, and nothing more is written. One
// thread; the buffer outlives it.
class JsonWriter {
 public:
  explicit JsonWriter(std::span<char> buffer) noexcept : buffer_(buffer) {}

  void BeginObject() noexcept { Begin('{'); }

  void EndObject() noexcept { End('}'); }

  void BeginArray() noexcept { Begin('['); }

  void EndArray() noexcept { End(']'); }

  // The name of the next value. REQUIRES: inside an object.
  void Key(std::string_view name) noexcept;
  void String(std::string_view text) noexcept;
  void Number(std::uint64_t value) noexcept;
  void Bool(bool value) noexcept;

  void Field(std::string_view name, std::string_view text) noexcept {
    Key(name);
    String(text);
  }

  void Field(std::string_view name, std::uint64_t value) noexcept {
    Key(name);
    Number(value);
  }

  void Flag(std::string_view name, bool value) noexcept {
    Key(name);
    Bool(value);
  }

  [[nodiscard]] bool ok() const noexcept { return ok_; }

  [[nodiscard]] std::string_view text() const noexcept { return {buffer_.data(), size_}; }

 private:
  void Begin(char bracket) noexcept;
  void End(char bracket) noexcept;
  void Comma() noexcept;
  void Put(std::string_view text) noexcept;
  void Quoted(std::string_view text) noexcept;

  std::span<char> buffer_;
  std::size_t size_ = 0;
  bool ok_ = true;
  bool first_ = true;  // no comma before the next value
};

}  // namespace slipway::launcher
