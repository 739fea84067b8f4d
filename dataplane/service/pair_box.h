// Between the shard that owns the leases of a pair of racks, the thread that speaks to the partner,
// the control link's thread, and the control thread, which keeps what must outlive the process:
// bounded mailboxes, one producer and one consumer each.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "dataplane/base/time.h"
#include "dataplane/lease/pair_message.h"
#include "dataplane/shard/mailbox.h"

namespace slipway::service {

// Each way: all batches and acknowledgements that may be under way, twice.
inline constexpr std::uint32_t kPairParcelsMax = 256;

struct PairParcel {
  PairParcel() noexcept {}  // NOLINT(modernize-use-equals-default): the bytes are not cleared.

  std::uint32_t size = 0;  // 0: the connection is gone
  std::array<std::byte, lease::kPairMessageBytesMax> bytes;
};

// Between the shard and the control thread.
struct PairWord {
  enum class Kind : std::uint8_t {
    kRemember,  // keep the partner's store; comes back when it is on disk
    kRight,     // the rack served in its own right at `at`
  };

  Kind kind = Kind::kRemember;
  std::uint64_t pair = 0;
  std::uint64_t store = 0;
  Instant at;
};

inline constexpr std::uint32_t kPairWordsMax = 16;

struct PairBox {
  template <typename T>
  using Box = std::unique_ptr<shard::Mailbox<T>>;

  [[nodiscard]] static Result<std::unique_ptr<PairBox>> Create() {
    auto box = std::make_unique<PairBox>();
    box->to_partner = SLIP_TRY(shard::Mailbox<PairParcel>::Create(kPairParcelsMax));
    box->from_partner = SLIP_TRY(shard::Mailbox<PairParcel>::Create(kPairParcelsMax));
    box->to_control = SLIP_TRY(shard::Mailbox<PairWord>::Create(kPairWordsMax));
    box->from_control = SLIP_TRY(shard::Mailbox<PairWord>::Create(kPairWordsMax));
    box->from_region = SLIP_TRY(shard::Mailbox<Instant>::Create(kPairWordsMax));
    return box;
  }

  Box<PairParcel> to_partner;    // shard to pair link
  Box<PairParcel> from_partner;  // pair link to shard
  Box<PairWord> to_control;      // shard to control thread
  Box<PairWord> from_control;    // back: what was to be remembered is on disk
  // Control link to shard: the region says now that this rack lives on its newest generation.
  Box<Instant> from_region;
};

}  // namespace slipway::service
