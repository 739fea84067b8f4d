#include "dataplane/dhcp/message6.h"

#include <algorithm>

#include "dataplane/base/check.h"

namespace slipway::dhcp {
namespace {

constexpr std::size_t kOptionHeaderBytes = 4;
constexpr std::size_t kLabelBytesMax = 63;

void CopyAddress(WireReader& reader, Ipv6Address& out) {
  reader.Copy(std::as_writable_bytes(std::span(out.octets)));
}

// Calls `visit(code, value)` for each option that has a slot; its error ends the reading. A value
// of a wrong length spoils the message or is passed over, as its row says. `at` is where the
// options begin in the packet, for errors.
template <typename Visit>
Result<void> ReadOptions6(ByteSpan options, std::size_t at, Visit visit) {
  WireReader reader(options);
  while (reader.left() > 0) {
    const std::uint16_t code = reader.U16();
    const ByteSpan value = reader.Bytes(reader.U16());
    if (!reader.ok()) {
      return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(at + reader.offset()));
    }
    const std::uint8_t slot = SlotOf6(code);
    if (slot == kNoSlot) {
      continue;
    }
    const OptionRow& row = RowOfSlot6(slot);
    if (value.size() < row.length_min || value.size() > row.length_max) {
      if ((row.use & kStrict) != 0) {
        return Fail(ErrorCode::kMalformed, code);
      }
      continue;
    }
    SLIP_TRY(visit(static_cast<Option6>(code), value));
  }
  return {};
}

Status6 StatusOf(ByteSpan value) {
  return value.size() < 2 ? Status6::kSuccess
                          : static_cast<Status6>(LoadBig<std::uint16_t>(value.data()));
}

Result<void> ReadAddress(ByteSpan value, std::size_t at, Ia& ia) {
  WireReader reader(value);
  Ipv6Address address;
  CopyAddress(reader, address);
  reader.Skip(4);
  const std::uint32_t valid_seconds = reader.U32();
  if (ia.addresses.empty()) {
    ia.valid_seconds = valid_seconds;
  }
  (void)ia.addresses.push_back(address);
  return ReadOptions6(reader.Rest(), at, [&](Option6 code, ByteSpan inner) {
    if (code == Option6::kStatusCode) {
      ia.status = StatusOf(inner);
    }
    return Result<void>();
  });
}

Result<void> ReadIa(Option6 code, ByteSpan value, std::size_t at, Message6& message) {
  Ia ia;
  ia.type = code;
  WireReader reader(value);
  ia.iaid = reader.U32();
  if (code != Option6::kIaTa) {
    ia.t1 = reader.U32();
    ia.t2 = reader.U32();
  }
  SLIP_TRY(ReadOptions6(reader.Rest(), at, [&](Option6 inner, ByteSpan content) {
    if (inner == Option6::kIaAddress) {
      return ReadAddress(content, at, ia);
    }
    if (inner == Option6::kStatusCode) {
      ia.status = StatusOf(content);
    }
    return Result<void>();
  }));
  if (!message.ias.push_back(ia)) {
    ++message.ias_left_out;
  }
  return {};
}

Result<void> ReadMessage(ByteSpan bytes, std::size_t at, Message6& message) {
  if (bytes.size() < 4) {
    return Fail(ErrorCode::kTruncated, static_cast<std::uint32_t>(at + bytes.size()));
  }
  const auto head = LoadBig<std::uint32_t>(bytes.data());
  message.type = static_cast<MessageType6>(head >> 24);
  message.xid = head & 0xFF'FFFF;
  return ReadOptions6(bytes.subspan(4), at + 4, [&](Option6 code, ByteSpan value) {
    if (code == Option6::kIaNa || code == Option6::kIaTa || code == Option6::kIaPd) {
      return ReadIa(code, value, at, message);
    }
    const std::uint8_t slot = SlotOf6(static_cast<std::uint16_t>(code));
    if (!message.present[slot]) {
      message.present[slot] = true;
      message.values[slot] = value;
    } else if (code == Option6::kClientId || code == Option6::kServerId) {
      return Result<void>(Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(code)));
    }
    return Result<void>();
  });
}

// One relay header; returns the message inside.
Result<ByteSpan> ReadRelay(ByteSpan bytes, std::size_t at, Message6& message) {
  RelayHop hop;
  WireReader reader(bytes);
  hop.forward = reader.U8() == static_cast<std::uint8_t>(MessageType6::kRelayForward);
  hop.hops = reader.U8();
  CopyAddress(reader, hop.link);
  CopyAddress(reader, hop.peer);
  if (!reader.ok()) {
    return Fail(ErrorCode::kTruncated, static_cast<std::uint32_t>(at + bytes.size()));
  }
  ByteSpan inside;
  SLIP_TRY(ReadOptions6(reader.Rest(), at, [&](Option6 code, ByteSpan value) {
    switch (code) {
      case Option6::kRelayMessage:
        inside = inside.empty() ? value : inside;
        break;
      case Option6::kInterfaceId:
        hop.has_interface_id = true;
        hop.interface_id = value;
        break;
      case Option6::kRemoteId:
        hop.remote_id = value;
        break;
      case Option6::kClientLinkLayerAddress:
        hop.client_address = value;
        break;
      case Option6::kRelayPort:
        hop.has_port = true;
        hop.port = LoadBig<std::uint16_t>(value.data());
        break;
      default:
        break;
    }
    return Result<void>();
  }));
  if (inside.empty()) {
    return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(Option6::kRelayMessage));
  }
  if (!message.relays.push_back(hop)) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(kRelaysMax6));
  }
  return inside;
}

