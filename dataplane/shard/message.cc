#include "dataplane/shard/message.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/udp.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#include "dataplane/base/check.h"

namespace slipway::shard {

namespace {

// An address as four words in network order: the comparisons that a packet needs are made on them,
// not on sixteen octets.
using Words = std::array<std::uint32_t, 4>;
static_assert(sizeof(Words) == sizeof(IpAddress));

constexpr std::uint32_t kMappedPrefix =
    std::endian::native == std::endian::little ? 0xFFFF'0000 : 0x0000'FFFF;

IpAddress FromWire(in_addr address) noexcept {
  return std::bit_cast<IpAddress>(Words{0, 0, kMappedPrefix, address.s_addr});
}

IpAddress FromWire(const in6_addr& address) noexcept { return std::bit_cast<IpAddress>(address); }

Words ToWords(const IpAddress& address) noexcept { return std::bit_cast<Words>(address); }

bool IsMapped(const Words& words) noexcept {
  return (words[0] | words[1]) == 0 && words[2] == kMappedPrefix;
}

// Neither ::, which is what an address that was never given is, nor 0.0.0.0.
bool IsSet(const Words& words) noexcept {
  const bool zero = (words[0] | words[1] | words[2] | words[3]) == 0;
  return !zero && !(IsMapped(words) && words[3] == 0);
}

template <typename T>
T Load(std::span<const std::byte> bytes) noexcept {
  SLIP_DCHECK(bytes.size() >= sizeof(T));
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

void DecodeName(std::span<const std::byte> name, Packet& packet) noexcept {
  if (name.size() < sizeof(sa_family_t)) {
    return;
  }
  const auto family = Load<sa_family_t>(name);
  if (family == AF_INET && name.size() >= sizeof(sockaddr_in)) {
    const auto from = Load<sockaddr_in>(name);
    packet.source = FromWire(from.sin_addr);
    packet.source_port = ntohs(from.sin_port);
  } else if (family == AF_INET6 && name.size() >= sizeof(sockaddr_in6)) {
    const auto from = Load<sockaddr_in6>(name);
    packet.source = FromWire(from.sin6_addr);
    packet.source_port = ntohs(from.sin6_port);
  } else if (family == AF_PACKET && name.size() >= offsetof(sockaddr_ll, sll_hatype)) {
    sockaddr_ll from{};
    std::memcpy(&from, name.data(), std::min(name.size(), sizeof(from)));
    packet.ifindex = static_cast<std::uint32_t>(from.sll_ifindex);
  }
}

void DecodeItem(int level, int type, std::span<const std::byte> value, Packet& packet,
                std::uint32_t& kernel_drops) noexcept {
  if (level == IPPROTO_IP && type == IP_PKTINFO && value.size() >= sizeof(in_pktinfo)) {
    const auto info = Load<in_pktinfo>(value);
    packet.destination = FromWire(info.ipi_addr);
    packet.ifindex = static_cast<std::uint32_t>(info.ipi_ifindex);
  } else if (level == IPPROTO_IPV6 && type == IPV6_PKTINFO && value.size() >= sizeof(in6_pktinfo)) {
    const auto info = Load<in6_pktinfo>(value);
    packet.destination = FromWire(info.ipi6_addr);
    packet.ifindex = info.ipi6_ifindex;
  } else if (level == SOL_SOCKET && type == SO_RXQ_OVFL && value.size() >= sizeof(std::uint32_t)) {
    kernel_drops = Load<std::uint32_t>(value);
  }
}

// Appends one item to control data that the caller has made large enough.
template <typename T>
void AppendControl(TxEnvelope& envelope, msghdr& header, int level, int type,
                   const T& value) noexcept {
  SLIP_CHECK(header.msg_controllen + CMSG_SPACE(sizeof(T)) <= envelope.control.size());
  std::byte* const to = envelope.control.data() + header.msg_controllen;
  cmsghdr item{};
  item.cmsg_len = CMSG_LEN(sizeof(T));
  item.cmsg_level = level;
  item.cmsg_type = type;
  std::memcpy(to, &item, sizeof(item));
  std::memcpy(to + CMSG_LEN(0), &value, sizeof(T));
  header.msg_control = envelope.control.data();
  header.msg_controllen += CMSG_SPACE(sizeof(T));
}

template <typename T>
void SetName(TxEnvelope& envelope, msghdr& header, const T& name) noexcept {
  static_assert(sizeof(T) <= kRxNameBytes);
  std::memcpy(envelope.name.data(), &name, sizeof(T));
  header.msg_name = envelope.name.data();
  header.msg_namelen = sizeof(T);
}

bool EncodeIpv4(const Outgoing& out, TxEnvelope& envelope, msghdr& header) noexcept {
  const Words destination = ToWords(out.destination);
  const Words source = ToWords(out.source);
  const bool has_source = IsSet(source);
  if (!IsMapped(destination) || (has_source && !IsMapped(source))) {
    return false;
  }
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(out.destination_port);
  to.sin_addr.s_addr = destination[3];
  SetName(envelope, header, to);
  if (has_source || out.ifindex != 0) {
    in_pktinfo info{};
    info.ipi_ifindex = static_cast<int>(out.ifindex);
    info.ipi_spec_dst.s_addr = has_source ? source[3] : 0;
    AppendControl(envelope, header, IPPROTO_IP, IP_PKTINFO, info);
  }
  return true;
}

bool EncodeIpv6(const Outgoing& out, TxEnvelope& envelope, msghdr& header) noexcept {
  const Words source = ToWords(out.source);
  const bool has_source = IsSet(source);
  if (IsMapped(ToWords(out.destination)) || (has_source && IsMapped(source))) {
    return false;
  }
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_port = htons(out.destination_port);
  to.sin6_addr = std::bit_cast<in6_addr>(out.destination);
  // Link-local and multicast destinations mean nothing without their interface (RFC 4007 6).
  if (out.destination.v6().is_link_local() || out.destination.v6().is_multicast()) {
    to.sin6_scope_id = out.ifindex;
  }
  SetName(envelope, header, to);
  if (has_source || out.ifindex != 0) {
    in6_pktinfo info{};
    info.ipi6_ifindex = out.ifindex;
    if (has_source) {
      info.ipi6_addr = std::bit_cast<in6_addr>(out.source);
    }
    AppendControl(envelope, header, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
  return true;
}

bool EncodeFrame(const Outgoing& out, TxEnvelope& envelope, msghdr& header) noexcept {
  if (out.data.size() < ETH_HLEN || out.ifindex == 0 || out.segment_bytes != 0) {
    return false;
  }
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(out.ifindex);
  to.sll_halen = ETH_ALEN;
  // Already in network order in the frame.
  std::memcpy(&to.sll_protocol, out.data.data() + 2 * ETH_ALEN, sizeof(to.sll_protocol));
  std::memcpy(to.sll_addr, out.data.data(), ETH_ALEN);
  SetName(envelope, header, to);
  return true;
}

iovec ToVector(ByteSpan bytes) noexcept {
  // The kernel only reads it: iovec has no const form.
  return {.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
}

}  // namespace

void DecodeEnvelope(std::span<const std::byte> name, std::span<const std::byte> control,
                    Packet& packet, std::uint32_t& kernel_drops) noexcept {
  DecodeName(name, packet);
  while (control.size() >= sizeof(cmsghdr)) {
    const auto item = Load<cmsghdr>(control);
    if (item.cmsg_len < CMSG_LEN(0) || item.cmsg_len > control.size()) {
      return;
    }
    DecodeItem(item.cmsg_level, item.cmsg_type,
               control.subspan(CMSG_LEN(0), item.cmsg_len - CMSG_LEN(0)), packet, kernel_drops);
    control = control.subspan(std::min(CMSG_ALIGN(item.cmsg_len), control.size()));
  }
}

void AppendSegment(TxEnvelope& envelope, msghdr& header, std::uint16_t bytes) noexcept {
  AppendControl(envelope, header, SOL_UDP, UDP_SEGMENT, bytes);
}

void RemoveSegment(msghdr& header) noexcept {
  SLIP_CHECK(header.msg_controllen >= CMSG_SPACE(sizeof(std::uint16_t)));
  header.msg_controllen -= CMSG_SPACE(sizeof(std::uint16_t));
}

bool EncodeEnvelope(int family, const Outgoing& out, TxEnvelope& envelope, std::span<iovec> gather,
                    msghdr& header) noexcept {
  header = {};
  bool encoded = false;
  if (family == AF_INET) {
    encoded = EncodeIpv4(out, envelope, header);
  } else if (family == AF_INET6) {
    encoded = EncodeIpv6(out, envelope, header);
  } else if (family == AF_PACKET) {
    encoded = EncodeFrame(out, envelope, header);
  }
  if (!encoded) {
    return false;
  }
  if (out.segment_bytes != 0) {
    AppendSegment(envelope, header, out.segment_bytes);
  }
  if (out.parts.empty()) {
    envelope.data = ToVector(out.data);
    header.msg_iov = &envelope.data;
    header.msg_iovlen = 1;
    return true;
  }
  SLIP_CHECK(gather.size() > out.parts.size());
  gather[0] = ToVector(out.data);
  for (std::size_t i = 0; i < out.parts.size(); ++i) {
    gather[i + 1] = ToVector(out.parts[i]);
  }
  header.msg_iov = gather.data();
  header.msg_iovlen = 1 + out.parts.size();
  return true;
}

}  // namespace slipway::shard
