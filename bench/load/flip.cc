// slipway-bench flip: a server that turns each request into an answer where it lies and knows
// nothing else. What it costs is the kernel's; the rate it is asked at is the generator's ceiling.
#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "bench/load/commands.h"
#include "bench/load/rig.h"
#include "dataplane/base/cursor.h"
#include "dataplane/dhcp/message.h"
#include "dataplane/shard/socket.h"

namespace slipway::bench {

namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kBytes = 1536;
constexpr std::size_t kTypeAt = dhcp::kHeaderBytes + 2;
constexpr std::uint32_t kFirstAddress = 0x0A41'0000;  // 10.65.0.0

void Flip(std::byte* message) {
  message[0] = std::byte{dhcp::kBootReply};
  StoreBig(message + 16, kFirstAddress + LoadBig<std::uint32_t>(message + 4));
  const bool discovers =
      static_cast<dhcp::MessageType>(message[kTypeAt]) == dhcp::MessageType::kDiscover;
  message[kTypeAt] =
      static_cast<std::byte>(discovers ? dhcp::MessageType::kOffer : dhcp::MessageType::kAck);
}

int RunFlip() {
  auto socket = shard::OpenUdp(
      {.bind = kRackAddress, .port = dhcp::kServerPort, .receive_buffer_bytes = 32 << 20});
  if (!socket) {
    return kExitUnable;
  }
  const int fd = socket->get();
  (void)::fcntl(fd, F_SETFL, 0);  // it may wait
  std::vector<std::byte> bytes(kBatch * kBytes);
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> parts{};
  std::array<sockaddr_in, kBatch> names{};
  while (true) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      parts[i] = {.iov_base = &bytes[i * kBytes], .iov_len = kBytes};
      messages[i].msg_hdr = {};
      messages[i].msg_hdr.msg_name = &names[i];
      messages[i].msg_hdr.msg_namelen = sizeof(names[i]);
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    const int got = ::recvmmsg(fd, messages.data(), kBatch, MSG_WAITFORONE, nullptr);
    unsigned count = 0;
    for (int i = 0; i < got; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (messages[at].msg_len > kTypeAt) {
        Flip(&bytes[at * kBytes]);
        parts[at].iov_len = messages[at].msg_len;
        messages[count++].msg_hdr = messages[at].msg_hdr;
      }
    }
    if (got < 0 || ::sendmmsg(fd, messages.data(), count, 0) < 0) {
      return kExitUnable;
    }
  }
}

}  // namespace

void AddFlipCommand(CLI::App& program, int& status) {
  CLI::App* const command =
      program.add_subcommand("flip", "The barest server there is, for `dhcp --server flip`");
  const auto directory = std::make_shared<std::string>();
  command->add_option("directory", *directory, "Taken as from every server, and not used");
  command->callback([directory, &status] { status = RunFlip(); });
}

}  // namespace slipway::bench
