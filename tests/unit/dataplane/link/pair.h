// Both cores joined in memory under virtual time, with a transport that may do anything to what it
// carries. One seed gives one run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/link/rack_core.h"
#include "dataplane/link/region_core.h"
#include "tests/unit/dataplane/link/fakes.h"

namespace slipway::link::test {

inline constexpr RackId kTestRack = 5;
inline constexpr TokenId kTestToken = 9;

// One rack and one token, both good until told otherwise.
class FakeDirectory final : public RackDirectory {
 public:
  PeerStatus StatusOfKey(const PublicKey& key, WallTime now) override {
    (void)now;
    return key == rack_key ? StatusOfRack(kTestRack) : PeerStatus{};
  }

  PeerStatus StatusOfRack(RackId rack) override {
    if (rack != kTestRack) {
      return {};
    }
    return {.kind = revoked ? PeerKind::kRevoked : PeerKind::kRack, .id = rack};
  }

  PeerStatus StatusOfToken(TokenId token, WallTime now) override {
    (void)now;
    return {.kind = token_used ? PeerKind::kTokenUsed : PeerKind::kToken, .id = token};
  }

  void EnrolRack(TokenId token, std::string_view name, const PublicKey& key, WallTime now,
                 EnrolDone done) override {
    (void)token;
    (void)name;
    (void)now;
    ++enrolments;
    rack_key = key;
    token_used = true;
    done(kTestRack);
  }

  void AddToken(const TokenRecord& token, StoreDone done) override {
    (void)token;
    done({});
  }

  PublicKey rack_key;
  bool revoked = false;
  bool token_used = false;
  int enrolments = 0;
};

// Chances per message, in thousandths.
struct Faults {
  std::uint64_t cut = 0;       // the connection ends, seen by both
  std::uint64_t cut_mute = 0;  // it ends and nobody is told
  std::uint64_t duplicate = 0;
  std::uint64_t reorder = 0;
  std::uint64_t truncate = 0;
  std::uint64_t flip = 0;
  std::uint64_t oversize = 0;
  std::uint64_t replay_old = 0;  // a message of an earlier connection comes again
};

class Pair final : public RackTransport {
 public:
  explicit Pair(std::uint64_t seed, bool enrolled = true)
      : random(seed),
        link({.name = "rack-a",
              .software = "test 1",
              .boot_id = 3,
              .public_key = PublicKey{.bytes = {std::byte{1}}},
              .endpoint_count = 2,
              .enrolled = enrolled,
              .has_token = !enrolled},
             *this, rack_events, sink, source, random) {
    if (enrolled) {
      directory.rack_key = PublicKey{.bytes = {std::byte{1}}};
    }
  }

  ~Pair() override = default;
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  // ---- RackTransport ----
  void Connect(std::size_t endpoint, bool with_token) override {
    (void)endpoint;
    Close();
    connection_ = ++connections;
    connected_ = true;
    token_connection_ = with_token;
  }

  [[nodiscard]] bool Send(ByteSpan message) override {
    if (connected_) {
      Carry(true, connection_, message);
    }
    return true;
  }

  void Close() override { connected_ = false; }

  // ---- time ----
  // Runs until `end`, calling `each` after every event.
  void RunUntil(Instant end, const std::function<void()>& each = {}) {
    while (true) {
      const Instant next = std::max(now, NextEvent());
      if (next > end) {
        now = end;
        return;
      }
      now = next;
      RunEvent();
      if (each) {
        each();
      }
    }
  }

  void RunFor(Duration duration, const std::function<void()>& each = {}) {
    RunUntil(now + duration, each);
  }

  void Publish(Records records) {
    snapshots.Publish(std::move(records));
    ForEachSession([&](RegionSession& session) { session.OnPublished(now); });
  }

  void Append(FactClass fact_class, std::string record) {
    source.Append(fact_class, std::move(record));
    link.OnFactsReady(now);
  }

