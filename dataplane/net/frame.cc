#include "dataplane/net/frame.h"

#include "dataplane/net/checksum.h"

namespace slipway::net {
namespace {

constexpr std::uint8_t kProtocolUdp = 17;
constexpr std::uint8_t kTimeToLive = 64;
constexpr std::uint16_t kDoNotFragment = 0x4000;
constexpr std::size_t kIpv4PacketBytesMax = 65535;

void WriteMac(WireWriter& writer, MacAddress mac) noexcept {
  writer.Bytes(std::as_bytes(std::span(mac.octets)));
}

MacAddress ReadMac(WireReader& reader) noexcept {
  MacAddress mac;
  reader.Copy(std::as_writable_bytes(std::span(mac.octets)));
  return mac;
}

std::uint16_t UdpChecksum(Ipv4Address source, Ipv4Address destination, ByteSpan datagram) noexcept {
  Checksum sum;
  sum.AddU32(source.value);
  sum.AddU32(destination.value);
  sum.AddU16(kProtocolUdp);
  sum.AddU16(static_cast<std::uint16_t>(datagram.size()));
  sum.Add(datagram);
  return sum.Finish();
}

}  // namespace

Result<std::size_t> BuildUdp4Frame(MutableByteSpan out, const Udp4Endpoint& source,
                                   const Udp4Endpoint& destination, ByteSpan payload) noexcept {
  if (payload.size() > kIpv4PacketBytesMax - kIpv4HeaderBytes - kUdpHeaderBytes ||
      out.size() < kUdp4FrameHeaderBytes || out.size() - kUdp4FrameHeaderBytes < payload.size()) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(payload.size()));
  }
  const auto udp_bytes = static_cast<std::uint16_t>(kUdpHeaderBytes + payload.size());
  WireWriter writer(out);
  WriteMac(writer, destination.mac);
  WriteMac(writer, source.mac);
  writer.U16(kEtherTypeIpv4);
  writer.U8(0x45);
  writer.U8(0);
  writer.U16(static_cast<std::uint16_t>(kIpv4HeaderBytes + udp_bytes));
  writer.U16(0);  // RFC 6864 4.1: free for datagrams that are never fragmented.
  writer.U16(kDoNotFragment);
  writer.U8(kTimeToLive);
  writer.U8(kProtocolUdp);
  writer.U16(0);
  writer.U32(source.address.value);
  writer.U32(destination.address.value);
  Checksum header;
  header.Add(out.subspan(kEthernetHeaderBytes, kIpv4HeaderBytes));
  writer.PatchU16(kEthernetHeaderBytes + 10, header.Finish());
  writer.U16(source.port);
  writer.U16(destination.port);
  writer.U16(udp_bytes);
  writer.U16(0);
  if (payload.data() != out.data() + kUdp4FrameHeaderBytes) {
    writer.Bytes(payload);
  }
  const MutableByteSpan datagram = out.subspan(kEthernetHeaderBytes + kIpv4HeaderBytes, udp_bytes);
  const std::uint16_t sum = UdpChecksum(source.address, destination.address, datagram);
  // RFC 768: a computed 0 is sent as all ones.
  StoreBig<std::uint16_t>(datagram.data() + 6, sum == 0 ? 0xFFFF : sum);
  return kUdp4FrameHeaderBytes + payload.size();
}

Result<Udp4View> ParseUdp4Frame(ByteSpan frame) noexcept {
  WireReader reader(frame);
  Udp4View view;
  view.destination.mac = ReadMac(reader);
  view.source.mac = ReadMac(reader);
  if (reader.U16() != kEtherTypeIpv4 && reader.ok()) {
    return Fail(ErrorCode::kUnsupported, 12);
  }
  const ByteSpan header = reader.Bytes(kIpv4HeaderBytes);
  if (!reader.ok()) {
    return Fail(ErrorCode::kTruncated, static_cast<std::uint32_t>(frame.size()));
  }
  const auto version = std::to_integer<std::uint8_t>(header[0]);
  const auto fragment = static_cast<std::uint16_t>(LoadBig<std::uint16_t>(&header[6]) & 0x3FFF);
  if (version != 0x45 || fragment != 0 ||
      std::to_integer<std::uint8_t>(header[9]) != kProtocolUdp) {
    return Fail(ErrorCode::kUnsupported, kEthernetHeaderBytes);
  }
  Checksum sum;
  sum.Add(header);
  if (sum.Finish() != 0) {
    return Fail(ErrorCode::kBadChecksum, kEthernetHeaderBytes + 10);
  }
  const auto total = LoadBig<std::uint16_t>(&header[2]);
  if (total < kIpv4HeaderBytes + kUdpHeaderBytes || total - kIpv4HeaderBytes > reader.left()) {
    return Fail(ErrorCode::kTruncated, kEthernetHeaderBytes + 2);
  }
  view.source.address = {LoadBig<std::uint32_t>(&header[12])};
  view.destination.address = {LoadBig<std::uint32_t>(&header[16])};
  const ByteSpan datagram = reader.Bytes(total - kIpv4HeaderBytes);
  WireReader udp(datagram);
  view.source.port = udp.U16();
  view.destination.port = udp.U16();
  const std::uint16_t udp_bytes = udp.U16();
  const std::uint16_t check = udp.U16();
  if (udp_bytes < kUdpHeaderBytes || udp_bytes > datagram.size()) {
    return Fail(ErrorCode::kMalformed, kEthernetHeaderBytes + kIpv4HeaderBytes + 4);
  }
  if (check != 0 &&
      UdpChecksum(view.source.address, view.destination.address, datagram.first(udp_bytes)) != 0) {
    return Fail(ErrorCode::kBadChecksum, kEthernetHeaderBytes + kIpv4HeaderBytes + 6);
  }
  view.payload = datagram.subspan(kUdpHeaderBytes, udp_bytes - kUdpHeaderBytes);
  return view;
}

}  // namespace slipway::net
