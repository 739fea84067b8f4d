// ZeroMQ's C interface as owning values with Results. For the two ends of the link only.
#pragma once

#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/base/time.h"
#include "dataplane/link/limits.h"

namespace slipway::link {

// On the wire a message is a little longer than inside CURVE's boxes.
inline constexpr std::int64_t kWireBytesMax = static_cast<std::int64_t>(kMessageBytesMax) + 1'024;
inline constexpr int kSendQueueMessages = 512;  // data in flight plus control messages
inline constexpr int kReceiveQueueMessages = 64;
inline constexpr int kLingerMs = 200;  // for the last words of a connection
static_assert(kSendQueueMessages > static_cast<int>(kDataMessagesInFlightMax));

class ZmqContext {
 public:
  ZmqContext() : context_(zmq_ctx_new()) {}

  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;

  // Waits for the sockets' linger. REQUIRES: all sockets closed.
  ~ZmqContext() {
    while (context_ != nullptr && zmq_ctx_term(context_) != 0 && errno == EINTR) {
    }
  }

  [[nodiscard]] void* get() const noexcept { return context_; }

 private:
  void* context_;
};

class ZmqMessage {
 public:
  ZmqMessage() noexcept { (void)zmq_msg_init(&message_); }

  ZmqMessage(const ZmqMessage&) = delete;
  ZmqMessage& operator=(const ZmqMessage&) = delete;

  ~ZmqMessage() { (void)zmq_msg_close(&message_); }

  [[nodiscard]] zmq_msg_t* get() noexcept { return &message_; }

