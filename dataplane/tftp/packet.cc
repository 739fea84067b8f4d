#include "dataplane/tftp/packet.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace slipway::tftp {
namespace {

// Services whose answer to our answer could start a loop, and 69 itself (docs/protocols/tftp.md).
constexpr std::array<std::uint16_t, 10> kReflectingPorts = {0, 7, 13, 17, 19, 37, 53, 69, 123, 161};

constexpr char Lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool EqualsIgnoringCase(std::string_view a, std::string_view lower) noexcept {
  return a.size() == lower.size() && std::equal(a.begin(), a.end(), lower.begin(),
                                                [](char x, char y) { return Lower(x) == y; });
}

// The text up to the next NUL, which is consumed; no value if there is none.
std::optional<std::string_view> TakeText(std::string_view& rest) noexcept {
  const std::size_t end = rest.find('\0');
  if (end == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view text = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return text;
}

// Decimal within [low, high]; no value otherwise.
std::optional<std::uint32_t> Number(std::string_view text, std::uint32_t low,
                                    std::uint32_t high) noexcept {
  std::uint32_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value < low || value > high) {
    return std::nullopt;
  }
  return value;
}

template <typename T>
void SetOnce(std::optional<T>& option, std::string_view value, std::uint32_t low,
             std::uint32_t high) noexcept {
  if (option.has_value()) {
    return;  // A repeated option: the first counts (RFC 2347 allows each once).
  }
  if (const auto number = Number(value, low, high)) {
    option = static_cast<T>(*number);
  }
}

void ParseOptions(std::string_view rest, Request& request) noexcept {
  for (std::size_t i = 0; i < kRequestOptionsMax; ++i) {
    const auto name = TakeText(rest);
    if (!name || name->empty()) {
      return;  // The end, padding, or a tail without its NUL: what came before counts.
    }
    const auto value = TakeText(rest);
    if (!value) {
      return;
    }
    if (EqualsIgnoringCase(*name, "blksize")) {
      SetOnce(request.blksize, *value, kBlksizeMin, kBlksizeMax);
    } else if (EqualsIgnoringCase(*name, "tsize")) {
      request.tsize = true;
    } else if (EqualsIgnoringCase(*name, "timeout")) {
      SetOnce(request.timeout_seconds, *value, 1, 255);
    } else if (EqualsIgnoringCase(*name, "windowsize")) {
      SetOnce(request.windowsize, *value, 1, 65535);
    }
  }
}

Result<void> ParseName(std::string_view text, Request& request) noexcept {
  while (!text.empty() && (text.front() == '/' || text.front() == '\\')) {
    text.remove_prefix(1);
  }
  if (text.empty()) {
    return Fail(ErrorCode::kMalformed, 2);
  }
  if (!request.name.Assign(text)) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(text.size()));
  }
  request.name.clear();
  for (const char c : text) {
    SLIP_CHECK(request.name.push_back(c == '\\' ? '/' : c));
  }
  return {};
}

Admission Silent(Reason reason) noexcept {
  return {.verdict = Verdict::kSilent, .reason = reason, .text = {}, .request = {}};
}

Admission Refused(Reason reason, WireError error, std::string_view text) noexcept {
  return {
      .verdict = Verdict::kError, .reason = reason, .error = error, .text = text, .request = {}};
}

}  // namespace

Result<Request> ParseRequest(ByteSpan packet) noexcept {
  WireReader reader(packet);
  const std::uint16_t opcode = reader.U16();
  if (!reader.ok()) {
    return Fail(ErrorCode::kTruncated, 0);
  }
  Request request;
  if (opcode == static_cast<std::uint16_t>(Opcode::kWrq)) {
    request.write = true;
  } else if (opcode != static_cast<std::uint16_t>(Opcode::kRrq)) {
    return Fail(ErrorCode::kNotFound, opcode);
  }
  if (packet.size() > kRequestBytesMax) {
    return Fail(ErrorCode::kMalformed, kRequestBytesMax);
  }
  std::string_view rest = AsText(reader.Rest());
  const auto name = TakeText(rest);
  if (!name) {
    return Fail(ErrorCode::kMalformed, 2);
  }
  SLIP_TRY(ParseName(*name, request));
  const auto mode = TakeText(rest);
  if (!mode) {
    return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(2 + name->size() + 1));
  }
  if (EqualsIgnoringCase(*mode, "netascii")) {
    request.mode = Mode::kNetascii;
  } else if (!EqualsIgnoringCase(*mode, "octet")) {
    return Fail(ErrorCode::kUnsupported, static_cast<std::uint32_t>(2 + name->size() + 1));
  }
  ParseOptions(rest, request);
  return request;
}

Admission Admit(ByteSpan packet, std::uint16_t source_port) noexcept {
  if (std::ranges::find(kReflectingPorts, source_port) != kReflectingPorts.end()) {
    return Silent(Reason::kReflectedPort);
  }
  auto parsed = ParseRequest(packet);
  if (!parsed) {
    switch (parsed.error().code) {
      case ErrorCode::kTooLarge:
        return Refused(Reason::kNameTooLong, WireError::kFileNotFound, "no such file");
      case ErrorCode::kUnsupported:
        return Refused(Reason::kModeUnsupported, WireError::kIllegalOperation, "mode not known");
      case ErrorCode::kMalformed:
        return Refused(Reason::kMalformed, WireError::kIllegalOperation, "malformed request");
      default:
        return Silent(Reason::kNotARequest);
    }
  }
  if (parsed->write) {
    return Refused(Reason::kWriteRefused, WireError::kAccessViolation, "read-only server");
  }
  return {.verdict = Verdict::kServe, .text = {}, .request = *parsed};
}

bool MissingIsEmpty(std::string_view name) noexcept { return name.ends_with(".lst"); }

std::size_t EncodeError(WireError error, std::string_view text, MutableByteSpan out) noexcept {
  WireWriter writer(out);
  writer.U16(static_cast<std::uint16_t>(Opcode::kError));
  writer.U16(static_cast<std::uint16_t>(error));
  writer.Text(text.substr(0, kErrorTextBytesMax));
  writer.U8(0);
  return writer.ok() ? writer.size() : 0;
}

std::size_t EncodeDataHeader(std::uint16_t block, MutableByteSpan out) noexcept {
  WireWriter writer(out);
  writer.U16(static_cast<std::uint16_t>(Opcode::kData));
  writer.U16(block);
  return writer.ok() ? writer.size() : 0;
}

std::uint16_t BlksizeForPath(std::uint16_t mtu_bytes, bool v4) noexcept {
  constexpr std::uint16_t kUdpBytes = 8;
  const std::uint16_t ip_bytes = v4 ? 20 : 40;
  const std::size_t overhead = ip_bytes + kUdpBytes + kHeaderBytes;
  if (mtu_bytes == 0) {
    return kBlksizeUnknownPath;
  }
  if (mtu_bytes < overhead + kBlksizeDefault) {
    return kBlksizeDefault;  // RFC 2348: what a client without the option gets anyway.
  }
  return static_cast<std::uint16_t>(std::min<std::size_t>(mtu_bytes - overhead, kBlksizeMax));
}

}  // namespace slipway::tftp
