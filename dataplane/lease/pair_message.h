// The messages of a pair (schemas/pair.fbs): verified before they are read, made without
// allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/config/fixed_builder.h"
#include "dataplane/lease/lease.h"
#include "dataplane/lease/pair_rules.h"
#include "dataplane/lease/record.h"
#include "schemas/pair_generated.h"

namespace slipway::lease {

inline constexpr std::size_t kPairLeasesPerMessage = 64;
inline constexpr std::size_t kPairMessageBytesMax = 48 << 10;
static_assert(kPairLeasesPerMessage * (kLeaseFactBytesMax + 32) + 1024 <= kPairMessageBytesMax);

struct PairHeader {
  std::uint64_t session = 0;
  std::uint64_t sequence = 0;
  std::uint64_t last_version = 0;
  PairState state = PairState::kOff;
};

struct PairHello {
  std::uint64_t pair = 0;
  unsigned side = 0;
  std::uint64_t nonce = 0;
  std::uint64_t echo = 0;
  std::uint64_t store = 0;
  std::uint64_t partner_store = 0;
  std::uint64_t incarnation = 0;
  std::uint64_t restored = 0;
  std::uint64_t through = 0;
};

// One thread. Each message is valid until the next one is begun.
class PairEncoder {
 public:
  PairEncoder();

  [[nodiscard]] ByteSpan Hello(const PairHeader& header, const PairHello& hello);
  [[nodiscard]] ByteSpan Alive(const PairHeader& header);
  [[nodiscard]] ByteSpan Acked(const PairHeader& header, std::uint64_t batch,
                               std::span<const std::uint16_t> refused);

  void BeginUpdates();
  // REQUIRES: fewer than kPairLeasesPerMessage so far; a lease with a record.
  void AddLease(const Lease& lease, const LeaseDetail& detail, Instant now);
  [[nodiscard]] ByteSpan FinishUpdates(const PairHeader& header, std::uint64_t batch,
                                       std::uint64_t through);

 private:
  template <typename Body>
  [[nodiscard]] ByteSpan Finish(const PairHeader& header, flatbuffers::Offset<Body> body);

  config::FixedBuilder<kPairMessageBytesMax> builder_;
  flatbuffers::FlatBufferBuilder* message_ = nullptr;
  LeaseEncoder leases_;
  std::vector<flatbuffers::Offset<schema::PairLease>> added_;  // of fixed capacity
};

// One thread: it keeps an aligned copy.
class PairReader {
 public:
  PairReader();

  // Valid until the next call. Errors: kTooLarge, kMalformed (the body may still be one that is not
  // known: its type is then NONE).
  [[nodiscard]] Result<const schema::PairMessage*> Read(ByteSpan message);

 private:
  std::vector<std::uint64_t> aligned_;
};

[[nodiscard]] PairState StateFrom(schema::PairStateCode code) noexcept;

// What a lease of an Updates message says. Horizon and `lease.ends` count from now.
[[nodiscard]] Result<RestoredLease> DecodePairLease(const schema::PairLease& lease);

}  // namespace slipway::lease
