#include "bench/load/dora.h"

#include <algorithm>
#include <vector>

#include "bench/load/rig.h"

namespace slipway::bench {

namespace {

constexpr std::int64_t kAgainNs = 500'000'000;
constexpr std::uint32_t kXid = 0x4000'0000;

enum class At : std::uint8_t { kIdle, kDiscovering, kRequesting, kDone };

class Loop {
 public:
  Loop(DhcpWire& wire, const DoraOptions& options)
      : wire_(wire), options_(options), clients_(options.hosts) {}

  DoraResult Run() {
    begin_ = NowNs();
    const double interval_ns = 1e9 / options_.rate;
    std::int64_t end = begin_ + options_.tail_ms * 1'000'000 +
                       static_cast<std::int64_t>(interval_ns * options_.hosts);
    while (done_ < options_.hosts && NowNs() < end) {
      const auto due = static_cast<double>(NowNs() - begin_) / interval_ns;
      for (int i = 0;
           i < 16 && result_.begun < options_.hosts && static_cast<double>(result_.begun) <= due;
           ++i) {
        Client& client = clients_[result_.begun];
        client.due_ns =
            begin_ + static_cast<std::int64_t>(interval_ns * static_cast<double>(result_.begun));
        client.at = At::kDiscovering;
        Ask(static_cast<std::uint32_t>(result_.begun++));
      }
      for (const WireReply& reply : wire_.Receive()) {
        Take(reply);
      }
      if (options_.tries > 1) {
        AskAgain();
      }
    }
    result_.seconds = static_cast<double>(last_ - begin_) * 1e-9;
    return std::move(result_);
  }

 private:
  struct Client {
    At at = At::kIdle;
    int tries = 0;
    std::int64_t due_ns = 0;
    std::int64_t asked_ns = 0;
    Ipv4Address server;
  };

  void Ask(std::uint32_t index) {
    Client& client = clients_[index];
    const std::uint32_t host = options_.first_host + index;
    const bool requests = client.at == At::kRequesting;
    const Ipv4Address requested = requests ? Rig::HostAddress(host) : Ipv4Address{};
    client.asked_ns = NowNs();
    client.tries += 1;
    (void)wire_.Send({.type = requests ? dhcp::MessageType::kRequest : dhcp::MessageType::kDiscover,
                      .xid = kXid + index,
                      .mac = Rig::HostMac(host),
                      .requested = requested,
                      .server = client.server});
  }

  // A few clients at a time: the loop must not stop for a walk over all of them.
  void AskAgain() {
    for (int i = 0; i < 64; ++i) {
      again_ = (again_ + 1) % options_.hosts;
      const Client& client = clients_[again_];
      const bool waits = client.at == At::kDiscovering || client.at == At::kRequesting;
      if (waits && client.tries < options_.tries && NowNs() - client.asked_ns > kAgainNs) {
        Ask(again_);
      }
    }
  }

  void Take(const WireReply& reply) {
    const std::uint32_t index = reply.xid - kXid;
    if (index >= options_.hosts) {
      return;
    }
    Client& client = clients_[index];
    const double ms = static_cast<double>(NowNs() - client.due_ns) * 1e-6;
    const bool right = reply.address == Rig::HostAddress(options_.first_host + index) &&
                       reply.mac == Rig::HostMac(options_.first_host + index);
    if (reply.type == dhcp::MessageType::kNak) {
      result_.naked += 1;
      return;
    }
    result_.wrong += right ? 0U : 1U;
    if (reply.type == dhcp::MessageType::kOffer && client.at == At::kDiscovering) {
      result_.offered += 1;
      result_.offer_ms.push_back(ms);
      client.at = At::kRequesting;
      client.tries = 0;
      client.server = reply.server;
      Ask(index);
    } else if (reply.type == dhcp::MessageType::kAck && client.at == At::kRequesting) {
      result_.acked += 1;
      result_.ack_ms.push_back(ms);
      client.at = At::kDone;
      last_ = NowNs();
      ++done_;
    }
  }

  DhcpWire& wire_;
  const DoraOptions options_;
  std::vector<Client> clients_;
  DoraResult result_;
  std::int64_t begin_ = 0;
  std::int64_t last_ = 0;
  std::uint32_t done_ = 0;
  std::uint32_t again_ = 0;
};

}  // namespace

DoraResult RunDora(DhcpWire& wire, const DoraOptions& options) { return Loop(wire, options).Run(); }

}  // namespace slipway::bench