  [[nodiscard]] ByteSpan bytes() noexcept {
    return {static_cast<const std::byte*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
  }

  [[nodiscard]] std::string_view text() noexcept {
    return {static_cast<const char*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
  }

  [[nodiscard]] bool more() noexcept { return zmq_msg_more(&message_) != 0; }

  // Property of the connection that it came by ("User-Id"); empty if there is none.
  [[nodiscard]] std::string_view Property(const char* name) noexcept {
    const char* value = zmq_msg_gets(&message_, name);
    return value == nullptr ? std::string_view{} : std::string_view(value);
  }

  // The connection's socket, or -1.
  [[nodiscard]] int source_fd() noexcept { return zmq_msg_get(&message_, ZMQ_SRCFD); }

 private:
  zmq_msg_t message_;
};

class ZmqSocket {
 public:
  ZmqSocket() = default;

  ZmqSocket(void* context, int type) : socket_(zmq_socket(context, type)) {}

  ZmqSocket(ZmqSocket&& other) noexcept : socket_(std::exchange(other.socket_, nullptr)) {}

  ZmqSocket& operator=(ZmqSocket&& other) noexcept {
    std::swap(socket_, other.socket_);
    return *this;
  }

  ~ZmqSocket() { Close(); }

  void Close() noexcept {
    if (socket_ != nullptr) {
      (void)zmq_close(std::exchange(socket_, nullptr));
    }
  }

  [[nodiscard]] bool is_open() const noexcept { return socket_ != nullptr; }

  [[nodiscard]] void* get() const noexcept { return socket_; }

  // False: the option was refused. Options are given in one row and looked at once.
  [[nodiscard]] bool SetInt(int option, int value) noexcept {
    return zmq_setsockopt(socket_, option, &value, sizeof(value)) == 0;
  }

  [[nodiscard]] bool SetInt64(int option, std::int64_t value) noexcept {
    return zmq_setsockopt(socket_, option, &value, sizeof(value)) == 0;
  }

  [[nodiscard]] bool SetBytes(int option, const void* data, std::size_t size) noexcept {
    return zmq_setsockopt(socket_, option, data, size) == 0;
  }

  // What every socket of the link has, set before bind or connect.
  [[nodiscard]] bool SetLinkOptions(int handshake_ms) noexcept {
    return SetInt64(ZMQ_MAXMSGSIZE, kWireBytesMax) && SetInt(ZMQ_SNDHWM, kSendQueueMessages) &&
           SetInt(ZMQ_RCVHWM, kReceiveQueueMessages) && SetInt(ZMQ_LINGER, kLingerMs) &&
           SetInt(ZMQ_HANDSHAKE_IVL, handshake_ms) && SetInt(ZMQ_IPV6, 1);
  }

  // True if a part was received; never waits.
  [[nodiscard]] bool Receive(ZmqMessage& message) noexcept {
    return zmq_msg_recv(message.get(), socket_, ZMQ_DONTWAIT) >= 0;
  }

  // Never waits. False: queue full or peer gone.
  [[nodiscard]] bool Send(ByteSpan bytes, bool more = false) noexcept {
    const int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
    return zmq_send(socket_, bytes.data(), bytes.size(), flags) >= 0;
  }

  [[nodiscard]] bool Send(std::string_view text, bool more) noexcept {
    return Send(std::as_bytes(std::span(text.data(), text.size())), more);
  }

  // Drops what is left of a message.
  void SkipRest(ZmqMessage& message) noexcept {
    while (message.more() && Receive(message)) {
    }
  }

 private:
  void* socket_ = nullptr;
};

// Follows the life of a socket's connections.
//
// libzmq's own thread sends the events, waits as long as they cannot be sent, and holds a lock
// meanwhile that the socket's owner needs to stop them. So the events must never wait: their queue
// has no limit (they are few: one end reads them all in each turn), and they are stopped before
// their reader goes away.
class ZmqMonitor {
 public:
  struct Event {
    int id = 0;     // ZMQ_EVENT_*
    int value = 0;  // the connection's fd, or an errno
  };

  // Starts to follow `socket`. `name` is unique in the context.
  [[nodiscard]] bool Open(void* context, const ZmqSocket& socket, const std::string& name,
                          int events) {
    const std::string address = "inproc://" + name;
    if (zmq_socket_monitor(socket.get(), address.c_str(), events) != 0) {
      return false;
    }
    followed_ = socket.get();
    events_ = ZmqSocket(context, ZMQ_PAIR);
    return events_.is_open() && events_.SetInt(ZMQ_LINGER, 0) && events_.SetInt(ZMQ_RCVHWM, 0) &&
           zmq_connect(events_.get(), address.c_str()) == 0;
  }

  // REQUIRES: the followed socket is still open.
  void Close() noexcept {
    if (followed_ != nullptr) {
      (void)zmq_socket_monitor(std::exchange(followed_, nullptr), nullptr, 0);
    }
    events_.Close();
  }

  [[nodiscard]] void* get() const noexcept { return events_.get(); }

  // False: no event is waiting.
  [[nodiscard]] bool Next(Event& event) noexcept {
    ZmqMessage message;
    if (!events_.is_open() || !events_.Receive(message)) {
      return false;
    }
    // libzmq: 16 bits of event and 32 of value, in host order.
    const ByteSpan bytes = message.bytes();
    if (bytes.size() >= 6) {
      event.id = LoadLittle<std::uint16_t>(bytes.data());
      event.value = static_cast<int>(LoadLittle<std::uint32_t>(bytes.data() + 2));
    }
    events_.SkipRest(message);
    return true;
  }

 private:
  void* followed_ = nullptr;
  ZmqSocket events_;
};

// Time left in whole milliseconds for zmq_poll, rounded up so that the deadline has passed on
// waking; at the most a minute.
[[nodiscard]] inline long PollMillis(Instant deadline, Instant now) {
  constexpr long kPollMaxMs = 60'000;
  if (deadline <= now) {
    return 0;
  }
  const std::int64_t ns = deadline.ns - now.ns;
  return static_cast<long>(std::min<std::int64_t>(ns / 1'000'000 + 1, kPollMaxMs));
}

}  // namespace slipway::link
