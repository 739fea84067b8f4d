// Where the HTTP service hands a machine's posted inventory: accepted only when it is durable.
#pragma once

#include <cstdint>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/time.h"

namespace slipway::service {

struct InventoryPost {
  IpAddress peer;
  IpAddress local;
  std::string_view token;    // of "Authorization: Bearer"; empty: none was sent
  ByteSpan body;             // valid until the post is answered
  std::uint64_t handle = 0;  // for HttpService::CompleteInventory
};

enum class InventoryVerdict : std::uint8_t {
  kAccepted,   // in work: CompleteInventory follows, and the peer's answer waits for it
  kMalformed,  // answered 400
  kDenied,     // answered 401
  kBusy,       // the queue is full: answered 503 with Retry-After
};

class InventorySink {
 public:
  virtual ~InventorySink() = default;
  // Never blocks. After kAccepted the owner calls HttpService::CompleteInventory(handle, durable)
  // exactly once, on this shard; the handle goes stale by itself if the peer leaves before.
  [[nodiscard]] virtual InventoryVerdict Submit(const InventoryPost& post, Instant now) = 0;
};

}  // namespace slipway::service
