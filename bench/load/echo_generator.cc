#include "bench/load/echo_generator.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "dataplane/base/cursor.h"

namespace slipway::bench {

namespace {

std::int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Result<EchoGenerator> EchoGenerator::Create(const shard::LocalEnd& server,
                                            const GeneratorOptions& options) {
  if (options.window == 0 || options.window > kWindowMax || options.payload_bytes < 8 ||
      options.payload_bytes > 1472) {
    return Fail(ErrorCode::kOutOfRange, options.window);
  }
  shard::OwnedFd fd = SLIP_TRY(
      shard::OpenUdp({.bind = Ipv4Address{0x7F00'0001}, .receive_buffer_bytes = 32 << 20}));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(server.port);
  name.sin_addr.s_addr = htonl(server.address.v4().value);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&name), sizeof(name)) != 0) {
    return FailErrno(errno);
  }
  return EchoGenerator(std::move(fd), options);
}

EchoGenerator::EchoGenerator(shard::OwnedFd fd, const GeneratorOptions& options)
    : fd_(std::move(fd)), options_(options), buffers_(kBatch * options.payload_bytes) {}

void EchoGenerator::Run(Duration time) {
  const std::int64_t end = NowNs() + time.ns;
  while (NowNs() < end) {
    SendBatch();
    while (ReceiveBatch() == kBatch) {
    }
  }
}

void EchoGenerator::Drain(Duration quiet) {
  std::int64_t last = NowNs();
  while (counts_.received < counts_.sent && NowNs() - last < quiet.ns) {
    if (ReceiveBatch() > 0) {
      last = NowNs();
    }
  }
}

void EchoGenerator::SendBatch() {
  const std::uint64_t under_way = counts_.sent - counts_.received;
  const std::uint64_t count = under_way < options_.window
                                  ? std::min<std::uint64_t>(options_.window - under_way, kBatch)
                                  : 0;
  if (count == 0) {
    return;
  }
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> vectors{};
  for (std::size_t i = 0; i < count; ++i) {
    std::byte* const data = buffers_.data() + i * options_.payload_bytes;
    StoreLittle(data, counts_.sent + i);
    vectors[i] = {.iov_base = data, .iov_len = options_.payload_bytes};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int sent =
      ::sendmmsg(fd_.get(), messages.data(), static_cast<unsigned>(count), MSG_DONTWAIT);
  counts_.sent += sent > 0 ? static_cast<std::uint64_t>(sent) : 0;
}

std::size_t EchoGenerator::ReceiveBatch() {
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> vectors{};
  for (std::size_t i = 0; i < kBatch; ++i) {
    vectors[i] = {.iov_base = buffers_.data() + i * options_.payload_bytes,
                  .iov_len = options_.payload_bytes};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int got = ::recvmmsg(fd_.get(), messages.data(), kBatch, MSG_DONTWAIT, nullptr);
  if (got <= 0) {
    return 0;
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
    // One flow over one socket stays in order: the n-th answer echoes the n-th datagram, unless
    // some were lost, which shows as answers that run ahead.
    const auto sequence = LoadLittle<std::uint64_t>(buffers_.data() + i * options_.payload_bytes);
    const bool ahead = sequence >= counts_.received && sequence < counts_.sent;
    counts_.wrong += ahead && messages[i].msg_len == options_.payload_bytes ? 0U : 1U;
    ++counts_.received;
  }
  return static_cast<std::size_t>(got);
}

}  // namespace slipway::bench
