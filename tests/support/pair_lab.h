// Two racks of a pair without sockets, disks or clocks: two lease tables, two pair cores, journals
// that lose what was not synced, a transport with faults, clocks of different rates; and what
// clients may believe, checked with every answer. Used by the unit and the property tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/lease/pair_core.h"
#include "dataplane/lease/record.h"
#include "tests/support/boot_lab.h"

namespace slipway::test {

inline constexpr Duration kPairMclt = Duration::Seconds(60);
// A commit takes between these.
inline constexpr Duration kCommitMin = Duration::Millis(1);
inline constexpr Duration kCommitMax = Duration::Millis(20);

struct PairFaults {
  std::uint64_t lose_one_in = 0;
  std::uint64_t double_one_in = 0;
  Duration delay_max;                 // not zero: messages overtake each other
  std::array<bool, 2> cut{};          // messages from this rack are lost
  std::array<bool, 2> clients_cut{};  // clients do not reach it
};

class PairLab;

// The answer to a client, as the wire has it.
struct PairAnswer {
  bool ok = false;  // false: a NAK
  int rack = 0;
  std::uint64_t client = 0;
  IpAddress address;
  Duration lease;
  bool alone = false;
  Instant asked;  // true time: RFC 2131 4.4.1 counts the lease from the request
};

// One rack: what dhcp_service does with an engine, without packets.
class PairRack final : public lease::PairPort {
 public:
  PairRack(PairLab* lab, int side, std::int64_t parts_per_million)
      : lab_(lab), side_(side), ppm_(parts_per_million) {}

  // ---- the process ----
  void Start();
  void Kill(bool lose_disk);
  // The machine reboots, too: another boot id, and perhaps a clock that nobody believes.
  void Reboot(bool clock_known);

  [[nodiscard]] bool up() const { return process_ != nullptr; }

  // ---- clients ----
  [[nodiscard]] std::optional<IpAddress> Discover(std::uint64_t client);
  // SELECTING, RENEWING, REBINDING and INIT-REBOOT: the address is the client's own idea.
  void Request(std::uint64_t client, IpAddress address, Duration lease, bool broadcast,
               bool reboot);
  void Release(std::uint64_t client, IpAddress address);
  void Decline(std::uint64_t client, IpAddress address);

  // ---- time ----
  void Tick();
  void OnMessage(ByteSpan message);

  // ---- PairPort ----
  void SendToPartner(ByteSpan message) override;
  [[nodiscard]] bool Log(const lease::Lease& lease, std::uint64_t& position) override;
  void RememberPartner(std::uint64_t store) override;
  void OnPairState(lease::PairState from, lease::PairState to) override;

  void OnPairConflict(const lease::Lease& /*kept*/) override { ++conflicts; }

  [[nodiscard]] lease::PairCore& core() { return *process_->core; }

  [[nodiscard]] lease::LeaseTable& table() { return process_->table; }

  [[nodiscard]] lease::PairRules& rules() { return process_->rules; }

  [[nodiscard]] lease::PairState state() const {
    return up() ? process_->core->state() : lease::PairState::kOff;
  }

  [[nodiscard]] lease::Now Now() const;
  // A lease that is on this rack's disk: the newest record of the address.
  [[nodiscard]] const lease::RestoredLease* OnDisk(const IpAddress& address) const;

  std::uint64_t store = 0;
  bool paused = false;
  bool region_cut = false;
  bool journal_full = false;
  int conflicts = 0;
  bool lost = false;    // its disk, once
  bool forgot = false;  // and has not been in state normal since
  std::vector<std::string> states;

 private:
  struct Held {
    std::uint64_t position = 0;
    std::uint64_t version = 0;
    PairAnswer answer;
  };

  struct Process {
    explicit Process(std::uint64_t seed);
    lease::LeaseTable table;
    lease::PairRules rules;
    std::unique_ptr<lease::PairCore> core;
    std::deque<Held> held;
  };

  struct Record {
    std::vector<std::byte> fact;
    Instant stamp;  // true time
  };

  [[nodiscard]] static lease::Client ClientOf(std::uint64_t client);
  [[nodiscard]] bool Append(const lease::Lease& lease, std::uint64_t& position);
  void Changed(const lease::Lease& lease);
  void Answer(const PairAnswer& answer);
  void ReleaseHeld();
  void Commit();
  [[nodiscard]] bool Grant(std::uint64_t client, IpAddress address, Duration lease);
  void Refuse(std::uint64_t client, IpAddress address);

