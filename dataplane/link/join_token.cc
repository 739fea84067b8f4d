#include "dataplane/link/join_token.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <charconv>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace slipway::link {
namespace {

constexpr std::string_view kPrefix = "slw1.";
constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kBytesMax = 1'400;
constexpr std::size_t kSumBytes = 4;

std::uint32_t Checksum(ByteSpan bytes) {
  return static_cast<std::uint32_t>(XXH3_64bits(bytes.data(), bytes.size()) & 0xFFFF'FFFFU);
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

Result<JoinToken> ReadFields(WireReader reader) {
  if (const std::uint8_t format = reader.U8(); reader.ok() && format != kFormat) {
    return Fail(ErrorCode::kUnsupported, format);
  }
  JoinToken token;
  token.id = reader.U64();
  token.expires.ns = static_cast<std::int64_t>(reader.U64());
  reader.Copy(token.region_key.bytes);
  std::array<std::byte, kKeyBytes> secret{};
  reader.Copy(secret);
  token.one_time_secret = SecretKey(secret);
  sodium_memzero(secret.data(), secret.size());
  const std::size_t count = reader.U8();
  if (count == 0 || count > kEndpointsMax) {
    return Fail(ErrorCode::kMalformed);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const ByteSpan text = reader.Bytes(reader.U8());
    std::string endpoint(text.size(), '\0');
    std::transform(text.begin(), text.end(), endpoint.begin(),
                   [](std::byte b) { return static_cast<char>(b); });
    if (!IsEndpoint(endpoint)) {
      return Fail(ErrorCode::kMalformed);
    }
    token.endpoints.push_back(std::move(endpoint));
  }
  if (!reader.ok() || reader.left() != 0 || token.id == 0) {
    return Fail(ErrorCode::kMalformed);
  }
  return token;
}

}  // namespace

bool IsEndpoint(std::string_view text) noexcept {
  constexpr std::string_view kScheme = "tcp://";
  if (text.size() > kEndpointBytesMax || !text.starts_with(kScheme)) {
    return false;
  }
  text.remove_prefix(kScheme.size());
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) {
    return false;
  }
  const std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool clean = std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':' || c == '[' || c == ']' || c == '%' || c == '_';
  });
  std::uint16_t number = 0;
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), number);
  return clean && !port.empty() && parsed.ec == std::errc{} &&
         parsed.ptr == port.data() + port.size() && number != 0;
}

Result<std::string> JoinToken::Encode() const {
  if (endpoints.empty() || endpoints.size() > kEndpointsMax) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(endpoints.size()));
  }
  std::array<std::byte, kBytesMax> bytes{};
  WireWriter writer(bytes);
  writer.U8(kFormat);
  writer.U64(id);
  writer.U64(static_cast<std::uint64_t>(expires.ns));
  writer.Bytes(region_key.bytes);
  writer.Bytes(one_time_secret.Reveal());
  writer.U8(static_cast<std::uint8_t>(endpoints.size()));
  for (const std::string& endpoint : endpoints) {
    if (!IsEndpoint(endpoint)) {
      return Fail(ErrorCode::kMalformed);
    }
    writer.U8(static_cast<std::uint8_t>(endpoint.size()));
    writer.Text(endpoint);
  }
  writer.U32(Checksum(writer.written()));
  if (!writer.ok()) {
    return Fail(ErrorCode::kTooLarge);
  }
  constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::string text(sodium_base64_encoded_len(writer.size(), kVariant), '\0');
  (void)sodium_bin2base64(text.data(), text.size(),
                          reinterpret_cast<const unsigned char*>(bytes.data()), writer.size(),
                          kVariant);
  sodium_memzero(bytes.data(), bytes.size());
  text.pop_back();  // The terminator.
  return std::string{kPrefix} + text;
}

Result<JoinToken> JoinToken::Parse(std::string_view text) {
  text = Trim(text);
  if (text.size() > kJoinTokenBytesMax) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(text.size()));
  }
  if (!text.starts_with(kPrefix)) {
    return Fail(text.starts_with("slw") ? ErrorCode::kUnsupported : ErrorCode::kMalformed);
  }
  text.remove_prefix(kPrefix.size());
  std::array<std::byte, kBytesMax> bytes{};
  std::size_t size = 0;
  const char* end = nullptr;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                        text.size(), nullptr, &size, &end,
                        sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
      end != text.data() + text.size() || size <= kSumBytes) {
    return Fail(ErrorCode::kMalformed);
  }
  const ByteSpan all(bytes.data(), size);
  const ByteSpan content = all.first(size - kSumBytes);
  if (LoadBig<std::uint32_t>(all.data() + content.size()) != Checksum(content)) {
    return Fail(ErrorCode::kBadChecksum);
  }
  Result<JoinToken> token = ReadFields(WireReader(content));
  sodium_memzero(bytes.data(), bytes.size());
  return token;
}

}  // namespace slipway::link
