#include "dataplane/shard/socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdlib>

#include "tests/netns/dataplane/shard/driver_fixture.h"

namespace slipway::shard {

namespace {

int IntOption(const OwnedFd& fd, int level, int name) {
  int value = -1;
  socklen_t bytes = sizeof(value);
  EXPECT_EQ(::getsockopt(fd.get(), level, name, &value, &bytes), 0);
  return value;
}

TEST(SocketTest, UdpSocketsAreNonBlockingAndCloseOnExec) {
  const auto fd = OpenUdp({.bind = kLoopback});
  ASSERT_TRUE(fd);
  EXPECT_NE(::fcntl(fd->get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(LocalAddress(fd->get())->port, 0);
}

TEST(SocketTest, TakenPortIsBusy) {
  const auto first = OpenUdp({.bind = kLoopback});
  ASSERT_TRUE(first);
  const std::uint16_t port = LocalAddress(first->get())->port;
  const auto second = OpenUdp({.bind = kLoopback, .port = port});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kBusy);
}

TEST(SocketTest, ReusedPortIsSharedByThoseWhoAgree) {
  const auto first = OpenUdp({.bind = kLoopback, .reuse_port = true});
  ASSERT_TRUE(first);
  const std::uint16_t port = LocalAddress(first->get())->port;
  EXPECT_TRUE(OpenUdp({.bind = kLoopback, .port = port, .reuse_port = true}));
  EXPECT_FALSE(OpenUdp({.bind = kLoopback, .port = port}));
}

TEST(SocketTest, UnknownDeviceAndForeignAddressAreNotFound) {
  const auto device = OpenUdp({.bind = kLoopback, .device = "no-such-if"});
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().code, ErrorCode::kNotFound);
  const auto address = OpenUdp({.bind = Ipv4Address{0xC000'0263}});
  ASSERT_FALSE(address);
  EXPECT_EQ(address.error().code, ErrorCode::kNotFound);
  const auto name = OpenUdp({.bind = kLoopback, .device = "longer-than-a-name-may-be"});
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().code, ErrorCode::kOutOfRange);
}

TEST(SocketTest, ReceiveBufferIsAsLargeAsTheKernelAllows) {
  const auto plain = OpenUdp({.bind = kLoopback});
  const auto large = OpenUdp({.bind = kLoopback, .receive_buffer_bytes = 4 << 20});
  ASSERT_TRUE(plain && large);
  EXPECT_GE(IntOption(*large, SOL_SOCKET, SO_RCVBUF), IntOption(*plain, SOL_SOCKET, SO_RCVBUF));
  EXPECT_FALSE(OpenUdp({.bind = kLoopback, .receive_buffer_bytes = UINT32_MAX}));
}

TEST(SocketTest, ListenersOfBothFamiliesShareAPort) {
  const auto v4 = OpenTcpListener({.bind = Ipv4Address{}});
  ASSERT_TRUE(v4);
  EXPECT_EQ(IntOption(*v4, SOL_SOCKET, SO_ACCEPTCONN), 1);
  const std::uint16_t port = LocalAddress(v4->get())->port;
  const auto v6 = OpenTcpListener({.bind = *Ipv6Address::Parse("::"), .port = port});
  if (!v6 && v6.error().code == ErrorCode::kUnavailable) {
    SLIP_SKIP_OR_FAIL("no IPv6 here");
  }
  EXPECT_TRUE(v6);
  const auto taken = OpenTcpListener({.bind = Ipv4Address{}, .port = port});
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kBusy);
}

}  // namespace
}  // namespace slipway::shard
