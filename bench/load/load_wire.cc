#include "bench/load/load_wire.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "dataplane/base/cursor.h"
#include "dataplane/net/frame.h"

namespace slipway::bench {

namespace {

constexpr std::uint64_t kFirstMac = 0x0220'0000'0000;
constexpr int kReceiveBytes = 64 << 20;
// Where the fields are that differ: in the message, and of options in the order they are written.
constexpr std::size_t kXidAt = 4;
constexpr std::size_t kCiaddrAt = 12;
constexpr std::size_t kYiaddrAt = 16;
constexpr std::size_t kGiaddrAt = 24;
constexpr std::size_t kChaddrAt = 28;
constexpr std::size_t kAddressAt = dhcp::kHeaderBytes + 3 + 2;         // after option 53
constexpr std::size_t kServerAt = dhcp::kHeaderBytes + 3 + 2 + 4 + 2;  // after option 50
constexpr std::array<std::uint8_t, 7> kWanted = {1, 3, 6, 12, 15, 28, 42};
// The UDP checksum of a frame may be 0, none (RFC 768), so that it need not be computed anew.
constexpr std::size_t kFrameSourceMacAt = 6;
constexpr std::size_t kFrameUdpChecksumAt = 14 + 20 + 6;

[[nodiscard]] sockaddr_in Name(Ipv4Address address) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(dhcp::kServerPort);
  name.sin_addr.s_addr = htonl(address.value);
  return name;
}

[[nodiscard]] Result<shard::OwnedFd> OpenRelay() {
  shard::OwnedFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_in from = Name(kRelayAddress);
  const sockaddr_in to = Name(kRackAddress);
  if (!fd.valid() ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&from), sizeof(from)) != 0 ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
    return FailErrno(errno);
  }
  return fd;
}

// Frames with UDP to the clients' port; everything else is none of ours.
[[nodiscard]] Result<shard::OwnedFd> OpenFrames() {
  std::array<sock_filter, 4> code{{{BPF_LD | BPF_H | BPF_ABS, 0, 0, 14 + 20 + 2},
                                   {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, dhcp::kClientPort},
                                   {BPF_RET | BPF_K, 0, 0, 0xFFFF'FFFF},
                                   {BPF_RET | BPF_K, 0, 0, 0}}};
  const sock_fprog program{.len = code.size(), .filter = code.data()};
  shard::OwnedFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  sockaddr_ll name{};
  name.sll_family = AF_PACKET;
  name.sll_protocol = htons(ETH_P_IP);
  name.sll_ifindex = static_cast<int>(::if_nametoindex(std::string(kClientInterface).c_str()));
  if (!fd.valid() ||
      ::setsockopt(fd.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0 ||
      ::setsockopt(fd.get(), SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) != 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0) {
    return FailErrno(errno);
  }
  return fd;
}

// False: no reply of a server.
[[nodiscard]] bool Read(ByteSpan message, LoadReply& reply) {
  if (message.size() < dhcp::kHeaderBytes ||
      std::to_integer<std::uint8_t>(message[0]) != dhcp::kBootReply) {
    return false;
  }
  reply.xid = LoadBig<std::uint32_t>(&message[kXidAt]);
  reply.address = {LoadBig<std::uint32_t>(&message[kYiaddrAt])};
  std::ranges::copy(message.subspan(kChaddrAt, 6),
                    std::as_writable_bytes(std::span(reply.mac.octets)).begin());
  reply.type = dhcp::MessageType::kNone;
  reply.server = {};
  WireReader options(message.subspan(dhcp::kHeaderBytes));
  while (options.left() > 1 && (reply.type == dhcp::MessageType::kNone || reply.server.is_any())) {
    const std::uint8_t code = options.U8();
    if (code == static_cast<std::uint8_t>(dhcp::Option::kEnd)) {
      break;
    }
    const ByteSpan value = options.Bytes(options.U8());
    if (code == static_cast<std::uint8_t>(dhcp::Option::kMessageType) && value.size() == 1) {
      reply.type = static_cast<dhcp::MessageType>(value[0]);
    } else if (code == static_cast<std::uint8_t>(dhcp::Option::kServerIdentifier) &&
               value.size() == 4) {
      reply.server = {LoadBig<std::uint32_t>(value.data())};
    }
  }
  return options.ok() && reply.type != dhcp::MessageType::kNone;
}

}  // namespace

MacAddress LoadWire::MacOf(std::uint32_t client) {
  return MacAddress::FromU64(kFirstMac + std::uint64_t{client});
}

Result<LoadWire> LoadWire::Open(Clients clients) {
  shard::OwnedFd fd = SLIP_TRY(clients == Clients::kRelayed ? OpenRelay() : OpenFrames());
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBytes, sizeof(kReceiveBytes));
  return LoadWire(std::move(fd), clients);
}

