// A step of a machine's boot as a fact: what the boot trace is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/base/bounded.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/limits.h"
#include "dataplane/base/time.h"
#include "dataplane/config/fixed_builder.h"
#include "dataplane/config/records.h"

namespace slipway::boot {

// The numbers of schemas/facts.fbs BootStepKind.
enum class StepKind : std::uint8_t {
  kDhcpDiscover = 0,
  kDhcpOffer = 1,
  kDhcpRequest = 2,
  kDhcpAck = 3,
  kDhcpNak = 4,
  kDhcpInform = 5,
  kTftpStart = 6,
  kTftpEnd = 7,
  kHttpStart = 8,
  kHttpEnd = 9,
  kScript = 10,
  kEnlisted = 11,
  kRouterAdvertised = 12,
  kLoop = 13,
  kDhcpSilent = 14,
  kLauncher = 15,
};

struct BootStep {
  MacAddress mac;
  config::RecordId machine = 0;
  config::RecordId vlan = 0;
  IpAddress address;
  WallTime realtime;
  StepKind kind = StepKind::kDhcpDiscover;
  FixedString<limits::kUrlBytesMax> name;  // file, script, message or reason
  std::uint64_t bytes = 0;
  Duration duration;
  bool ok = true;
};

inline constexpr std::size_t kStepFactBytesMax = 768;

// Encodes into memory of its own, without allocation. One thread.
class StepEncoder {
 public:
  // A Fact (schemas/facts.fbs), valid until the next call.
  [[nodiscard]] ByteSpan Encode(const BootStep& step);

 private:
  config::FixedBuilder<kStepFactBytesMax> builder_;
};

}  // namespace slipway::boot
