// Two ends of a pair link over real sockets on loopback, and strangers at its door.
#include "dataplane/link/pair_end.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/base/posix_disk.h"
#include "dataplane/link/zmq_socket.h"
#include "tests/netns/controlplane/link/tcp.h"

namespace slipway::link {
namespace {

using region_link::test::TcpSocket;

constexpr std::size_t kBytesMax = 1'000;

// Waits for what other threads make true: patience is bounded, not the pace.
bool Eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// A shard's mailboxes.
class Traffic final : public PairTraffic {
 public:
  Traffic() : fd_(eventfd(0, EFD_NONBLOCK)) {}

  ~Traffic() override { (void)close(fd_); }

  void Send(std::string text) {
    {
      const std::lock_guard lock(mutex_);
      out_.push_back(std::move(text));
    }
    const std::uint64_t one = 1;
    (void)!write(fd_, &one, sizeof(one));
  }

  [[nodiscard]] int outgoing_fd() const override { return fd_; }

  void TakeOutgoing(MessageOutput& out) override {
    std::uint64_t count = 0;
    (void)!read(fd_, &count, sizeof(count));
    const std::lock_guard lock(mutex_);
    for (; !out_.empty(); out_.pop_front()) {
      (void)out.Send(std::as_bytes(std::span(out_.front().data(), out_.front().size())));
    }
  }

  [[nodiscard]] bool OnMessage(ByteSpan message) override {
    const std::lock_guard lock(mutex_);
    if (refuse > 0) {
      --refuse;
      return false;
    }
    in_.emplace_back(AsText(message));
    return true;
  }

  void OnDown() override {
    const std::lock_guard lock(mutex_);
    ++downs_;
  }

  [[nodiscard]] std::vector<std::string> in() {
    const std::lock_guard lock(mutex_);
    return in_;
  }

  [[nodiscard]] int downs() {
    const std::lock_guard lock(mutex_);
    return downs_;
  }

  int refuse = 0;  // before the ends start

 private:
  const int fd_;
  std::mutex mutex_;
  std::deque<std::string> out_;
  std::vector<std::string> in_;
  int downs_ = 0;
};

// A port that nobody has at the moment.
std::string FreeEndpoint() {
  return "tcp://127.0.0.1:" + std::to_string(TcpSocket::Listen().port());
}

struct Side {
  explicit Side(const KeyPair& own)
      : key(own),
        end(std::make_unique<PairEnd>(PairEnd::Options{.key = own, .message_bytes_max = kBytesMax},
                                      &traffic, &clock, nullptr)) {
    EXPECT_TRUE(end->Start().has_value());
  }

  [[nodiscard]] bool up() const { return end->counters().up.value() == 1; }

  KeyPair key;
  PosixClock clock;
  Traffic traffic;
  std::unique_ptr<PairEnd> end;
};

class PairEndTest : public testing::Test {
 protected:
  void Join() {
    a.end->SetPeer(PairPeer{.listens = true, .endpoint = endpoint, .key = b.key.public_key});
    b.end->SetPeer(PairPeer{.listens = false, .endpoint = endpoint, .key = a.key.public_key});
  }

  // The connecting side speaks first: until then the listener does not know it is there.
  void Meet() {
    ASSERT_TRUE(Eventually([&] {
      b.traffic.Send("hello");
      return a.up() && b.up();
    }));
  }

  static std::size_t Count(Traffic& traffic, std::string_view text) {
    std::size_t count = 0;
    for (const std::string& one : traffic.in()) {
      count += one == text ? 1U : 0U;
    }
    return count;
  }

