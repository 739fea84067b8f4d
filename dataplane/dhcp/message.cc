#include "dataplane/dhcp/message.h"

#include <algorithm>
#include <optional>

namespace slipway::dhcp {
namespace {

constexpr std::size_t kChaddrAt = 28;
constexpr std::size_t kChaddrBytes = 16;
constexpr std::size_t kSnameAt = 44;
constexpr std::size_t kSnameBytes = 64;
constexpr std::size_t kFileAt = 108;
constexpr std::size_t kFileBytes = 128;
constexpr std::size_t kFixedBytes = 236;  // without the magic cookie
constexpr std::uint8_t kOverloadFile = 1;
constexpr std::uint8_t kOverloadSname = 2;

MacAddress ReadMac(std::uint8_t htype, std::uint8_t hlen, ByteSpan chaddr) {
  MacAddress mac;
  if (htype != kHardwareEthernet || hlen != mac.octets.size()) {
    return {};
  }
  WireReader(chaddr).Copy(std::as_writable_bytes(std::span(mac.octets)));
  return mac.is_multicast() ? MacAddress{} : mac;
}

ByteSpan UpToNul(ByteSpan bytes) {
  const auto end = std::find(bytes.begin(), bytes.end(), std::byte{0});
  return bytes.first(static_cast<std::size_t>(end - bytes.begin()));
}

// RFC 3396 7: pieces of one option are one value, in the order of their appearance.
Result<void> AddPiece(Message& message, std::uint8_t slot, ByteSpan piece) {
  if (!message.present[slot]) {
    message.present[slot] = true;
    message.values[slot] = piece;
    return {};
  }
  const ByteSpan before = message.values[slot];
  const std::byte* end = message.pieces.data() + message.pieces_bytes;
  const bool at_end = message.pieces_bytes > 0 && before.data() + before.size() == end;
  const std::size_t need = (at_end ? 0 : before.size()) + piece.size();
  if (need > message.pieces.size() - message.pieces_bytes) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(need));
  }
  std::byte* to = message.pieces.data() + message.pieces_bytes;
  const std::byte* start = at_end ? before.data() : to;
  if (!at_end) {
    to = std::copy(before.begin(), before.end(), to);
  }
  std::copy(piece.begin(), piece.end(), to);
  message.pieces_bytes += need;
  message.values[slot] = ByteSpan(start, before.size() + piece.size());
  return {};
}

// One run of options: until the end option or the end of the field. RFC 2131 4.1 allows both for
// `file` and `sname`; for the options field we are as lenient.
Result<void> ReadOptions(ByteSpan field, std::size_t field_at, Message& message) {
  WireReader reader(field);
  while (reader.left() > 0) {
    const std::uint8_t code = reader.U8();
    if (code == static_cast<std::uint8_t>(Option::kPad)) {
      continue;
    }
    if (code == static_cast<std::uint8_t>(Option::kEnd)) {
      break;
    }
    const ByteSpan value = reader.Bytes(reader.U8());
    if (!reader.ok()) {
      return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(field_at + reader.offset()));
    }
    const std::uint8_t slot = SlotOf(code);
    if (slot != kNoSlot) {
      SLIP_TRY(AddPiece(message, slot, value));
    }
  }
  return {};
}

Result<void> CheckLengths(Message& message) {
  for (std::size_t slot = 0; slot < kOptionSlots; ++slot) {
    if (!message.present[slot]) {
      continue;
    }
    const OptionRow& row = RowOfSlot(slot);
    const std::size_t size = message.values[slot].size();
    if (size >= row.length_min && size <= row.length_max) {
      continue;
    }
    if ((row.use & kStrict) != 0) {
      return Fail(ErrorCode::kMalformed, row.code);
    }
    message.present[slot] = false;
    message.values[slot] = {};
  }
  return {};
}

// The options field, then `file`, then `sname`, each once.
Result<void> ReadAllOptions(ByteSpan packet, Message& message) {
  SLIP_TRY(ReadOptions(packet.subspan(kHeaderBytes), kHeaderBytes, message));
  const ByteSpan overload = message.Get(Option::kOverload);
  const std::uint8_t fields =
      overload.size() == 1 ? std::to_integer<std::uint8_t>(overload[0]) : std::uint8_t{0};
  if (fields > (kOverloadFile | kOverloadSname)) {
    return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(Option::kOverload));
  }
  if ((fields & kOverloadFile) != 0) {
    SLIP_TRY(ReadOptions(packet.subspan(kFileAt, kFileBytes), kFileAt, message));
    message.file = {};
  }
  if ((fields & kOverloadSname) != 0) {
    SLIP_TRY(ReadOptions(packet.subspan(kSnameAt, kSnameBytes), kSnameAt, message));
    message.sname = {};
  }
  SLIP_TRY(CheckLengths(message));
  const ByteSpan type = message.Get(Option::kMessageType);
  if (type.size() == 1) {
    message.type = static_cast<MessageType>(type[0]);
  }
  return {};
}