  void ForEachSession(const std::function<void(RegionSession&)>& visit) {
    for (auto& [id, host] : hosts_) {
      visit(*host->session);
    }
  }

  // A message, as if it came from the rack on its connection now.
  void Inject(ByteSpan message) { DeliverToRegion(connection_, message); }

  // The region's process is gone (and comes again): its sessions are lost without a word.
  void KillRegion() {
    hosts_.clear();
    region_up = false;
  }

  void StartRegion() { region_up = true; }

  [[nodiscard]] RegionSession* session() {
    const auto found = hosts_.find(connection_);
    return found == hosts_.end() ? nullptr : found->second->session.get();
  }

  SeededRandom random;
  Instant now = Instant{} + Duration::Seconds(100);
  Faults faults;
  Duration latency = Duration::Millis(1);
  FakeDirectory directory;
  FakeSnapshotSink sink;
  FakeFactSource source;
  FakeRackObserver rack_events;
  FakeSnapshotSource snapshots;
  FakeFactSink facts;
  FakeRackEvents region_events;
  LinkCounters region_counters;
  bool region_up = true;
  std::uint64_t connections = 0;
  std::uint64_t faults_done = 0;
  std::vector<std::string> sent_by_rack;  // the last messages, for replays
  std::vector<std::string> sent_by_region;
  RackLink link;

 private:
  class Host final : public RegionSessionHost {
   public:
    Host(Pair& pair, std::uint64_t connection) : pair_(pair), connection_(connection) {}

    [[nodiscard]] bool Send(ByteSpan message) override {
      pair_.Carry(false, connection_, message);
      return true;
    }

    [[nodiscard]] CommitDone MakeCommitDone(FactClass fact_class, std::uint64_t bytes) override {
      return [this, &pair = pair_, id = connection_, fact_class, bytes](Result<FactCursor> cursor) {
        pair.Later(Duration::Micros(500), [=, &pair] {
          if (Host* host = pair.FindHost(id)) {
            host->session->OnFactsCommitted(fact_class, bytes, cursor, pair.now);
          }
        });
      };
    }

    [[nodiscard]] EnrolDone MakeEnrolDone() override {
      return [&pair = pair_, id = connection_](Result<RackId> rack) {
        pair.Later(Duration::Micros(500), [=, &pair] {
          if (Host* host = pair.FindHost(id)) {
            host->session->OnRackEnrolled(rack, pair.now);
          }
        });
      };
    }

    void OnEstablished(RackId rack) override {
      (void)rack;
      for (auto& [id, host] : pair_.hosts_) {
        if (id != connection_) {
          host->session->Close("a newer connection");
        }
      }
    }

    std::unique_ptr<RegionSession> session;

   private:
    Pair& pair_;
    const std::uint64_t connection_;
  };

  struct Flight {
    Instant at;
    bool to_region = false;
    std::uint64_t connection = 0;
    std::string message;
  };

  [[nodiscard]] bool Chance(std::uint64_t thousandths) {
    if (thousandths == 0 || random.Below(1000) >= thousandths) {
      return false;
    }
    ++faults_done;
    return true;
  }

  void Later(Duration delay, std::function<void()> what) {
    later_.push_back({now + delay, std::move(what)});
  }

  [[nodiscard]] Host* FindHost(std::uint64_t connection) {
    const auto found = hosts_.find(connection);
    return found == hosts_.end() ? nullptr : found->second.get();
  }

