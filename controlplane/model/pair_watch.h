// What the region decides about a pair of racks (docs/adr/0009-pair-of-racks.md): that the two have
// met, and that one of them is down. The word that a rack is down is kept in the pair itself, with
// a term that only grows, so that two racks cannot be given it at once.
//
// PairWatch is pure: what the two racks said and the present in, a verdict out. One per pair.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "controlplane/model/mutations.h"
#include "dataplane/base/time.h"

namespace slipway::model {

// What a rack says of its pair.
struct PairReport {
  std::uint64_t pair = 0;  // 0: it knows of none
  std::uint64_t term = 0;  // of the word that it has; 0: none
  bool normal = false;     // its state
  bool interrupted = false;
  Instant at;  // when the region heard it
};

struct PairRackView {
  bool connected = false;
  std::optional<PairReport> report;  // the last one
};

// Older reports prove nothing.
inline constexpr Duration kPairReportFresh = Duration::Seconds(15);

enum class PairVerdict : std::uint8_t {
  kNothing,
  kMet,    // both are in state normal, under the word that holds: MarkMet
  kDownA,  // rack_a has been away for auto_partner_down_seconds: DeclareDown
  kDownB,
};

[[nodiscard]] bool IsFresh(const PairRackView& view, EntityId pair, Instant now) noexcept;
// Both say that they are in state normal.
[[nodiscard]] bool AreNormal(const std::array<PairRackView, 2>& views, EntityId pair,
                             Instant now) noexcept;

class PairWatch {
 public:
  // `views`: of rack_a and rack_b.
  [[nodiscard]] PairVerdict Step(EntityId id, const RackPair& pair,
                                 const std::array<PairRackView, 2>& views, Instant now);

 private:
  // Since when, without a break, the other one was away and this one said that it is alone.
  std::array<std::optional<Instant>, 2> alone_since_;
};

// The word that `rack` is down; the other one of the pair goes on for both. It stands until
// MarkMet. Said again of the same rack, it changes nothing. kNotFound, kInvalid.
[[nodiscard]] Outcome DeclareDown(Plan& plan, EntityId pair, EntityId rack, std::string_view reason,
                                  WallTime now);
// What a rack of a pair has said of the addresses of an interface that it serves.
[[nodiscard]] Outcome NoteAddresses(Plan& plan, EntityId served, std::vector<IpAddress> addresses);
// Both are in state normal: no word holds, and a rack that forgets is known to have forgotten.
[[nodiscard]] Outcome MarkMet(Plan& plan, EntityId pair);

}  // namespace slipway::model
