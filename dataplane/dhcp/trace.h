// Why a packet gets its answer or its silence: the rules that were tried, in order. Written only
// when somebody asks; a packet that nobody asks about pays for a test of a pointer per rule.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/base/bounded.h"
#include "dataplane/base/time.h"
#include "dataplane/boot/decide.h"
#include "dataplane/config/records.h"

namespace slipway::dhcp {

// What a rule was about, as far as the rule's own text does not say it.
enum class TraceKind : std::uint8_t {
  kNone,
  kAddress,
  kVlan,
  kSubnet,
  kMachine,
  kMac,
  kSeconds,
  kNumber,
};

struct NoTraceValue {};

struct TraceValue {
  TraceKind kind = TraceKind::kNone;
  std::uint64_t number = 0;  // an id, a MAC, seconds or a number
  IpAddress address;

  static constexpr TraceValue Of(NoTraceValue /*none*/) noexcept { return {}; }

  static constexpr TraceValue Of(IpAddress address) noexcept {
    return {.kind = address.is_set() ? TraceKind::kAddress : TraceKind::kNone, .address = address};
  }

  static constexpr TraceValue Of(Ipv4Address address) noexcept { return Of(IpAddress(address)); }

  static constexpr TraceValue Of(MacAddress mac) noexcept {
    return {.kind = TraceKind::kMac, .number = mac.ToU64()};
  }

  static constexpr TraceValue Of(Duration duration) noexcept {
    return {.kind = TraceKind::kSeconds, .number = static_cast<std::uint64_t>(duration.seconds())};
  }

  static constexpr TraceValue Of(std::uint64_t number) noexcept {
    return {.kind = TraceKind::kNumber, .number = number};
  }

  // nullptr: none.
  static constexpr TraceValue Of(const config::VlanRecord* vlan) noexcept {
    return OfRecord(TraceKind::kVlan, vlan);
  }

  static constexpr TraceValue Of(const config::SubnetRecord* subnet) noexcept {
    return OfRecord(TraceKind::kSubnet, subnet);
  }

  static constexpr TraceValue Of(const config::MachineRecord* machine) noexcept {
    return OfRecord(TraceKind::kMachine, machine);
  }

  friend constexpr bool operator==(const TraceValue&, const TraceValue&) = default;

 private:
  template <typename Record>
  static constexpr TraceValue OfRecord(TraceKind kind, const Record* record) noexcept {
    return record == nullptr ? TraceValue{} : TraceValue{.kind = kind, .number = record->id};
  }
};

struct TracedRule {
  boot::RuleTried tried;  // `rule` is an id that stays: docs/protocols/dhcp.md lists them
  TraceValue value;
};

// More than any packet tries; what does not fit is counted.
inline constexpr std::size_t kTracedRulesMax = 64;

// What was decided in the end, where it got that far.
struct Decision {
  config::RecordId vlan = 0;
  config::RecordId subnet = 0;
  config::RecordId machine = 0;
  IpAddress server;
  IpAddress address;  // offered, granted, or told in a BOOTP reply
  Duration lease;
  boot::PlanKind plan = boot::PlanKind::kNothing;
  std::string_view plan_reason;
  boot::Url file;
};

// Holds static text and values only: it may leave the shard and outlive the snapshot.
struct DecisionTrace {
  FixedVector<TracedRule, kTracedRulesMax> rules;
  std::uint32_t left_out = 0;
  // Of the boot decision that the answer carries (dataplane/boot/decide.h).
  FixedVector<boot::RuleTried, boot::kRulesTriedMax> boot_rules;
  Decision decision;

  // What the explanation says beside the rules, of an exchange of either family.
  template <typename Exchange>
  void Summarise(const Exchange& exchange) {
    boot_rules = exchange.plan.rules;
    decision.vlan = exchange.vlan == nullptr ? 0 : exchange.vlan->id;
    decision.subnet = exchange.subnet == nullptr ? 0 : exchange.subnet->id;
    decision.machine = exchange.client.machine;
    decision.server = exchange.server;
    decision.plan = exchange.plan.kind;
    decision.plan_reason = exchange.plan.reason;
    decision.file = exchange.plan.file;
  }

  void Add(bool matched, std::string_view rule, std::string_view reason,
           TraceValue value) noexcept {
    const TracedRule traced{{.rule = rule, .reason = reason, .matched = matched}, value};
    left_out += rules.push_back(traced) ? 0U : 1U;
  }
};

// Takes a rule down if somebody asks (`trace` is not null); returns whether it matched, so that it
// reads as a condition. `rule` is an id that stays: a new one goes into docs/protocols/dhcp.md.
// Both texts are static.
template <typename Value = NoTraceValue>
bool Note(DecisionTrace* trace, bool matched, std::string_view rule, std::string_view reason,
          const Value& value = {}) noexcept {
  if (trace != nullptr) [[unlikely]] {
    trace->Add(matched, rule, reason, TraceValue::Of(value));
  }
  return matched;
}

}  // namespace slipway::dhcp
