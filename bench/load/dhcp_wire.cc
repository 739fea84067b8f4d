#include "bench/load/dhcp_wire.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "dataplane/dhcp/message.h"
#include "dataplane/net/frame.h"

namespace slipway::bench {

Result<DhcpWire> DhcpWire::Open(std::string_view interface) {
  shard::OwnedFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_IP)));
  if (!fd.valid()) {
    return FailErrno(errno);
  }
  const int on = 1;
  const int bytes = 64 << 20;
  (void)::setsockopt(fd.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
  (void)::setsockopt(fd.get(), SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
  sockaddr_ll name{};
  name.sll_family = AF_PACKET;
  name.sll_protocol = htons(ETH_P_IP);
  name.sll_ifindex = static_cast<int>(::if_nametoindex(std::string(interface).c_str()));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0) {
    return FailErrno(errno);
  }
  return DhcpWire(std::move(fd));
}

bool DhcpWire::Send(const dhcp::ClientRequest& request) {
  const MutableByteSpan body = MutableByteSpan(out_).subspan(net::kUdp4FrameHeaderBytes);
  const auto bytes = dhcp::EncodeRequest(body, request);
  if (!bytes) {
    return false;
  }
  const auto frame = net::BuildUdp4Frame(
      out_, {.mac = request.mac, .address = {}, .port = dhcp::kClientPort},
      {.mac = kBroadcastMac, .address = {0xFFFF'FFFF}, .port = dhcp::kServerPort},
      body.first(*bytes));
  return frame && ::send(fd_.get(), out_.data(), *frame, MSG_DONTWAIT) > 0;
}

std::span<const WireReply> DhcpWire::Receive() {
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> pieces{};
  for (std::size_t i = 0; i < kBatch; ++i) {
    pieces[i] = {.iov_base = &frames_[i * kFrameBytes], .iov_len = kFrameBytes};
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int got = ::recvmmsg(fd_.get(), messages.data(), kBatch, MSG_DONTWAIT, nullptr);
  std::size_t count = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(got > 0 ? got : 0); ++i) {
    const auto udp = net::ParseUdp4Frame(ByteSpan(&frames_[i * kFrameBytes], messages[i].msg_len));
    dhcp::Message message;
    if (udp && udp->destination.port == dhcp::kClientPort && dhcp::Decode(udp->payload, message) &&
        message.op == dhcp::kBootReply) {
      replies_[count++] = {.type = message.type,
                           .xid = message.xid,
                           .mac = message.mac(),
                           .address = message.yiaddr,
                           .server = message.GetAddress(dhcp::Option::kServerIdentifier)};
    }
  }
  return std::span(replies_).first(count);
}

void DhcpWire::Wait(int other_fd, std::int64_t ns) const {
  std::array<pollfd, 2> polled = {pollfd{.fd = fd_.get(), .events = POLLIN, .revents = 0},
                                  pollfd{.fd = other_fd, .events = POLLIN, .revents = 0}};
  const timespec nap{.tv_sec = 0, .tv_nsec = ns};
  (void)::ppoll(polled.data(), polled.size(), &nap, nullptr);
}

}  // namespace slipway::bench
