#include "bench/load/load_wire.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "bench/load/load_codec4.h"
#include "bench/load/load_codec6.h"
#include "dataplane/dhcp/message.h"
#include "dataplane/dhcp/message6.h"

namespace slipway::bench {

namespace {

constexpr std::uint64_t kFirstMac = 0x0220'0000'0000;
constexpr int kReceiveBytes = 64 << 20;

// A relay's socket towards the rack; both ends have the servers' port.
template <typename Name>
[[nodiscard]] Result<shard::OwnedFd> OpenRelay(int family, const Name& from, const Name& to) {
  shard::OwnedFd fd(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid() ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&from), sizeof(from)) != 0 ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
    return FailErrno(errno);
  }
  return fd;
}

[[nodiscard]] sockaddr_in Name4(Ipv4Address address) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(dhcp::kServerPort);
  name.sin_addr.s_addr = htonl(address.value);
  return name;
}

[[nodiscard]] sockaddr_in6 Name6(const Ipv6Address& address) {
  sockaddr_in6 name{};
  name.sin6_family = AF_INET6;
  name.sin6_port = htons(dhcp::kServerPort6);
  std::ranges::copy(address.octets, name.sin6_addr.s6_addr);
  return name;
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

[[nodiscard]] Result<shard::OwnedFd> OpenSocket(Clients clients) {
  switch (clients) {
    case Clients::kRelayed:
      return OpenRelay(AF_INET, Name4(kRelayAddress), Name4(kRackAddress));
    case Clients::kRelayed6:
      return OpenRelay(AF_INET6, Name6(kRelayWireAddress6), Name6(kRackAddress6));
    case Clients::kLocal:
    case Clients::kReserved:
      break;
  }
  return OpenFrames();
}

}  // namespace

MacAddress LoadMac(std::uint32_t client) noexcept {
  return MacAddress::FromU64(kFirstMac + std::uint64_t{client});
}

std::unique_ptr<LoadCodec> MakeLoadCodec(Clients clients) {
  if (clients == Clients::kRelayed6) {
    return std::make_unique<LoadCodec6>();
  }
  return std::make_unique<LoadCodec4>(clients == Clients::kLocal);
}

Result<LoadWire> LoadWire::Open(Clients clients) {
  shard::OwnedFd fd = SLIP_TRY(OpenSocket(clients));
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBytes, sizeof(kReceiveBytes));
  return LoadWire(std::move(fd), clients);
}

LoadWire::LoadWire(shard::OwnedFd fd, Clients clients)
    : fd_(std::move(fd)),
      codec_(MakeLoadCodec(clients)),
      out_(kLoadPackets * kBatch * kBufferBytes),
      in_(kBatch * kBufferBytes) {
  MakeTemplates({});
  for (std::size_t i = 0; i < kBatch; ++i) {
    receive_parts_[i] = {.iov_base = &in_[i * kBufferBytes], .iov_len = kBufferBytes};
  }
}

// REQUIRES: nothing is queued.
void LoadWire::MakeTemplates(ByteSpan server) {
  server_.assign(server.begin(), server.end());
  for (std::size_t kind = 0; kind < kLoadPackets; ++kind) {
    const MutableByteSpan places =
        MutableByteSpan(out_).subspan(kind * kBatch * kBufferBytes, kBatch * kBufferBytes);
    for (std::size_t i = 0; i < kBatch; ++i) {
      template_bytes_[kind] = codec_->Make(static_cast<LoadPacket>(kind), server,
                                           places.subspan(i * kBufferBytes, kBufferBytes));
    }
  }
}

void LoadWire::Queue(LoadPacket kind, std::uint32_t client, const IpAddress& address) {
  if (queued_ == kBatch) {
    Flush();
  }
  const auto number = static_cast<std::size_t>(kind);
  std::byte* const packet = &out_[(number * kBatch + queued_) * kBufferBytes];
  codec_->Patch(kind, packet, client, address);
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
    const ByteSpan packet = ByteSpan(in_).subspan(i * kBufferBytes, receive_[i].msg_len);
    if (codec_->Read(packet, replies_[count])) {
      ++count;
    }
  }
  if (count > 0 && !std::ranges::equal(replies_[count - 1].server, server_)) {
    Flush();
    MakeTemplates(replies_[count - 1].server);
  }
  return std::span(replies_).first(count);
}

}  // namespace slipway::bench