  const std::string endpoint = FreeEndpoint();
  Side a{KeyPair::Generate()};
  Side b{KeyPair::Generate()};
};

TEST_F(PairEndTest, CarriesMessagesBothWaysInOrder) {
  a.traffic.refuse = 3;  // The shard has no room at times: nothing is lost by that.
  Join();
  Meet();
  for (int i = 0; i < 100; ++i) {
    a.traffic.Send("a" + std::to_string(i));
    b.traffic.Send("b" + std::to_string(i));
  }
  EXPECT_TRUE(Eventually([&] { return Count(a.traffic, "b99") == 1; }));
  EXPECT_TRUE(Eventually([&] { return Count(b.traffic, "a99") == 1; }));
  std::vector<std::string> wanted;
  for (int i = 0; i < 100; ++i) {
    wanted.push_back("a" + std::to_string(i));
  }
  EXPECT_EQ(b.traffic.in(), wanted);
}

TEST_F(PairEndTest, BothHearWhenTheConnectionIsGoneAndMeetAgain) {
  Join();
  Meet();
  b.end->SetPeer(std::nullopt);
  EXPECT_TRUE(Eventually([&] { return a.traffic.downs() > 0 && b.traffic.downs() > 0; }));
  EXPECT_FALSE(b.up());
  Join();
  Meet();
  const int downs = b.traffic.downs();
  a.end->SetPeer(std::nullopt);
  EXPECT_TRUE(Eventually([&] { return b.traffic.downs() > downs; }));
  Join();
  Meet();
}

TEST_F(PairEndTest, StrangersAreCountedAndReachNobody) {
  Join();
  Side stranger(KeyPair::Generate());
  stranger.end->SetPeer(PairPeer{.listens = false, .endpoint = endpoint, .key = a.key.public_key});
  EXPECT_TRUE(Eventually([&] {
    stranger.traffic.Send("let me in");
    return a.end->counters().unknown_key.value() > 0;
  }));
  EXPECT_FALSE(stranger.up());
  // Without CURVE at all.
  {
    ZmqContext context;
    ZmqSocket plain(context.get(), ZMQ_DEALER);
    EXPECT_TRUE(plain.SetInt(ZMQ_LINGER, 0));
    ASSERT_EQ(zmq_connect(plain.get(), endpoint.c_str()), 0);
    const std::uint64_t before = a.end->counters().handshakes_failed.value();
    (void)plain.Send(std::string_view("let me in"), false);
    EXPECT_TRUE(Eventually([&] { return a.end->counters().handshakes_failed.value() > before; }));
  }
  // And garbage.
  const TcpSocket raw = TcpSocket::Connect(region_link::test::PortOf(endpoint));
  raw.Send(std::string(4'096, 'x'));
  Meet();
  b.traffic.Send("from the partner");
  EXPECT_TRUE(Eventually([&] { return Count(a.traffic, "from the partner") == 1; }));
  EXPECT_EQ(Count(a.traffic, "let me in"), 0U);
}

TEST_F(PairEndTest, WrongPartnerIsNotSpokenTo) {
  const KeyPair other = KeyPair::Generate();
  a.end->SetPeer(PairPeer{.listens = true, .endpoint = endpoint, .key = b.key.public_key});
  // B is told of another key than the one that listens there.
  b.end->SetPeer(PairPeer{.listens = false, .endpoint = endpoint, .key = other.public_key});
  EXPECT_TRUE(Eventually([&] {
    return b.end->counters().handshakes_failed.value() +
               a.end->counters().handshakes_failed.value() >
           0;
  }));
  EXPECT_FALSE(a.up());
  EXPECT_FALSE(b.up());
}

TEST_F(PairEndTest, MessageThatIsTooLargeIsCountedAndDropped) {
  Join();
  Meet();
  b.traffic.Send(std::string(kBytesMax + 1, 'x'));
  b.traffic.Send(std::string(kBytesMax, 'y'));
  EXPECT_TRUE(Eventually([&] { return Count(a.traffic, std::string(kBytesMax, 'y')) == 1; }));
  EXPECT_EQ(a.end->counters().malformed.value(), 1U);
  EXPECT_EQ(a.traffic.downs(), 0);
  // Far beyond what is allowed the connection ends, and a new one follows.
  b.traffic.Send(std::string(3 * kBytesMax, 'z'));
  EXPECT_TRUE(Eventually([&] { return a.traffic.downs() > 0; }));
  Meet();
}

TEST_F(PairEndTest, WhatCannotBeSentIsCounted) {
  b.end->SetPeer(PairPeer{.listens = false, .endpoint = endpoint, .key = a.key.public_key});
  b.traffic.Send("nobody is there");
  EXPECT_TRUE(Eventually([&] { return b.end->counters().not_sent.value() == 1; }));
}

}  // namespace
}  // namespace slipway::link