std::optional<ByteSpan> SubOption(ByteSpan value, std::uint8_t code) {
  WireReader reader(value);
  while (reader.left() > 0) {
    const std::uint8_t found = reader.U8();
    const ByteSpan content = reader.Bytes(reader.U8());
    if (!reader.ok()) {
      return std::nullopt;
    }
    if (found == code) {
      return content;
    }
  }
  return std::nullopt;
}

}  // namespace

bool Message::Has(Option option) const noexcept {
  const std::uint8_t slot = SlotOf(static_cast<std::uint8_t>(option));
  return slot != kNoSlot && present[slot];
}

ByteSpan Message::Get(Option option) const noexcept {
  const std::uint8_t slot = SlotOf(static_cast<std::uint8_t>(option));
  return slot == kNoSlot ? ByteSpan{} : values[slot];
}

Ipv4Address Message::GetAddress(Option option) const noexcept { return {GetNumber(option)}; }

std::uint32_t Message::GetNumber(Option option) const noexcept {
  const ByteSpan value = Get(option);
  if (value.size() == 4) {
    return LoadBig<std::uint32_t>(value.data());
  }
  return value.size() == 2 ? LoadBig<std::uint16_t>(value.data()) : 0;
}

MacAddress Message::mac() const noexcept { return ReadMac(htype, hlen, chaddr); }

std::size_t KindOf(MessageType type) noexcept {
  return std::min(static_cast<std::size_t>(type), kMessageKinds - 1);
}

std::string_view MessageKindName(std::size_t kind) noexcept {
  static constexpr std::array<std::string_view, kMessageKinds> kNames = {
      "bootp", "discover", "offer",   "request", "decline",
      "ack",   "nak",      "release", "inform",  "other"};
  return kNames[std::min(kind, kMessageKinds - 1)];
}

MacAddress PeekMac(ByteSpan packet) noexcept {
  return packet.size() < kFixedBytes ? MacAddress{}
                                     : ReadMac(std::to_integer<std::uint8_t>(packet[1]),
                                               std::to_integer<std::uint8_t>(packet[2]),
                                               packet.subspan(kChaddrAt, kChaddrBytes));
}

Result<void> Decode(ByteSpan packet, Message& out) noexcept {
  if (packet.size() < kFixedBytes) {
    return Fail(ErrorCode::kTruncated, static_cast<std::uint32_t>(packet.size()));
  }
  out.values.fill({});
  out.present.fill(false);
  out.pieces_bytes = 0;
  out.type = MessageType::kNone;
  WireReader reader(packet);
  out.op = reader.U8();
  out.htype = reader.U8();
  out.hlen = reader.U8();
  out.hops = reader.U8();
  out.xid = reader.U32();
  out.secs = reader.U16();
  out.flags = reader.U16();
  out.ciaddr = {reader.U32()};
  out.yiaddr = {reader.U32()};
  out.siaddr = {reader.U32()};
  out.giaddr = {reader.U32()};
  reader.Copy(out.chaddr);
  out.sname = UpToNul(reader.Bytes(kSnameBytes));
  out.file = UpToNul(reader.Bytes(kFileBytes));
  if (out.hlen > out.chaddr.size()) {
    return Fail(ErrorCode::kMalformed, 2);
  }
  if (packet.size() < kHeaderBytes || reader.U32() != kMagicCookie) {
    return {};  // BOOTP, RFC 951; vendor data of other makes is not for us.
  }
  return ReadAllOptions(packet, out);
}

ByteSpan FindSubOption(ByteSpan value, std::uint8_t code) noexcept {
  return SubOption(value, code).value_or(ByteSpan{});
}

bool HasSubOption(ByteSpan value, std::uint8_t code) noexcept {
  return SubOption(value, code).has_value();
}

// ---- Writer ----

Writer::Writer(MutableByteSpan out, std::size_t bytes_max) noexcept
    : out_(out.first(std::min(out.size(), bytes_max))), writer_(out_) {}

