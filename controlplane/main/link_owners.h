// What the control link asks of the region, over the model, the publisher and the facts store.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "controlplane/api/api.h"
#include "controlplane/model/live_model.h"
#include "controlplane/publish/publisher.h"
#include "controlplane/store/facts_store.h"
#include "dataplane/link/interfaces.h"

namespace slipway::region {

// Racks and join tokens, from the model's index. Thread-safe.
class ModelDirectory final : public link::RackDirectory {
 public:
  explicit ModelDirectory(model::LiveModel& model) : model_(model) {}

  [[nodiscard]] link::PeerStatus StatusOfKey(const link::PublicKey& key, WallTime now) override;
  [[nodiscard]] link::PeerStatus StatusOfRack(link::RackId rack) override;
  [[nodiscard]] link::PeerStatus StatusOfToken(link::TokenId token, WallTime now) override;
  void EnrolRack(link::TokenId token, std::string_view name, const link::PublicKey& key,
                 WallTime now, link::EnrolDone done) override;
  void AddToken(const link::TokenRecord& token, link::StoreDone done) override;

 private:
  model::LiveModel& model_;
};

class PublishedSnapshots final : public link::SnapshotSource {
 public:
  explicit PublishedSnapshots(publish::Publisher& publisher) : publisher_(publisher) {}

  [[nodiscard]] link::GenerationState Current(link::RackId rack) override;
  [[nodiscard]] std::unique_ptr<link::SnapshotStream> OpenSnapshot(link::RackId rack) override;
  [[nodiscard]] std::unique_ptr<link::SnapshotStream> OpenDelta(
      link::RackId rack, const link::GenerationState& base) override;

 private:
  publish::Publisher& publisher_;
};

// A copy of what came up the link, for the store.
[[nodiscard]] store::FactsBatch ToStore(link::RackId rack, const link::FactBatch& batch);

class StoredFacts final : public link::FactSink {
 public:
  explicit StoredFacts(store::FactsStore& facts) : facts_(facts) {}

  [[nodiscard]] link::FactCursor Cursor(link::RackId rack, link::FactClass fact_class) override;
  void Commit(link::RackId rack, const link::FactBatch& batch, link::CommitDone done) override;

 private:
  store::FactsStore& facts_;
};

// Remembers what each rack last said, for the API, and makes events of it. Thread-safe; bounded by
// the racks of the model, whose ids are all that the link passes on.
class RackBoard final : public link::RackObserver {
 public:
  RackBoard(store::FactsStore& facts, publish::Publisher& publisher, Clock& clock)
      : facts_(facts), publisher_(publisher), clock_(clock) {}

  void OnRackUp(link::RackId rack, std::string_view software, std::uint64_t boot_id) override;
  void OnRackDown(link::RackId rack, std::string_view reason) override;
  void OnInterfaces(link::RackId rack, std::span<const link::InterfaceInfo> interfaces) override;
  void OnGenerationLive(link::RackId rack, const link::GenerationState& live) override;

  [[nodiscard]] api::RackLinkStatus StatusOf(std::uint64_t rack);
  [[nodiscard]] std::size_t connected();

 private:
  struct Entry {
    api::RackLinkStatus status;
    link::GenerationState live;
  };

  void Announce(link::RackId rack, std::string_view code, std::string detail);

  store::FactsStore& facts_;
  publish::Publisher& publisher_;
  Clock& clock_;
  std::mutex mutex_;
  std::map<std::uint64_t, Entry> entries_;
};

}  // namespace slipway::region
