// The monitor of a socket whose connection fails while it is being closed: libzmq's thread and ours
// must never wait for each other. A rack's link thread hung so under load, for ever.
#include <gtest/gtest.h>

#include <string>

#include "dataplane/base/random.h"
#include "dataplane/link/zmq_socket.h"

namespace slipway::link {
namespace {

TEST(ZmqMonitorTest, ClosingWhileTheConnectionFailsNeverWaits) {
  ZmqContext context;
  SeededRandom random(1);
  // Nobody listens there: the connection is refused.
  constexpr const char* kNobody = "tcp://127.0.0.1:9";
  for (int i = 0; i < 2'000; ++i) {
    ZmqSocket socket(context.get(), ZMQ_DEALER);
    ASSERT_TRUE(socket.is_open());
    ASSERT_TRUE(socket.SetInt(ZMQ_LINGER, 0) && socket.SetInt(ZMQ_RECONNECT_IVL, -1));
    ZmqMonitor monitor;
    ASSERT_TRUE(monitor.Open(context.get(), socket, "monitor-" + std::to_string(i),
                             ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED));
    ASSERT_EQ(zmq_connect(socket.get(), kNobody), 0);
    // Somewhere around the moment at which the refusal comes.
    ZmqMonitor::Event event;
    for (std::uint64_t left = random.Below(2'000); left > 0; --left) {
      (void)monitor.Next(event);
    }
    monitor.Close();
    socket.Close();
  }
}

}  // namespace
}  // namespace slipway::link