LoadWire::LoadWire(shard::OwnedFd fd, Clients clients)
    : fd_(std::move(fd)),
      frames_(clients != Clients::kRelayed),
      head_bytes_(frames_ ? net::kUdp4FrameHeaderBytes : 0),
      out_(3 * kBatch * kBufferBytes),
      in_(kBatch * kBufferBytes) {
  for (const LoadPacket kind : {LoadPacket::kDiscover, LoadPacket::kRequest, LoadPacket::kRenew}) {
    MakeTemplate(kind);
  }
  for (std::size_t i = 0; i < kBatch; ++i) {
    receive_parts_[i] = {.iov_base = &in_[i * kBufferBytes], .iov_len = kBufferBytes};
  }
}

void LoadWire::MakeTemplate(LoadPacket kind) {
  const auto number = static_cast<std::size_t>(kind);
  const MutableByteSpan first = MutableByteSpan(out_).subspan(number * kBatch * kBufferBytes);
  const MutableByteSpan message = first.subspan(head_bytes_, dhcp::kMessageBytesMin);
  dhcp::Writer writer(message, message.size());
  writer.RequestHeader(0, 0, false, {}, MacOf(0));
  writer.U8(dhcp::Option::kMessageType,
            static_cast<std::uint8_t>(kind == LoadPacket::kDiscover ? dhcp::MessageType::kDiscover
                                                                    : dhcp::MessageType::kRequest));
  if (kind == LoadPacket::kRequest) {
    writer.Address(dhcp::Option::kRequestedAddress, {1});
    writer.Address(dhcp::Option::kServerIdentifier, {1});
  }
  writer.Bytes(dhcp::Option::kParameterRequestList, std::as_bytes(std::span(kWanted)));
  writer.U16(dhcp::Option::kMaxMessageSize, 1500);
  std::size_t bytes = writer.Finish().value_or(0);
  if (frames_) {
    const auto frame = net::BuildUdp4Frame(
        first, {.mac = MacOf(0), .address = {}, .port = dhcp::kClientPort},
        {.mac = kBroadcastMac, .address = {0xFFFF'FFFF}, .port = dhcp::kServerPort},
        message.first(bytes));
    bytes = frame.value_or(0);
    StoreBig<std::uint16_t>(&first[kFrameUdpChecksumAt], 0);
  } else {
    message[3] = std::byte{1};  // hops
    StoreBig(&message[kGiaddrAt], kRelayAddress.value);
  }
  template_bytes_[number] = bytes;
  for (std::size_t i = 1; i < kBatch; ++i) {
    std::copy_n(first.begin(), bytes,
                first.begin() + static_cast<std::ptrdiff_t>(i * kBufferBytes));
  }
}

void LoadWire::Queue(LoadPacket kind, std::uint32_t client, Ipv4Address address,
                     Ipv4Address server) {
  if (queued_ == kBatch) {
    Flush();
  }
  if (queued_ == kBatch) {
    return;  // The kernel has no room: as if the wire had lost it.
  }
  const auto number = static_cast<std::size_t>(kind);
  std::byte* const packet = &out_[(number * kBatch + queued_) * kBufferBytes];
  std::byte* const message = packet + head_bytes_;
  const std::uint64_t mac = MacOf(client).ToU64();
  StoreBig(message + kXidAt, client);
  StoreBig(message + kChaddrAt + 2, static_cast<std::uint32_t>(mac));
  if (frames_) {
    StoreBig(packet + kFrameSourceMacAt + 2, static_cast<std::uint32_t>(mac));
  }
  if (kind == LoadPacket::kRequest) {
    StoreBig(message + kAddressAt, address.value);
    StoreBig(message + kServerAt, server.value);
  } else if (kind == LoadPacket::kRenew) {
    StoreBig(message + kCiaddrAt, address.value);
  }
  send_parts_[queued_] = {.iov_base = packet, .iov_len = template_bytes_[number]};
  send_[queued_].msg_hdr.msg_iov = &send_parts_[queued_];
  send_[queued_].msg_hdr.msg_iovlen = 1;
  ++queued_;
}

void LoadWire::Flush() {
  std::size_t sent = 0;
  while (sent < queued_) {
    const int took =
        ::sendmmsg(fd_.get(), &send_[sent], static_cast<unsigned>(queued_ - sent), MSG_DONTWAIT);
    if (took <= 0) {
      break;  // What is left counts as lost on the wire.
    }
    sent += static_cast<std::size_t>(took);
  }
  queued_ = 0;
}

std::span<const LoadReply> LoadWire::Receive() {
  for (std::size_t i = 0; i < kBatch; ++i) {
    receive_[i].msg_hdr.msg_iov = &receive_parts_[i];
    receive_[i].msg_hdr.msg_iovlen = 1;
  }
  const int got = ::recvmmsg(fd_.get(), receive_.data(), kBatch, MSG_DONTWAIT, nullptr);
  std::size_t count = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(std::max(got, 0)); ++i) {
    const std::size_t bytes = receive_[i].msg_len;
    if (bytes > head_bytes_ &&
        Read(ByteSpan(&in_[i * kBufferBytes], bytes).subspan(head_bytes_), replies_[count])) {
      ++count;
    }
  }
  return std::span(replies_).first(count);
}

}  // namespace slipway::bench