  void Carry(bool to_region, std::uint64_t connection, ByteSpan bytes) {
    std::string message = AsText(bytes);
    auto& sent = to_region ? sent_by_rack : sent_by_region;
    sent.push_back(message);
    if (sent.size() > 64) {
      sent.erase(sent.begin());
    }
    if (muted_ == connection || Chance(faults.cut_mute)) {
      muted_ = connection;
      return;
    }
    if (Chance(faults.cut)) {
      muted_ = connection;
      Later(latency, [this, connection] {
        hosts_.erase(connection);
        if (connected_ && connection_ == connection) {
          link.OnClosed("connection lost", now);
        }
      });
      return;
    }
    if (Chance(faults.truncate)) {
      message.resize(random.Below(message.size()));
    } else if (Chance(faults.flip)) {
      const std::size_t at = random.Below(message.size());
      message[at] = static_cast<char>(message[at] ^ static_cast<char>(1U << random.Below(8)));
    } else if (Chance(faults.oversize)) {
      message.resize(kMessageBytesMax + 1 + random.Below(1000));
    }
    Duration delay = latency;
    if (Chance(faults.reorder)) {
      delay = delay + Duration::Millis(static_cast<std::int64_t>(random.Below(20)));
    }
    if (Chance(faults.duplicate)) {
      flights_.push_back(
          {now + delay + Duration::Millis(static_cast<std::int64_t>(random.Below(9))), to_region,
           connection, message});
    }
    if (to_region && Chance(faults.replay_old)) {
      flights_.push_back(
          {now + delay, true, connection, sent_by_rack[random.Below(sent_by_rack.size())]});
    }
    flights_.push_back({now + delay, to_region, connection, std::move(message)});
  }

  [[nodiscard]] Instant NextEvent() {
    Instant next = link.NextDeadline();
    for (const Flight& flight : flights_) {
      next = std::min(next, flight.at);
    }
    for (const auto& [at, what] : later_) {
      next = std::min(next, at);
    }
    for (const auto& [id, host] : hosts_) {
      next = std::min(next, host->session->NextDeadline());
    }
    return next;
  }

  // One event of those that are due, in a fixed order.
  void RunEvent() {
    for (auto it = later_.begin(); it != later_.end(); ++it) {
      if (it->first <= now) {
        const auto what = std::move(it->second);
        later_.erase(it);
        what();
        return;
      }
    }
    for (auto it = flights_.begin(); it != flights_.end(); ++it) {
      if (it->at <= now) {
        const Flight flight = std::move(*it);
        flights_.erase(it);
        Deliver(flight);
        return;
      }
    }
    if (link.NextDeadline() <= now) {
      link.OnTimer(now);
      return;
    }
    for (auto it = hosts_.begin(); it != hosts_.end(); ++it) {
      if (it->second->session->NextDeadline() <= now) {
        it->second->session->OnTimer(now);
        return;
      }
    }
  }

  void Deliver(const Flight& flight) {
    const ByteSpan bytes = AsBytes(flight.message);
    if (flight.to_region) {
      DeliverToRegion(flight.connection, bytes);
    } else if (connected_ && flight.connection == connection_) {
      link.OnMessage(bytes, now);
    }
  }

  void DeliverToRegion(std::uint64_t connection, ByteSpan message) {
    if (!region_up) {
      return;
    }
    Host* host = FindHost(connection);
    if (host == nullptr) {
      auto made = std::make_unique<Host>(*this, connection);
      const bool token = token_connection_ && connection == connection_;
      made->session = std::make_unique<RegionSession>(
          token ? PeerStatus{.kind = PeerKind::kToken, .id = kTestToken}
                : PeerStatus{.kind = PeerKind::kRack, .id = kTestRack},
          RegionServices{.directory = &directory,
                         .observer = &region_events,
                         .snapshots = &snapshots,
                         .facts = &facts,
                         .random = &random,
                         .counters = &region_counters,
                         .epoch = 1},
          *made, now);
      host = made.get();
      hosts_.emplace(connection, std::move(made));
    }
    host->session->OnMessage(message, WallTime{}, now);
  }

  std::uint64_t connection_ = 0;
  std::uint64_t muted_ = 0;
  bool connected_ = false;
  bool token_connection_ = false;
  std::map<std::uint64_t, std::unique_ptr<Host>> hosts_;
  std::list<Flight> flights_;
  std::list<std::pair<Instant, std::function<void()>>> later_;
};

}  // namespace slipway::link::test
