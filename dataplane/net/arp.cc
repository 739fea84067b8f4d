#include "dataplane/net/arp.h"

#include "dataplane/net/frame.h"

namespace slipway::net {
namespace {

constexpr std::uint16_t kHardwareEthernet = 1;
constexpr std::uint8_t kMacBytes = 6;
constexpr std::uint8_t kIpv4Bytes = 4;

void WriteMac(WireWriter& writer, MacAddress mac) noexcept {
  writer.Bytes(std::as_bytes(std::span(mac.octets)));
}

MacAddress ReadMac(WireReader& reader) noexcept {
  MacAddress mac;
  reader.Copy(std::as_writable_bytes(std::span(mac.octets)));
  return mac;
}

}  // namespace

Result<std::size_t> BuildArpProbe(MutableByteSpan out, MacAddress sender,
                                  Ipv4Address target) noexcept {
  WireWriter writer(out);
  WriteMac(writer, kBroadcastMac);
  WriteMac(writer, sender);
  writer.U16(kEtherTypeArp);
  writer.U16(kHardwareEthernet);
  writer.U16(kEtherTypeIpv4);
  writer.U8(kMacBytes);
  writer.U8(kIpv4Bytes);
  writer.U16(static_cast<std::uint16_t>(ArpOperation::kRequest));
  WriteMac(writer, sender);
  writer.U32(0);
  WriteMac(writer, {});
  writer.U32(target.value);
  if (!writer.ok()) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(kArpFrameBytes));
  }
  return writer.size();
}

Result<ArpView> ParseArpFrame(ByteSpan frame) noexcept {
  if (frame.size() < kArpFrameBytes) {
    return Fail(ErrorCode::kTruncated, static_cast<std::uint32_t>(frame.size()));
  }
  WireReader reader(frame.subspan(2 * kMacBytes));
  const bool for_us = reader.U16() == kEtherTypeArp && reader.U16() == kHardwareEthernet &&
                      reader.U16() == kEtherTypeIpv4 && reader.U8() == kMacBytes &&
                      reader.U8() == kIpv4Bytes;
  const std::uint16_t operation = reader.U16();
  if (!for_us || (operation != static_cast<std::uint16_t>(ArpOperation::kRequest) &&
                  operation != static_cast<std::uint16_t>(ArpOperation::kReply))) {
    return Fail(ErrorCode::kUnsupported);
  }
  ArpView view;
  view.operation = static_cast<ArpOperation>(operation);
  view.sender_mac = ReadMac(reader);
  view.sender = {reader.U32()};
  view.target_mac = ReadMac(reader);
  view.target = {reader.U32()};
  return view;
}

}  // namespace slipway::net
