#include "dataplane/service/inventory_service.h"

namespace slipway::service {
namespace {

// A document is a JSON object; whether it is a good one the region decides.
[[nodiscard]] bool LooksLikeObject(ByteSpan body) noexcept {
  return body.size() >= 2 && body.front() == std::byte{'{'} &&
         body.size() <= limits::kInventoryBytesMax;
}

}  // namespace

InventoryService::InventoryService(const Parts& parts) : parts_(parts) {
  for (Waiting& slot : waiting_) {
    slot.builder = std::make_unique<Builder>();
    // The builder takes its block with the first byte: now, before the shard is sealed.
    (void)slot.builder->Start().CreateVector<std::uint8_t>({});
  }
}

InventoryService::Waiting* InventoryService::Free() noexcept {
  for (Waiting& slot : waiting_) {
    if (!slot.used) {
      return &slot;
    }
  }
  return nullptr;
}

InventoryVerdict InventoryService::Submit(const InventoryPost& post, Instant now) {
  const auto claims = parts_.tokens->Verify(post.token, post.peer, now);
  if (!claims) {
    counters_.denied.Add();
    return InventoryVerdict::kDenied;
  }
  if (!LooksLikeObject(post.body)) {
    counters_.malformed.Add();
    return InventoryVerdict::kMalformed;
  }
  if (parts_.tokens->StateOf(*claims) == TokenState::kUsed) {
    if (!repeated_.Push(post.handle)) {
      counters_.busy.Add();
      return InventoryVerdict::kBusy;
    }
    counters_.repeated.Add();
    return InventoryVerdict::kAccepted;
  }
  Waiting* const slot = Free();
  if (slot == nullptr || parts_.facts->failing()) {
    counters_.busy.Add();
    return InventoryVerdict::kBusy;
  }
  const ByteSpan fact = Encode(*slot, post, *claims);
  if (!parts_.facts->SubmitBorrowed(schema::FactClass::Inventory, claims->mac.ToU64(), fact,
                                    slot->position)) {
    counters_.busy.Add();
    return InventoryVerdict::kBusy;
  }
  slot->used = true;
  slot->handle = post.handle;
  slot->claims = *claims;
  counters_.accepted.Add();
  RecordStep(*claims, post.body.size());
  return InventoryVerdict::kAccepted;
}

ByteSpan InventoryService::Encode(Waiting& slot, const InventoryPost& post,
                                  const TokenClaims& claims) const {
  flatbuffers::FlatBufferBuilder& builder = slot.builder->Start();
  const Peer* const peer = parts_.peers->Find(post.peer);
  const schema::FactAddress address(
      flatbuffers::span<const std::uint8_t, 16>(post.peer.v6().octets.data(), 16));
  const auto document = builder.CreateVector(
      reinterpret_cast<const std::uint8_t*>(post.body.data()), post.body.size());
  const auto inventory = schema::CreateInventory(builder, claims.mac.ToU64(), claims.machine,
                                                 peer != nullptr ? peer->vlan : 0, &address,
                                                 parts_.clock->WallNow().ns, document);
  builder.Finish(schema::CreateFact(builder, schema::FactBody::Inventory, inventory.Union()));
  return {reinterpret_cast<const std::byte*>(builder.GetBufferPointer()), builder.GetSize()};
}

void InventoryService::RecordStep(const TokenClaims& claims, std::size_t bytes) {
  const Peer* const peer = parts_.peers->Find(claims.address);
  const boot::BootStep step{.mac = claims.mac,
                            .machine = claims.machine,
                            .vlan = peer != nullptr ? peer->vlan : 0,
                            .address = claims.address,
                            .realtime = parts_.clock->WallNow(),
                            .kind = boot::StepKind::kEnlisted,
                            .name = std::string_view("inventory"),
                            .bytes = bytes};
  std::uint64_t ignored = 0;
  // Boot steps may be lost when the queue is full; the inventory itself is in already.
  (void)parts_.facts->Submit(schema::FactClass::BootStep, 0, step_encoder_.Encode(step), ignored);
}

void InventoryService::OnDurable(std::uint64_t durable, Instant now) {
  for (Waiting& slot : waiting_) {
    if (slot.used && slot.position < durable) {
      slot.used = false;
      parts_.tokens->MarkUsed(slot.claims);
      counters_.durable.Add();
      parts_.loops->Progress(slot.claims.mac);
      if (progress_ != nullptr) {
        progress_->Send(slot.claims.mac);
      }
      completion_->OnInventoryDone(slot.handle, true, now);
    }
  }
}

void InventoryService::OnTurn(Instant now) {
  while (!repeated_.empty()) {
    completion_->OnInventoryDone(repeated_.Pop(), true, now);
  }
}

}  // namespace slipway::service
