#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <functional>

#include "dataplane/shard/limits.h"
#include "tests/netns/dataplane/shard/driver_fixture.h"

namespace slipway::shard {

namespace {

class RecordingWatch final : public WatchHandler {
 public:
  void OnReady(WatchId watch, std::uint32_t events, Instant /*now*/) override {
    ++calls;
    last_watch = watch;
    last_events = events;
    if (then) {
      then();
    }
  }

  int calls = 0;
  WatchId last_watch = 0;
  std::uint32_t last_events = 0;
  std::function<void()> then;
};

struct Event {
  Event() : fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

  void Raise() const {
    const std::uint64_t one = 1;
    EXPECT_EQ(::write(fd.get(), &one, sizeof(one)), 8);
  }

  void Lower() const {
    std::uint64_t count = 0;
    (void)!::read(fd.get(), &count, sizeof(count));
  }

  OwnedFd fd;
};

struct Pair {
  Pair() {
    std::array<int, 2> fds{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
    left = OwnedFd(fds[0]);
    right = OwnedFd(fds[1]);
  }

  // Until the peer's buffer is full.
  void Fill() const {
    const std::array<char, 4096> block{};
    while (::write(left.get(), block.data(), block.size()) > 0) {
    }
  }

  void DrainRight() const {
    std::array<char, 4096> block{};
    while (::read(right.get(), block.data(), block.size()) > 0) {
    }
  }

  OwnedFd left;
  OwnedFd right;
};

TEST_P(DriverTest, WatchFiresWhenReadable) {
  const auto driver = MakeDriver();
  const Event event;
  RecordingWatch handler;
  const auto watch = driver->AddWatch(event.fd.get(), kReadable, &handler);
  ASSERT_TRUE(watch);
  Turns(*driver, 3);
  EXPECT_EQ(handler.calls, 0);
  event.Raise();
  ASSERT_TRUE(TurnUntil(*driver, [&] { return handler.calls > 0; }));
  EXPECT_EQ(handler.last_watch, *watch);
  EXPECT_EQ(handler.last_events, static_cast<std::uint32_t>(kReadable));
}

TEST_P(DriverTest, WatchFiresAgainUntilDrained) {
  const auto driver = MakeDriver();
  const Event event;
  RecordingWatch handler;
  ASSERT_TRUE(driver->AddWatch(event.fd.get(), kReadable, &handler));
  event.Raise();
  ASSERT_TRUE(TurnUntil(*driver, [&] { return handler.calls == 5; }));
  event.Lower();
  Turns(*driver, 2);
  const int calls = handler.calls;
  Turns(*driver, 5);
  EXPECT_EQ(handler.calls, calls);
  event.Raise();
  ASSERT_TRUE(TurnUntil(*driver, [&] { return handler.calls > calls; }));
}

TEST_P(DriverTest, WatchFiresForWhatWasReadyBefore) {
  const auto driver = MakeDriver();
  const Event event;
  event.Raise();
  RecordingWatch handler;
  ASSERT_TRUE(driver->AddWatch(event.fd.get(), kReadable, &handler));
  ASSERT_TRUE(TurnUntil(*driver, [&] { return handler.calls > 0; }));
}

TEST_P(DriverTest, ChangedWatchFollowsTheNewEvents) {
  const auto driver = MakeDriver();
  const Pair pair;
  RecordingWatch handler;
  const auto watch = driver->AddWatch(pair.left.get(), kReadable, &handler);
  ASSERT_TRUE(watch);
  Turns(*driver, 2);
  EXPECT_EQ(handler.calls, 0);
  ASSERT_TRUE(driver->ChangeWatch(*watch, kReadable | kWritable));
  ASSERT_TRUE(TurnUntil(*driver, [&] { return handler.calls > 0; }));
  EXPECT_EQ(handler.last_events, static_cast<std::uint32_t>(kWritable));
  ASSERT_TRUE(driver->ChangeWatch(*watch, kReadable));
  handler.calls = 0;
  Turns(*driver, 5);
  EXPECT_EQ(handler.calls, 0);
  ASSERT_EQ(::write(pair.right.get(), "x", 1), 1);
  ASSERT_TRUE(TurnUntil(*driver, [&] { return handler.calls > 0; }));
  EXPECT_EQ(handler.last_events, static_cast<std::uint32_t>(kReadable));
  ASSERT_TRUE(driver->ChangeWatch(*watch, 0));
  handler.calls = 0;
  Turns(*driver, 5);
  EXPECT_EQ(handler.calls, 0);
}

TEST_P(DriverTest, RemovedWatchIsSilentAndItsPlaceIsReused) {
  const auto driver = MakeDriver();
  RecordingWatch first;
  RecordingWatch second;
  for (int i = 0; i < 100; ++i) {
    Event event;
    const auto watch = driver->AddWatch(event.fd.get(), kReadable, &first);
    ASSERT_TRUE(watch);
    Turns(*driver, i % 3);
    event.Raise();
    driver->RemoveWatch(*watch);
    event.fd.Reset();
    // Most likely the same descriptor number and the same place.
    const Event other;
    const auto next = driver->AddWatch(other.fd.get(), kReadable, &second);
    ASSERT_TRUE(next);
    Turns(*driver, 2);
    driver->RemoveWatch(*next);
  }
  Turns(*driver, 3);
  EXPECT_EQ(first.calls, 0);
  EXPECT_EQ(second.calls, 0);
}

TEST_P(DriverTest, HandlerMayRemoveItselfAndOthers) {
  const auto driver = MakeDriver();
  const Event one;
  const Event two;
  RecordingWatch handler;
  const auto first = driver->AddWatch(one.fd.get(), kReadable, &handler);
  const auto second = driver->AddWatch(two.fd.get(), kReadable, &handler);
  ASSERT_TRUE(first && second);
  handler.then = [&] {
    driver->RemoveWatch(*first);
    driver->RemoveWatch(*second);
  };
  Turns(*driver, 1);
  one.Raise();
  two.Raise();
  ASSERT_TRUE(TurnUntil(*driver, [&] { return handler.calls > 0; }));
  Turns(*driver, 3);
  EXPECT_EQ(handler.calls, 1);
}

TEST_P(DriverTest, SurvivesADescriptorClosedUnderItsWatch) {
  const auto driver = MakeDriver();
  Event event;
  RecordingWatch handler;
  const auto watch = driver->AddWatch(event.fd.get(), kReadable, &handler);
  ASSERT_TRUE(watch);
  event.fd.Reset();
  Turns(*driver, 5);
  EXPECT_LE(handler.calls, 1);
  driver->RemoveWatch(*watch);
  Turns(*driver, 2);
  EXPECT_LE(handler.calls, 1);
}

TEST_P(DriverTest, ReportsAHangupUnasked) {
  const auto driver = MakeDriver();
  Pair pair;
  RecordingWatch handler;
  ASSERT_TRUE(driver->AddWatch(pair.left.get(), kReadable, &handler));
  Turns(*driver, 1);
  pair.right.Reset();
  ASSERT_TRUE(TurnUntil(*driver, [&] { return handler.calls > 0; }));
  EXPECT_NE(handler.last_events & kHangup, 0U);
}

// A ring's poll reports a half-closed peer whether asked or not: waiting for room to write must not
// become a busy loop, and the room must still be seen when it comes.
TEST_P(DriverTest, HalfClosedPeerDoesNotMakeItSpin) {
  const auto driver = MakeDriver();
  const Pair pair;
  pair.Fill();
  RecordingWatch handler;
  ASSERT_TRUE(driver->AddWatch(pair.left.get(), kWritable, &handler));
  ASSERT_EQ(::shutdown(pair.right.get(), SHUT_WR), 0);
  const std::uint64_t turns = driver->counters().turns.value();
  const Instant end = clock.Now() + Duration::Millis(100);
  while (clock.Now() < end) {
    ASSERT_TRUE(driver->Turn(end));
  }
  EXPECT_LT(driver->counters().turns.value() - turns, 10U);
  EXPECT_EQ(handler.calls, 0);
  pair.DrainRight();
  ASSERT_TRUE(TurnUntil(*driver, [&] { return handler.calls >= 3; })) << "readiness is a level";
  pair.Fill();
  Turns(*driver, 2);
  handler.calls = 0;
  Turns(*driver, 5);
  EXPECT_EQ(handler.calls, 0);
  pair.DrainRight();
  ASSERT_TRUE(TurnUntil(*driver, [&] { return handler.calls > 0; }));
}

TEST_P(DriverTest, ManyWatchesFireTogether) {
  const auto driver = MakeDriver();
  const Event event;
  RecordingWatch handler;
  std::vector<OwnedFd> copies;
  std::vector<WatchId> watches;
  for (std::uint32_t i = 0; i < 500; ++i) {
    copies.emplace_back(::fcntl(event.fd.get(), F_DUPFD_CLOEXEC, 0));
    const auto watch = driver->AddWatch(copies.back().get(), kReadable, &handler);
    ASSERT_TRUE(watch);
    watches.push_back(*watch);
  }
  Turns(*driver, 1);
  event.Raise();
  ASSERT_TRUE(TurnUntil(*driver, [&] { return handler.calls >= 1000; }));
  for (const WatchId watch : watches) {
    driver->RemoveWatch(watch);
  }
  const int calls = handler.calls;
  Turns(*driver, 3);
  EXPECT_EQ(handler.calls, calls);
}

}  // namespace
}  // namespace slipway::shard