void Writer::ReplyHeader(const Message& request, Ipv4Address ciaddr, Ipv4Address yiaddr,
                         Ipv4Address siaddr) noexcept {
  writer_.U8(kBootReply);
  writer_.U8(request.htype);
  writer_.U8(request.hlen);
  writer_.U8(0);
  writer_.U32(request.xid);
  writer_.U16(0);
  writer_.U16(request.flags);
  writer_.U32(ciaddr.value);
  writer_.U32(yiaddr.value);
  writer_.U32(siaddr.value);
  writer_.U32(request.giaddr.value);
  writer_.Bytes(request.chaddr);
  writer_.Fill(kSnameBytes + kFileBytes);
  writer_.U32(kMagicCookie);
}

void Writer::RequestHeader(std::uint32_t xid, std::uint16_t secs, bool broadcast,
                           Ipv4Address ciaddr, MacAddress mac) noexcept {
  writer_.U8(kBootRequest);
  writer_.U8(kHardwareEthernet);
  writer_.U8(static_cast<std::uint8_t>(mac.octets.size()));
  writer_.U8(0);
  writer_.U32(xid);
  writer_.U16(secs);
  writer_.U16(broadcast ? kBroadcastFlag : std::uint16_t{0});
  writer_.U32(ciaddr.value);
  writer_.Fill(12);
  writer_.Bytes(std::as_bytes(std::span(mac.octets)));
  writer_.Fill(10 + kSnameBytes + kFileBytes);
  writer_.U32(kMagicCookie);
}

bool Writer::File(std::string_view name) noexcept {
  if (name.size() >= kFileBytes || writer_.size() < kHeaderBytes) {
    return false;
  }
  std::ranges::copy(AsBytes(name), out_.begin() + kFileAt);
  return true;
}

bool Writer::Begin(Option option, std::size_t bytes) noexcept {
  // One byte stays free for the end option.
  if (!writer_.ok() || writer_.left() < reserved_ + 1 + WireBytes(bytes)) {
    ++left_out_;
    return false;
  }
  const auto code = static_cast<std::uint8_t>(option);
  wrote_[code / 64] |= std::uint64_t{1} << (code % 64);
  writer_.U8(code);
  writer_.U8(static_cast<std::uint8_t>(std::min(bytes, kPieceBytesMax)));
  return true;
}

void Writer::U8(Option option, std::uint8_t value) noexcept {
  if (Begin(option, 1)) {
    writer_.U8(value);
  }
}

void Writer::U16(Option option, std::uint16_t value) noexcept {
  if (Begin(option, 2)) {
    writer_.U16(value);
  }
}

void Writer::U32(Option option, std::uint32_t value) noexcept {
  if (Begin(option, 4)) {
    writer_.U32(value);
  }
}

void Writer::Address(Option option, Ipv4Address value) noexcept { U32(option, value.value); }

void Writer::Text(Option option, std::string_view value, bool terminate) noexcept {
  const std::size_t bytes = value.size() + (terminate ? 1 : 0);
  if (bytes > kPieceBytesMax) {
    ++left_out_;
  } else if (!value.empty() && Begin(option, bytes)) {
    writer_.Text(value);
    writer_.Fill(terminate ? 1 : 0);
  }
}

void Writer::Bytes(Option option, ByteSpan value) noexcept {
  if (value.empty() || !Begin(option, value.size())) {
    return;
  }
  writer_.Bytes(value.first(std::min(value.size(), kPieceBytesMax)));
  for (std::size_t at = kPieceBytesMax; at < value.size(); at += kPieceBytesMax) {
    const ByteSpan piece = value.subspan(at, std::min(value.size() - at, kPieceBytesMax));
    writer_.U8(static_cast<std::uint8_t>(option));
    writer_.U8(static_cast<std::uint8_t>(piece.size()));
    writer_.Bytes(piece);
  }
}

void Writer::Last(Option option, ByteSpan value) noexcept {
  reserved_ = 0;
  Bytes(option, value);
}

Result<std::size_t> Writer::Finish() noexcept {
  writer_.U8(static_cast<std::uint8_t>(Option::kEnd));
  if (writer_.ok() && writer_.size() < kBootpBytesMin) {
    writer_.Fill(kBootpBytesMin - writer_.size());
  }
  if (!writer_.ok()) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(out_.size()));
  }
  return writer_.size();
}

}  // namespace slipway::dhcp