  PairLab* lab_;
  int side_;
  std::int64_t ppm_;
  Instant boot_;  // true time
  std::uint64_t boot_id_ = 1;
  bool clock_known_ = true;
  std::unique_ptr<Process> process_;
  lease::LeaseEncoder encoder_;
  std::vector<Record> journal_;
  std::size_t durable_ = 0;
  std::map<IpAddress, lease::RestoredLease> on_disk_;
  Instant commit_at_ = Instant::Never();
  std::size_t commit_to_ = 0;
  std::uint64_t partner_store_ = 0;
  lease::Stamp right_;  // on disk: when it last served in its own right
};

class PairLab {
 public:
  explicit PairLab(std::uint64_t seed);

  [[nodiscard]] PairRack& rack(int side) { return *racks_[static_cast<std::size_t>(side)]; }

  [[nodiscard]] Instant now() const { return now_; }

  [[nodiscard]] SeededRandom& random() { return random_; }

  [[nodiscard]] bool OneIn(std::uint64_t n) { return n != 0 && random_.Below(n) == 0; }

  void RunFor(Duration span);
  void Heal();
  // Both in state normal, and nothing left to tell.
  [[nodiscard]] bool IsWell();
  // What is different between the two tables; empty: nothing.
  [[nodiscard]] std::string Difference();
  // As an operator who has made sure: `side` is not running.
  void DeclareDown(int side);
  void CheckPromises();
  // What both say of an address.
  [[nodiscard]] std::string Describe(const IpAddress& address);
  // A line of what happened; the last ones are printed when a check fails.
  void Note(const std::string& line);
  [[nodiscard]] std::string Tail() const;

  // ---- between the parts ----
  void Send(int from, ByteSpan message);
  void OnAnswer(const PairAnswer& answer);
  void OnReleased(std::uint64_t client, const IpAddress& address);

  // What the client takes as its own until then.
  struct Promise {
    std::uint64_t client = 0;
    Instant until;
    int rack = 0;
  };

  PairFaults faults;
  config::SnapshotRef snapshot;
  std::map<IpAddress, Promise> promises;
  std::map<std::uint64_t, PairAnswer> last_answer;  // by client
  std::uint64_t answers = 0;
  std::uint64_t naks = 0;
  std::uint64_t alone = 0;
  lease::PairOrder order;
  bool formed = false;
  bool check = true;  // false: an operator's word was wrong

 private:
  struct Event {
    std::int64_t at = 0;
    int to = 0;
    std::vector<std::byte> bytes;
  };

