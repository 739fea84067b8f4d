// ZAP 1.0 (ZeroMQ RFC 27): libzmq's question of who may finish a CURVE handshake, and the socket by
// which it asks. The decision is the owner's.
//
//   version | request id | domain | address | routing id | mechanism | credentials: the public key
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/link/keys.h"
#include "dataplane/link/zmq_socket.h"

namespace slipway::link {

inline constexpr std::string_view kZapAddress = "inproc://zeromq.zap.01";
inline constexpr std::size_t kZapFramesMax = 16;

enum class ZapVerdict : std::uint8_t {
  kKey,
  kMechanism,  // not CURVE
  kMalformed,  // not of this domain, or no key
  kNotZap,     // nothing can be answered
};

struct ZapRequest {
  ZapVerdict verdict = ZapVerdict::kNotZap;
  std::string id;
  PublicKey key;  // that the peer has proved to own
};

[[nodiscard]] ZapRequest ReadZapRequest(const std::vector<std::string>& frames,
                                        std::string_view domain);

// The frames of the reply. `user_id` is what each message of the connection carries then; empty: it
// is denied.
[[nodiscard]] std::vector<std::string> ZapReply(const ZapRequest& request,
                                                std::string_view user_id);

class ZapSocket {
 public:
  // Before the first socket that asks is bound: without a handler libzmq admits everybody.
  [[nodiscard]] bool Open(void* context);

  void Close() noexcept { socket_.Close(); }

  [[nodiscard]] void* get() const noexcept { return socket_.get(); }

  // answer(frames) gives the frames of the reply, none to give none; it is asked with no frames
  // about what is no request.
  template <typename Answer>
  void Serve(std::size_t requests_max, Answer answer) {
    std::string requester;
    std::vector<std::string> frames;
    for (std::size_t i = 0; i < requests_max && Take(requester, frames); ++i) {
      Give(requester, answer(std::as_const(frames)));
    }
  }

 private:
  [[nodiscard]] bool Take(std::string& requester, std::vector<std::string>& frames);
  void Give(const std::string& requester, const std::vector<std::string>& frames);

  ZmqSocket socket_;
};

}  // namespace slipway::link
