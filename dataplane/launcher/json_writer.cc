#include "dataplane/launcher/json_writer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "dataplane/base/hex.h"

namespace slipway::launcher {

void JsonWriter::Put(std::string_view text) noexcept {
  if (!ok_ || text.size() > buffer_.size() - size_) {
    ok_ = false;
    return;
  }
  std::copy(text.begin(), text.end(), buffer_.begin() + static_cast<std::ptrdiff_t>(size_));
  size_ += text.size();
}

void JsonWriter::Comma() noexcept {
  if (!first_) {
    Put(",");
  }
  first_ = false;
}

void JsonWriter::Begin(char bracket) noexcept {
  Comma();
  Put({&bracket, 1});
  first_ = true;
}

void JsonWriter::End(char bracket) noexcept {
  Put({&bracket, 1});
  first_ = false;
}

void JsonWriter::Key(std::string_view name) noexcept {
  Comma();
  Quoted(name);
  Put(":");
  first_ = true;
}

void JsonWriter::String(std::string_view text) noexcept {
  Comma();
  Quoted(text);
}

void JsonWriter::Number(std::uint64_t value) noexcept {
  Comma();
  std::array<char, 20> digits{};
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  Put({digits.data(), static_cast<std::size_t>(result.ptr - digits.data())});
}

void JsonWriter::Bool(bool value) noexcept {
  Comma();
  Put(value ? "true" : "false");
}

void JsonWriter::Quoted(std::string_view text) noexcept {
  Put("\"");
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      const std::array<char, 2> escaped{'\\', c};
      Put({escaped.data(), escaped.size()});
    } else if (code < 0x20 || code >= 0x7F) {
      const std::array<char, 6> escaped{
          '\\', 'u', '0', '0', kHexDigits[code >> 4], kHexDigits[code & 15]};
      Put({escaped.data(), escaped.size()});
    } else {
      Put({&c, 1});
    }
  }
  Put("\"");
}

}  // namespace slipway::launcher
