#include "bench/load/load_run.h"

#include <algorithm>

namespace slipway::bench {

namespace {

// Between looks at the socket and the clients that are due it spins: a look that finds one packet
// costs as much as one that finds ten.
constexpr std::int64_t kLookNs = 20'000;

using At = LoadClient::At;
using Work = LoadOptions::Work;

class Run {
 public:
  Run(LoadWire& wire, std::vector<LoadClient>& clients, const LoadOptions& options)
      : wire_(wire), clients_(clients), options_(options), oldest_(options.first) {
    for (std::uint32_t i = options.first; i < options.first + options.count; ++i) {
      clients_[i].at = At::kIdle;
    }
    result_.ms.reserve(options.count);
  }

  LoadResult Go() {
    begin_ = NowNs();
    last_ = begin_;
    const std::int64_t stop = begin_ + options_.time_ms * 1'000'000;
    const std::int64_t lost_ns = options_.lost_ms * 1'000'000;
    std::int64_t busy_ns = 0;
    std::int64_t look = begin_;
    for (std::int64_t now = begin_; now < stop || oldest_ < next();) {
      if (now < look) {
        now = NowNs();
        continue;
      }
      bool worked = now < stop && Begin(now);
      const auto replies = wire_.Receive();
      look = now + (replies.size() == LoadWire::kBatch ? 0 : kLookNs);
      for (const LoadReply& reply : replies) {
        Take(reply, now);
      }
      wire_.Flush();
      worked = worked || !replies.empty();
      while (oldest_ < next() &&
             (clients_[oldest_].at == At::kDone || clients_[oldest_].due_ns < now - lost_ns)) {
        if (clients_[oldest_].at != At::kDone) {
          clients_[oldest_].at = At::kIdle;  // an answer now comes too late
          clients_[oldest_].address = {};    // offered, but never its own
          ended_ += 1;
        }
        ++oldest_;
      }
      const std::int64_t after = NowNs();
      busy_ns += worked ? after - now : 0;
      now = after;
      if (result_.begun == options_.count && ended_ == result_.begun) {
        break;
      }
    }
    result_.seconds = static_cast<double>(last_ - begin_) * 1e-9;
    result_.busy_us = static_cast<double>(busy_ns) * 1e-3 /
                      static_cast<double>(std::max<std::uint64_t>(result_.done, 1));
    return std::move(result_);
  }

 private:
  [[nodiscard]] std::uint32_t next() const {
    return options_.first + static_cast<std::uint32_t>(result_.begun);
  }

  // Lets some clients begin. True if any did.
  bool Begin(std::int64_t now) {
    std::uint64_t may = 0;
    if (options_.rate > 0) {
      const double due = static_cast<double>(now - begin_) * 1e-9 * options_.rate;
      may = static_cast<std::uint64_t>(std::max(0.0, due + 1 - static_cast<double>(result_.begun)));
    } else if (result_.begun - ended_ < options_.window) {
      may = options_.window - (result_.begun - ended_);
    }
    // A window is filled at once: with one as large as the number of clients that is a burst.
    may = std::min({may, options_.count - result_.begun,
                    options_.rate > 0 ? std::uint64_t{LoadWire::kBatch} : may});
    for (std::uint64_t i = 0; i < may; ++i) {
      const std::uint32_t index = next();
      LoadClient& client = clients_[index];
      client.due_ns = options_.rate > 0
                          ? begin_ + static_cast<std::int64_t>(static_cast<double>(result_.begun) *
                                                               1e9 / options_.rate)
                          : now;
      const bool renews = options_.work == Work::kRenew;
      if (renews && !client.address.is_set()) {
        client.at = At::kDone;  // lost when it asked for a lease: it has none to renew
        ++result_.begun;
        ++ended_;
        continue;
      }
      client.at = renews ? At::kRequesting : At::kDiscovering;
      wire_.Queue(renews ? LoadPacket::kRenew : LoadPacket::kDiscover, index, client.address);
      ++result_.begun;
    }
    return may > 0;
  }

  void Take(const LoadReply& reply, std::int64_t now) {
    const std::uint32_t index = reply.client;
    if (index < options_.first || index >= next()) {
      return;  // of an earlier run
    }
    LoadClient& client = clients_[index];
    if (reply.answer == LoadAnswer::kNak) {
      result_.naked += 1;
      return;
    }
    const bool mine = reply.mac == LoadMac(index) && reply.address.is_set();
    if (reply.answer == LoadAnswer::kOffer && client.at == At::kDiscovering) {
      result_.wrong += mine ? 0U : 1U;
      client.address = reply.address;
      if (options_.work == Work::kDiscover) {
        End(client, now);
        return;
      }
      client.at = At::kRequesting;
      wire_.Queue(LoadPacket::kRequest, index, client.address);
    } else if (reply.answer == LoadAnswer::kAck && client.at == At::kRequesting) {
      result_.wrong += mine && reply.address == client.address ? 0U : 1U;
      End(client, now);
    }
  }

  void End(LoadClient& client, std::int64_t now) {
    client.at = At::kDone;
    result_.done += 1;
    ended_ += 1;
    result_.ms.push_back(static_cast<double>(now - client.due_ns) * 1e-6);
    last_ = now;
  }

  LoadWire& wire_;
  std::vector<LoadClient>& clients_;
  const LoadOptions options_;
  LoadResult result_;
  std::int64_t begin_ = 0;
  std::int64_t last_ = 0;
  std::uint64_t ended_ = 0;  // done or lost
  std::uint32_t oldest_;     // the first one that has not ended
};

}  // namespace

LoadResult RunLoad(LoadWire& wire, std::vector<LoadClient>& clients, const LoadOptions& options) {
  return Run(wire, clients, options).Go();
}

}  // namespace slipway::bench
