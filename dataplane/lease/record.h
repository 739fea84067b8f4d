// Leases as facts (schemas/facts.fbs): what goes into the journal, up the link, and comes back at
// start.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/config/fixed_builder.h"
#include "dataplane/lease/lease.h"
#include "dataplane/lease/lease_clock.h"
#include "dataplane/lease/lease_table.h"

namespace slipway::lease {

// Stamp struct, client id, host name, and flatbuffers' overhead.
inline constexpr std::size_t kLeaseFactBytesMax = 512;

// Encodes into memory of its own, without allocation. One thread.
class LeaseEncoder {
 public:
  // A Fact, valid until the next call. An offer is no lease. REQUIRES: bound, released, expired or
  // declined.
  [[nodiscard]] ByteSpan Encode(const Lease& lease, const LeaseDetail& detail, const Now& now);

 private:
  config::FixedBuilder<kLeaseFactBytesMax> builder_;
};

// Verifies and reads a Fact. Errors: kCorrupt; kUnsupported if it is a fact of another class.
[[nodiscard]] Result<RestoredLease> DecodeLease(ByteSpan fact);

}  // namespace slipway::lease