bool IsRelay(ByteSpan bytes) {
  return !bytes.empty() && (bytes[0] == static_cast<std::byte>(MessageType6::kRelayForward) ||
                            bytes[0] == static_cast<std::byte>(MessageType6::kRelayReply));
}

}  // namespace

bool Message6::Has(Option6 option) const noexcept {
  const std::uint8_t slot = SlotOf6(static_cast<std::uint16_t>(option));
  return slot != kNoSlot && present[slot];
}

ByteSpan Message6::Get(Option6 option) const noexcept {
  const std::uint8_t slot = SlotOf6(static_cast<std::uint16_t>(option));
  return slot == kNoSlot ? ByteSpan{} : values[slot];
}

bool Message6::Asks(Option6 option) const noexcept {
  WireReader list(Get(Option6::kOptionRequest));
  while (list.left() >= 2) {
    if (list.U16() == static_cast<std::uint16_t>(option)) {
      return true;
    }
  }
  return false;
}

bool Message6::Wants(Option6 option) const noexcept {
  return !Has(Option6::kOptionRequest) || Asks(option);
}

Status6 Message6::status() const noexcept { return StatusOf(Get(Option6::kStatusCode)); }

Result<void> Decode6(ByteSpan packet, Message6& out) noexcept {
  out.relays.clear();
  out.type = MessageType6::kNone;
  out.xid = 0;
  out.ias.clear();
  out.ias_left_out = 0;
  out.values.fill({});
  out.present.fill(false);
  ByteSpan inside = packet;
  while (IsRelay(inside)) {
    const auto at = static_cast<std::size_t>(inside.data() - packet.data());
    inside = SLIP_TRY(ReadRelay(inside, at, out));
  }
  return ReadMessage(inside, static_cast<std::size_t>(inside.data() - packet.data()), out);
}

// ---- Writer6 ----

Writer6::Writer6(MutableByteSpan out, std::size_t bytes_max) noexcept
    : out_(out.first(std::min(out.size(), bytes_max))), writer_(out_) {}

void Writer6::Relay(MessageType6 type, const RelayHop& hop) noexcept {
  writer_.U8(static_cast<std::uint8_t>(type));
  writer_.U8(hop.hops);
  writer_.Bytes(std::as_bytes(std::span(hop.link.octets)));
  writer_.Bytes(std::as_bytes(std::span(hop.peer.octets)));
  if (hop.has_interface_id) {
    Begin(Option6::kInterfaceId);
    Raw(hop.interface_id);
    End();
  }
  if (hop.has_port) {
    Begin(Option6::kRelayPort);
    RawU16(hop.port);
    End();
  }
}

void Writer6::RelayReply(const RelayHop& hop) noexcept {
  Relay(MessageType6::kRelayReply, hop);
  Begin(Option6::kRelayMessage);
}

void Writer6::RelayForward(const RelayHop& hop) noexcept {
  Relay(MessageType6::kRelayForward, hop);
  if (!hop.remote_id.empty()) {
    Bytes(Option6::kRemoteId, hop.remote_id);
  }
  if (!hop.client_address.empty()) {
    Bytes(Option6::kClientLinkLayerAddress, hop.client_address);
  }
  Begin(Option6::kRelayMessage);
}

void Writer6::Header(MessageType6 type, std::uint32_t xid) noexcept {
  writer_.U32((std::uint32_t{static_cast<std::uint8_t>(type)} << 24) | (xid & 0xFF'FFFF));
}

bool Writer6::Head(Option6 option, std::size_t bytes) noexcept {
  const auto code = static_cast<std::uint16_t>(option);
  if (code < wrote_.size() * 64) {
    wrote_[code / 64] |= std::uint64_t{1} << (code % 64);
  }
  if (!writer_.ok() || writer_.left() < kOptionHeaderBytes + bytes) {
    ++left_out_;
    return false;
  }
  writer_.U16(code);
  writer_.U16(static_cast<std::uint16_t>(bytes));
  return true;
}

void Writer6::U8(Option6 option, std::uint8_t value) noexcept {
  if (Head(option, 1)) {
    writer_.U8(value);
  }
}

void Writer6::U16(Option6 option, std::uint16_t value) noexcept {
  if (Head(option, 2)) {
    writer_.U16(value);
  }
}

void Writer6::U32(Option6 option, std::uint32_t value) noexcept {
  if (Head(option, 4)) {
    writer_.U32(value);
  }
}

void Writer6::Text(Option6 option, std::string_view value) noexcept {
  if (!value.empty() && Head(option, value.size())) {
    writer_.Text(value);
  }
}

void Writer6::Bytes(Option6 option, ByteSpan value) noexcept {
  if (Head(option, value.size())) {
    writer_.Bytes(value);
  }
}

void Writer6::Status(Status6 status, std::string_view message) noexcept {
  if (Head(Option6::kStatusCode, 2 + message.size())) {
    writer_.U16(static_cast<std::uint16_t>(status));
    writer_.Text(message);
  }
}

void Writer6::Begin(Option6 option) noexcept {
  writer_.U16(static_cast<std::uint16_t>(option));
  SLIP_CHECK(open_.push_back(writer_.size()));
  writer_.U16(0);
}

void Writer6::End() noexcept {
  SLIP_CHECK(!open_.empty());
  const std::size_t at = open_.back();
  open_.pop_back();
  if (writer_.ok()) {
    writer_.PatchU16(at, static_cast<std::uint16_t>(writer_.size() - at - 2));
  }
}

Result<std::size_t> Writer6::Finish() noexcept {
  while (!open_.empty()) {
    End();  // The relay messages.
  }
  if (!writer_.ok()) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(out_.size()));
  }
  return writer_.size();
}

}  // namespace slipway::dhcp
