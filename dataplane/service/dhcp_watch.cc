#include "dataplane/service/dhcp_watch.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <string_view>

#include "dataplane/base/random.h"

namespace slipway::service {
namespace {

constexpr std::size_t kWatchedMax = std::bit_ceil(std::size_t{2} * limits::kSubnetsMax);

// Per level above kFine, in percent.
constexpr std::array<std::uint64_t, 3> kUp = {80, 95, 100};
constexpr std::array<std::uint64_t, 3> kDown = {75, 90, 98};

using Detail = FixedString<kEventDetailBytesMax>;

void Append(Detail& detail, std::string_view text) { (void)detail.Append(text); }

void Append(Detail& detail, std::uint64_t number) {
  std::array<char, 20> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  (void)error;
  Append(detail, std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
}

std::string_view TextOf(PoolLevel level) {
  switch (level) {
    case PoolLevel::kFine:
      return "fine";
    case PoolLevel::kFilling:
      return "filling";
    case PoolLevel::kNearlyFull:
      return "nearly full";
    case PoolLevel::kExhausted:
      return "exhausted";
  }
  return "unknown";
}

std::uint64_t UsedOf(const lease::PoolCounts& counts) {
  return std::uint64_t{counts.offered} + counts.bound + counts.declined;
}

}  // namespace

PoolLevel NextLevel(PoolLevel before, const lease::PoolCounts& counts) noexcept {
  if (counts.size == 0) {
    return PoolLevel::kFine;
  }
  const std::uint64_t percent = UsedOf(counts) * 100 / counts.size;
  auto level = static_cast<std::size_t>(before);
  while (level < kUp.size() && percent >= kUp[level]) {
    ++level;
  }
  while (level > 0 && percent < kDown[level - 1]) {
    --level;
  }
  return static_cast<PoolLevel>(level);
}

DhcpWatch::DhcpWatch(EventSink* events, const lease::LeaseTable* leases)
    : events_(events), leases_(leases), watched_(kWatchedMax) {}

PoolLevel& DhcpWatch::LevelOf(config::RecordId subnet) noexcept {
  if (watched_count_ > limits::kSubnetsMax) {
    // Most of them are of subnets that are gone: begin anew.
    std::ranges::fill(watched_, Watched{});
    watched_count_ = 0;
  }
  std::size_t at = Mix64(subnet) & (watched_.size() - 1);
  while (watched_[at].subnet != 0 && watched_[at].subnet != subnet) {
    at = (at + 1) & (watched_.size() - 1);
  }
  if (watched_[at].subnet == 0) {
    watched_[at].subnet = subnet;
    ++watched_count_;
  }
  return watched_[at].level;
}

void DhcpWatch::LookAtPools(const config::Snapshot& snapshot, std::size_t budget) {
  const auto subnets = snapshot.subnets();
  for (std::size_t i = 0; i < std::min(budget, subnets.size()); ++i) {
    next_ = next_ + 1 < subnets.size() ? next_ + 1 : 0;
    const config::SubnetRecord& subnet = subnets[next_];
    const lease::PoolCounts counts = leases_->CountsOf(subnet.id);
    PoolLevel& level = LevelOf(subnet.id);
    const PoolLevel now = NextLevel(level, counts);
    if (now != level) {
      level = now;
      TellPool(subnet, now, counts);
    }
  }
}

void DhcpWatch::TellPool(const config::SubnetRecord& subnet, PoolLevel level,
                         const lease::PoolCounts& counts) {
  Detail detail;
  Append(detail, TextOf(level));
  Append(detail, ": ");
  Append(detail, UsedOf(counts));
  Append(detail, " of ");
  Append(detail, counts.size);
  Append(detail, " used (bound ");
  Append(detail, counts.bound);
  Append(detail, ", offered ");
  Append(detail, counts.offered);
  Append(detail, ", quarantined ");
  Append(detail, counts.declined);
  Append(detail, ")");
  events_->Report(EventCode::kPoolUsage, ToText(subnet.prefix).view(), detail.view());
}

bool DhcpWatch::OnForeignServer(const Foreign& foreign, Instant now) {
  Told* told = std::ranges::find_if(told_, [&](const Told& t) {
    return t.server == foreign.server && t.ifindex == foreign.ifindex;
  });
  if (told != told_.end() && now - told->at < kForeignRepeat) {
    return false;
  }
  if (told == told_.end()) {
    if (!told_.push_back({})) {
      told_.SwapRemove(static_cast<std::size_t>(
          std::ranges::min_element(told_, {}, [](const Told& t) { return t.at; }) - told_.begin()));
      (void)told_.push_back({});
    }
    told = &told_.back();
  }
  *told = {.server = foreign.server,
           .ifindex = foreign.ifindex,
           .at = now,
           .waits = true,
           .source = foreign.source,
           .interface = foreign.link == nullptr ? InterfaceName() : foreign.link->name,
           .offered = foreign.offered,
           .relay = foreign.relay};
  if (foreign.mac.is_zero() && foreign.source.is_v4() && !foreign.relay.is_set()) {
    return true;
  }
  Tell(*told, foreign.mac);
  return false;
}

void DhcpWatch::OnMac(const IpAddress& address, MacAddress mac, std::uint32_t ifindex) {
  for (Told& told : told_) {
    if (told.waits && told.source == address && told.ifindex == ifindex) {
      Tell(told, mac);
    }
  }
}

void DhcpWatch::TellWaiting(Instant now) {
  for (Told& told : told_) {
    if (told.waits && now - told.at >= kMacWait) {
      Tell(told, {});
    }
  }
}

void DhcpWatch::Tell(Told& told, MacAddress mac) {
  told.waits = false;
  Detail detail;
  Append(detail, "on ");
  Append(detail, told.interface.empty() ? std::string_view("an interface not served")
                                        : told.interface.view());
  Append(detail, ", from ");
  Append(detail, ToText(told.source).view());
  if (!mac.is_zero()) {
    Append(detail, ", MAC ");
    Append(detail, ToText(mac).view());
  }
  if (told.offered.is_set()) {
    Append(detail, ", offers ");
    Append(detail, ToText(told.offered).view());
  }
  if (told.relay.is_set()) {
    Append(detail, ", to the relay ");
    Append(detail, ToText(told.relay).view());
  }
  events_->Report(EventCode::kForeignDhcpServer, ToText(told.server).view(), detail.view());
}

}  // namespace slipway::service
