#include "dataplane/link/zap.h"

#include <span>

namespace slipway::link {
namespace {

constexpr std::string_view kVersion = "1.0";
constexpr std::size_t kRequestFramesMin = 6;
constexpr std::size_t kCredentialsFrame = 6;

}  // namespace

ZapRequest ReadZapRequest(const std::vector<std::string>& frames, std::string_view domain) {
  if (frames.size() < kRequestFramesMin || frames[0] != kVersion) {
    return {};
  }
  ZapRequest request{.verdict = ZapVerdict::kMalformed, .id = frames[1], .key = {}};
  if (frames[2] != domain) {
    return request;
  }
  if (frames[5] != "CURVE") {
    request.verdict = ZapVerdict::kMechanism;
    return request;
  }
  if (frames.size() != kCredentialsFrame + 1) {
    return request;
  }
  const std::string& credentials = frames[kCredentialsFrame];
  const Result<PublicKey> key =
      PublicKey::FromBytes(std::as_bytes(std::span(credentials.data(), credentials.size())));
  if (key) {
    request.verdict = ZapVerdict::kKey;
    request.key = *key;
  }
  return request;
}

std::vector<std::string> ZapReply(const ZapRequest& request, std::string_view user_id) {
  if (request.verdict == ZapVerdict::kNotZap) {
    return {};
  }
  const bool admitted = !user_id.empty();
  // The peer learns no more than yes or no: it has proved nothing yet.
  return {std::string(kVersion),      request.id,           admitted ? "200" : "400",
          admitted ? "OK" : "denied", std::string(user_id), ""};
}

bool ZapSocket::Open(void* context) {
  socket_ = ZmqSocket(context, ZMQ_ROUTER);
  return socket_.is_open() && socket_.SetInt(ZMQ_LINGER, 0) &&
         socket_.SetInt(ZMQ_ROUTER_MANDATORY, 1) &&
         zmq_bind(socket_.get(), std::string(kZapAddress).c_str()) == 0;
}

bool ZapSocket::Take(std::string& requester, std::vector<std::string>& frames) {
  frames.clear();
  ZmqMessage part;
  bool more = socket_.Receive(part);
  if (!more) {
    return false;
  }
  while (more) {
    if (frames.size() < kZapFramesMax) {
      frames.emplace_back(part.text());
    }
    more = part.more() && socket_.Receive(part);
  }
  // libzmq's side is a REQ: the envelope is its routing id and an empty frame.
  constexpr std::size_t kEnvelopeFrames = 2;
  if (frames.size() < kEnvelopeFrames || !frames[1].empty()) {
    frames.clear();
    return true;
  }
  requester = frames[0];
  frames.erase(frames.begin(), frames.begin() + kEnvelopeFrames);
  return true;
}

void ZapSocket::Give(const std::string& requester, const std::vector<std::string>& frames) {
  if (frames.empty()) {
    return;
  }
  bool sent = socket_.Send(requester, true) && socket_.Send(std::string_view{}, true);
  for (std::size_t i = 0; sent && i < frames.size(); ++i) {
    sent = socket_.Send(frames[i], i + 1 < frames.size());
  }
}

}  // namespace slipway::link