  SeededRandom random_;
  Instant now_{Duration::Seconds(1000).ns};
  std::array<std::unique_ptr<PairRack>, 2> racks_;
  std::multimap<std::int64_t, Event> events_;
  std::uint64_t terms_ = 0;
  std::deque<std::string> notes_;
};

// ---- PairRack ----

inline PairRack::Process::Process(std::uint64_t seed)
    : table({.leases_max = 256,
             .pools_max = 4,
             .ranges_max = 16,
             .pool_addresses_max = 512,
             .hash_seed = seed}),
      rules(256) {}

inline lease::Now PairRack::Now() const {
  const std::int64_t since = (lab_->now() - boot_).ns;
  return {.instant = Instant{1 + since + since / 1'000'000 * ppm_},
          .wall = WallTime{Duration::Seconds(1'700'000'000).ns + lab_->now().ns},
          .boot_id = boot_id_,
          .wall_synchronised = clock_known_};
}

inline lease::Client PairRack::ClientOf(std::uint64_t client) {
  const MacAddress mac = MacAddress::FromU64(0x0200'0000'0000 + client);
  return {.key = lease::ClientKey::FromMac(mac), .mac = mac, .vlan = kVlan, .machine = 9};
}

inline void PairRack::Start() {
  if (up()) {
    return;
  }
  paused = false;
  lab_->Note("rack " + std::to_string(side_) + " starts");
  if (store == 0) {
    store = lab_->random().U64() | 1;
  }
  process_ = std::make_unique<Process>(lab_->random().U64());
  Process& process = *process_;
  process.table.Rebuild(*lab_->snapshot);
  for (const Record& record : journal_) {
    const auto restored = lease::DecodeLease(record.fact);
    ASSERT_TRUE(restored.has_value());
    ASSERT_TRUE(process.table.Restore(*restored, Now()).has_value());
  }
  process.core =
      std::make_unique<lease::PairCore>(&process.table, &process.rules, this, &lab_->random());
  process.core->Start(
      {.pair = 7,
       .side = static_cast<unsigned>(side_),
       .mclt = kPairMclt,
       .formed = lab_->formed,
       .founder = 0},
      {.store = store, .partner_store = partner_store_, .incarnation = lab_->random().U64()},
      {.serving = false, .authority = lease::AuthorityLeft(right_, kPairMclt, Now())}, Now());
}

inline void PairRack::Kill(bool lose_disk) {
  lab_->Note("rack " + std::to_string(side_) + (lose_disk ? " dies, with its disk" : " dies"));
  // Some of what was written and not synced may be there all the same.
  const std::size_t kept =
      durable_ +
      (journal_.size() > durable_ ? lab_->random().Below(journal_.size() - durable_ + 1) : 0);
  journal_.resize(kept);
  durable_ = journal_.size();
  process_.reset();
  commit_at_ = Instant::Never();
  if (lose_disk) {
    lost = true;
    forgot = true;
    journal_.clear();
    durable_ = 0;
    store = 0;
    partner_store_ = 0;
    right_ = {};
  }
  on_disk_.clear();
  for (const Record& record : journal_) {
    const auto restored = lease::DecodeLease(record.fact);
    on_disk_[restored->lease.address] = *restored;
  }
}

inline void PairRack::Reboot(bool clock_known) {
  lab_->Note(clock_known ? "it reboots" : "it reboots with a doubtful clock");
  boot_ = lab_->now();
  ++boot_id_;
  clock_known_ = clock_known;
}

inline bool PairRack::Append(const lease::Lease& lease, std::uint64_t& position) {
  if (journal_full) {
    return false;
  }
  const ByteSpan fact = encoder_.Encode(lease, table().DetailOf(lease), Now());
  position = journal_.size();
  journal_.push_back({.fact = {fact.begin(), fact.end()}, .stamp = lab_->now()});
  if (commit_at_ == Instant::Never()) {
    commit_to_ = journal_.size();
    commit_at_ = lab_->now() + kCommitMin +
                 Duration{static_cast<std::int64_t>(lab_->random().Below(
                     static_cast<std::uint64_t>((kCommitMax - kCommitMin).ns)))};
  }
  return true;
}

inline bool PairRack::Log(const lease::Lease& lease, std::uint64_t& position) {
  return Append(lease, position);
}

inline void PairRack::RememberPartner(std::uint64_t partner) {
  partner_store_ = partner;
  lab_->formed = true;
}

inline void PairRack::OnPairState(lease::PairState /*from*/, lease::PairState to) {
  states.emplace_back(lease::ToString(to));
  forgot = forgot && to != lease::PairState::kNormal;
  lab_->Note("rack " + std::to_string(side_) + " is in " + states.back());
}

inline void PairRack::SendToPartner(ByteSpan message) { lab_->Send(side_, message); }

inline void PairRack::OnMessage(ByteSpan message) {
  core().OnMessage(message, Now());
  core().OnRemembered(partner_store_, Now());
  core().Flush(Now());
  ReleaseHeld();
}

inline void PairRack::Commit() {
  durable_ = std::max(durable_, commit_to_);
  for (std::size_t i = 0; i < durable_; ++i) {
    if (journal_[i].stamp == Instant{}) {
      continue;
    }
    const auto restored = lease::DecodeLease(journal_[i].fact);
    on_disk_[restored->lease.address] = *restored;
    journal_[i].stamp = {};
  }
  commit_at_ = Instant::Never();
  core().OnDurable(durable_);
  if (journal_.size() > durable_) {
    commit_to_ = journal_.size();
    commit_at_ = lab_->now() + kCommitMax;
  }
}

inline const lease::RestoredLease* PairRack::OnDisk(const IpAddress& address) const {
  const auto found = on_disk_.find(address);
  return found == on_disk_.end() ? nullptr : &found->second;
}

inline void PairRack::Tick() {
  if (!up() || paused) {
    return;
  }
  if (!region_cut) {
    core().OnRegion(lab_->order, Now());
  }
  if (commit_at_ <= lab_->now()) {
    Commit();
  }
  const lease::Lease* ended = nullptr;
  while (table().Expire(Now().instant, std::span(&ended, 1)) != 0) {
    Changed(*ended);
  }
  if (core().next_deadline() <= Now().instant) {
    core().OnTimer(Now());
  }
  core().OnRemembered(partner_store_, Now());
  core().Flush(Now());
  ReleaseHeld();
  if (core().HasFullRight()) {
    right_ = Now().stamp();
  }
}

inline void PairRack::Changed(const lease::Lease& lease) {
  std::uint64_t position = 0;
  if (Append(lease, position)) {
    EXPECT_TRUE(core().OnChanged(lease, position));
  } else {
    core().OnUnlogged(lease);
  }
}

inline void PairRack::Answer(const PairAnswer& answer) { lab_->OnAnswer(answer); }

inline void PairRack::ReleaseHeld() {
  auto& held = process_->held;
  while (!held.empty() && held.front().position < durable_) {
    const Held& first = held.front();
    const lease::Lease* lease = table().ByAddress(first.answer.address);
    const auto leave = core().MayLeave(lease, first.version, Now().instant);
    if (leave == lease::PairCore::Leave::kWait) {
      return;
    }
    if (leave == lease::PairCore::Leave::kSend) {
      table().MarkDurable(first.answer.address, first.version);
      PairAnswer answer = first.answer;
      answer.alone = state() != lease::PairState::kNormal;
      Answer(answer);
    }
    held.pop_front();
  }
}

inline std::optional<IpAddress> PairRack::Discover(std::uint64_t client) {
  const lease::Client who = ClientOf(client);
  const lease::Lease* known = table().ByClient(who.key, kVlan);
  if (!rules().MayAnswer(who.key, known, Now().instant)) {
    return std::nullopt;
  }
  const bool lives = known != nullptr && known->state == lease::State::kBound;
  const IpAddress before = lives ? known->address : IpAddress();
  const auto offer =
      table().Offer({.client = who, .subnet = kSubnet}, *lab_->snapshot, Now().instant);
  if (!offer) {
    return std::nullopt;
  }
  EXPECT_TRUE(!lives || (*offer)->address == before) << "4: a client is offered another address";
  return (*offer)->address;
}

inline void PairRack::Request(std::uint64_t client, IpAddress address, Duration lease,
                              bool broadcast, bool reboot) {
  const lease::Client who = ClientOf(client);
  if (!rules().MayServe(Now().instant)) {
    return;
  }
  if (broadcast && !rules().MayAnswer(who.key, table().ByClient(who.key, kVlan), Now().instant)) {
    return;
  }
  if (!table().Check(who, address)) {
    if (reboot) {
      if (table().ByAddress(address) != nullptr || table().ByClient(who.key, kVlan) != nullptr) {
        Refuse(client, address);
      }
      return;
    }
    const auto claimed = table().Claim({.client = who, .subnet = kSubnet, .requested = address},
                                       address, *lab_->snapshot, Now().instant);
    if (!claimed) {
      return Refuse(client, address);
    }
  }
  if (!Grant(client, address, std::min(lease, rules().LeaseMax(Now().instant)))) {
    Refuse(client, address);
  }
}

inline bool PairRack::Grant(std::uint64_t client, IpAddress address, Duration lease) {
  const auto bound = table().Bind(ClientOf(client), address, lease, Now().instant, {});
  if (!bound) {
    return false;
  }
  const PairAnswer answer{.ok = true,
                          .rack = side_,
                          .client = client,
                          .address = address,
                          .lease = lease,
                          .alone = state() != lease::PairState::kNormal,
                          .asked = lab_->now()};
  if (!bound->needs_log) {
    Answer(answer);
    return true;
  }
  std::uint64_t position = 0;
  if (!Append(*bound->lease, position)) {
    core().OnUnlogged(*bound->lease);
  } else if (core().OnChanged(*bound->lease, position)) {
    process_->held.push_back(
        {.position = position, .version = bound->lease->version, .answer = answer});
  }
  return true;
}

inline void PairRack::Refuse(std::uint64_t client, IpAddress address) {
  if (rules().MayRefuse(address, table().ByAddress(address), ClientOf(client).key)) {
    Answer({.rack = side_, .client = client, .address = address});
  }
}

inline void PairRack::Release(std::uint64_t client, IpAddress address) {
  if (rules().MayServe(Now().instant)) {
    if (const auto released = table().Release(ClientOf(client), address, Now().instant)) {
      lab_->Note("rack " + std::to_string(side_) + ": " + std::to_string(client) + " releases " +
                 lab_->Describe(address));
      Changed(**released);
    }
  }
}

inline void PairRack::Decline(std::uint64_t client, IpAddress address) {
  if (rules().MayServe(Now().instant)) {
    const auto declined = table().Decline(ClientOf(client), address, Now().instant);
    lab_->Note("rack " + std::to_string(side_) + ": " + std::to_string(client) + " declines " +
               lab_->Describe(address));
    if (declined) {
      Changed(**declined);
    } else if (declined.error().code == ErrorCode::kFull) {
      Changed(*table().ByAddress(address));  // Released instead.
    }
  }
}

// ---- PairLab ----

inline void PairLab::Note(const std::string& line) {
  constexpr std::size_t kNotesMax = 2000;
  notes_.push_back(std::to_string(now_.ns / 1'000'000) + " ms: " + line);
  if (notes_.size() > kNotesMax) {
    notes_.pop_front();
  }
}

inline std::string PairLab::Tail() const {
  std::string all;
  for (const std::string& note : notes_) {
    all += note + "\n";
  }
  return all;
}

inline PairLab::PairLab(std::uint64_t seed) : random_(seed) {
  BootLab lab;
  lab.range.first = V4("10.77.0.101");
  lab.range.last = V4("10.77.0.124");
  snapshot = lab.AddNetwork().Finish();
  for (int side = 0; side < 2; ++side) {
    // Within what WithSlack allows: 1 in 256 between any two clocks.
    const auto ppm = static_cast<std::int64_t>(random_.Below(3'000)) - 1'500;
    racks_[static_cast<std::size_t>(side)] = std::make_unique<PairRack>(this, side, ppm);
  }
}

inline void PairLab::Send(int from, ByteSpan message) {
  if (faults.cut[static_cast<std::size_t>(from)]) {
    return;
  }
  for (int copies = OneIn(faults.double_one_in) ? 2 : 1; copies > 0; --copies) {
    if (OneIn(faults.lose_one_in)) {
      continue;
    }
    const auto delay = static_cast<std::int64_t>(
        random_.Below(static_cast<std::uint64_t>(faults.delay_max.ns) + 1));
    Event event{
        .at = now_.ns + 1 + delay, .to = 1 - from, .bytes = {message.begin(), message.end()}};
    events_.emplace(event.at, std::move(event));
  }
}

inline void PairLab::RunFor(Duration span) {
  constexpr Duration kStep = Duration::Millis(5);
  for (const Instant end = now_ + span; now_ < end;) {
    now_ = std::min(end, now_ + kStep);
    while (!events_.empty() && events_.begin()->first <= now_.ns) {
      const Event event = std::move(events_.extract(events_.begin()).mapped());
      PairRack& to = rack(event.to);
      if (to.paused) {
        // It lies in a queue until the rack runs again.
        Event later = event;
        later.at = now_.ns + kStep.ns;
        events_.emplace(later.at, std::move(later));
      } else if (to.up()) {
        to.OnMessage(event.bytes);
      }
    }
    for (int side = 0; side < 2; ++side) {
      rack(side).Tick();
    }
    if (rack(0).state() == lease::PairState::kNormal &&
        rack(1).state() == lease::PairState::kNormal) {
      order = {};  // The region hears that nobody is down.
    }
  }
}

inline void PairLab::OnAnswer(const PairAnswer& answer) {
  if (faults.clients_cut[static_cast<std::size_t>(answer.rack)]) {
    return;
  }
  Note("rack " + std::to_string(answer.rack) + (answer.ok ? " ACK " : " NAK ") +
       std::string(ToText(answer.address).view()) + " to " + std::to_string(answer.client) +
       " for " + std::to_string(answer.lease.seconds()) + " s" + (answer.alone ? ", alone" : ""));
  const auto held = promises.find(answer.address);
  const bool lives = held != promises.end() && held->second.until > now_;
  if (!answer.ok) {
    ++naks;
    EXPECT_FALSE(check && lives && held->second.client == answer.client)
        << "5: a NAK to a client with a valid lease: " << Describe(answer.address);
    if (held != promises.end() && held->second.client == answer.client) {
      promises.erase(held);
    }
    last_answer[answer.client] = answer;
    return;
  }
  ++answers;
  alone += answer.alone ? 1 : 0;
  EXPECT_FALSE(check && lives && held->second.client != answer.client)
      << "1: " << ToText(answer.address).view() << " is client " << held->second.client
      << "'s, and rack " << answer.rack << " gives it to " << answer.client << ": "
      << Describe(answer.address);
  // It was durable where it must be.
  for (int side = 0; side < 2; ++side) {
    if (side != answer.rack && answer.alone) {
      EXPECT_LE(answer.lease, kPairMclt) << "2: alone, more than MCLT is promised";
      continue;
    }
    if (rack(side).forgot) {
      continue;  // It was.
    }
    const lease::RestoredLease* disk = rack(side).OnDisk(answer.address);
    // Perhaps as released: a client may give up an address here and ask for it there.
    EXPECT_TRUE(disk != nullptr &&
                disk->lease.mac == MacAddress::FromU64(0x0200'0000'0000 + answer.client))
        << "2: not on the disk of rack " << side << (answer.alone ? ", alone" : "");
  }
  // A client that takes an address leaves what it had.
  std::erase_if(promises, [&](const auto& one) {
    return one.second.client == answer.client && one.first != answer.address;
  });
  Promise& promise = promises[answer.address];
  // The client's clock may be as wrong as the racks': it must not matter.
  const Instant until =
      answer.asked + (answer.lease - (lease::WithSlack(answer.lease) - answer.lease));
  promise.until = promise.client == answer.client ? std::max(promise.until, until) : until;
  promise.client = answer.client;
  promise.rack = answer.rack;
  last_answer[answer.client] = answer;
}

inline void PairLab::OnReleased(std::uint64_t client, const IpAddress& address) {
  Note(std::to_string(client) + " gives up " + std::string(ToText(address).view()));
  const auto held = promises.find(address);
  if (held != promises.end() && held->second.client == client) {
    promises.erase(held);
  }
}

inline void PairLab::DeclareDown(int side) {
  Note("rack " + std::to_string(side) + " is declared down");
  order = {.term = ++terms_,
           .down_side = static_cast<unsigned>(side),
           .survivor_stale = order.term != 0 && static_cast<int>(order.down_side) != side};
}

inline void PairLab::Heal() {
  Note("all heals");
  faults = {};
  for (const auto& one : racks_) {
    one->paused = false;
    one->region_cut = false;
    one->journal_full = false;
    one->Start();
  }
}

inline bool PairLab::IsWell() {
  return std::all_of(racks_.begin(), racks_.end(), [](const auto& one) {
    return one->state() == lease::PairState::kNormal && one->core().idle();
  });
}

inline std::string PairLab::Describe(const IpAddress& address) {
  std::string text(ToText(address).view());
  for (int side = 0; side < 2; ++side) {
    text += "; rack " + std::to_string(side) + ": ";
    const lease::Lease* lease = rack(side).up() ? rack(side).table().ByAddress(address) : nullptr;
    if (lease == nullptr) {
      text += "nothing";
      continue;
    }
    text += std::string(lease::ToString(lease->state)) + " version " +
            std::to_string(lease->version) + (lease->foreign ? " of the other" : "") + " client " +
            std::to_string(lease->mac.ToU64() & 0xFFFF) + " for " +
            std::to_string((lease->ends - rack(side).Now().instant).seconds()) + " s";
  }
  return text;
}

inline std::string PairLab::Difference() {
  // A quarantine that is over by the time of a restart counts as expired.
  const auto is_bound = [](const lease::Lease& lease) {
    return lease.state == lease::State::kBound;
  };
  for (int side = 0; side < 2; ++side) {
    lease::LeaseTable& mine = rack(side).table();
    for (std::uint32_t slot = 0; slot < mine.capacity(); ++slot) {
      const lease::Lease* lease = mine.At(slot);
      if (lease == nullptr || lease->state == lease::State::kOffered) {
        continue;
      }
      const lease::Lease* other = rack(1 - side).table().ByAddress(lease->address);
      // What is over or quarantined may be forgotten at any time.
      const bool same =
          other == nullptr ? lease->state != lease::State::kBound
                           : (other->state == lease::State::kOffered ||
                              (is_bound(*other) == is_bound(*lease) &&
                               other->client == lease->client && other->version == lease->version));
      if (!same) {
        return Describe(lease->address);
      }
    }
  }
  return {};
}

// What clients rely on, both racks know once they have told each other.
inline void PairLab::CheckPromises() {
  for (const auto& one : racks_) {
    if (one->up()) {
      one->table().CheckInvariants();
    }
  }
  if (!IsWell()) {
    return;
  }
  for (const auto& one : racks_) {
    for (const auto& [address, promise] : promises) {
      if (promise.until <= now_ || !check) {
        continue;
      }
      const lease::Lease* lease = one->table().ByAddress(address);
      EXPECT_TRUE(lease != nullptr && lease->state == lease::State::kBound)
          << "3: a lease is lost, client " << promise.client << ": " << Describe(address);
    }
  }
}

}  // namespace slipway::test
