// Turns requests into batches for the state store. Every change of the model is planned here, from
// the index, under the one validation layer (validate.h); the batch carries compares and
// unique-index keys, so that two regions or two handlers that race cannot both win: the loser plans
// again (LiveModel does that).
//
// Keys written: m/<prefix>/<id> the entity; u/... unique index keys, whose value is the owner's id;
// g/<prefix>/<id> guards: written when something starts or stops to refer to the entity, and
// compared by who needs that nothing does (delete) or that all siblings are known (overlaps).
#pragma once

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "controlplane/model/index.h"

namespace slipway::model {

enum class RefusalKind : std::uint8_t {
  kInvalid,       // 422: fields with problems
  kNotFound,      // 404
  kConflict,      // 409: taken, or still referenced
  kPrecondition,  // 412: it is not at the revision that the caller saw
  kTooMany,       // 422: a bulk or a table beyond its limit
  kStore,         // 503: the store failed; see `error`
};

struct Refusal {
  RefusalKind kind = RefusalKind::kInvalid;
  Problems problems;
  std::size_t item = 0;  // of a bulk: which operation
  Error error;           // kStore
};

using Outcome = std::expected<void, Refusal>;

struct Operation {
  enum class Verb : std::uint8_t { kCreate, kPatch, kDelete };
  Verb verb = Verb::kCreate;
  Kind kind = Kind::kFabric;
  EntityId id;                                // of patch and delete; create: chosen unless set
  const boost::json::object* body = nullptr;  // of create and patch
  store::Revision if_modified = 0;            // not 0: the revision that it must be at
};

inline constexpr std::size_t kBulkOperationsMax = 20'000;

// Plans one batch. Operations see the effects of those before them. The index is changed while the
// plan is made and is as it was when the plan is destroyed or taken.
// REQUIRES: exclusive access to the index for the plan's lifetime.
class Plan {
 public:
  Plan(ModelIndex& index, Random& random);
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan();

  // The index with everything planned so far.
  [[nodiscard]] const ModelIndex& index() const noexcept { return index_; }

  // From a request. On refusal the plan is to be dropped. The id of what was touched.
  [[nodiscard]] std::expected<EntityId, Refusal> Run(const Operation& operation);

  // Our own mutations (enlistment, enrolment): validated in the same way, read-only fields too.
  [[nodiscard]] std::expected<EntityId, Refusal> Create(Entity entity, EntityId id = {});
  [[nodiscard]] Outcome Replace(EntityRef ref, Entity entity, store::Revision if_modified = 0);
  [[nodiscard]] Outcome Delete(EntityRef ref, store::Revision if_modified = 0);

  // A write or a compare of the caller's own in the same batch ("c/..." cursors, "t/..." tokens).
  void AlsoWrite(std::string key, std::optional<std::string> value);
  void AlsoCompare(store::Compare compare);

  // What was touched, in order.
  [[nodiscard]] const std::vector<EntityRef>& touched() const noexcept { return touched_; }

  [[nodiscard]] bool empty() const noexcept { return batch_.writes.empty(); }

  // Restores the index and yields the batch.
  [[nodiscard]] store::Batch Take();

 private:
  [[nodiscard]] Outcome Stage(EntityRef ref, const Row* before, std::optional<Entity> after);
  void WriteUniqueKeys(EntityRef ref, const Entity* before, const Entity* after);
  void WriteGuards(EntityRef ref, const Entity* before, const Entity* after);
  void CompareFor(EntityRef ref, const Row* before, const Entity* after);
  void Write(std::string key, std::optional<std::string> value);
  void CompareKey(std::string key, store::Revision modified, bool any_revision);
  void Undo();

  ModelIndex& index_;
  Random& random_;
  store::Batch batch_;
  std::vector<EntityRef> touched_;
  std::vector<std::pair<EntityRef, std::optional<Row>>> undo_;
  std::unordered_map<std::string, std::size_t> write_of_key_;
  std::unordered_map<std::string, std::size_t> compare_of_key_;
};

}  // namespace slipway::model
