// A shard's way to the journal. Facts are numbered in the order of submission; the journal thread
// tells up to which number all is durable.
#pragma once

#include <cstdint>

#include "dataplane/base/cursor.h"
#include "dataplane/base/time.h"
#include "schemas/facts_generated.h"

namespace slipway::service {

class FactListener {
 public:
  virtual ~FactListener() = default;
  // All facts with a position below `durable` are on disk.
  virtual void OnDurable(std::uint64_t durable, Instant now) = 0;
};

// One per shard; the shard's thread. Implemented over the journal thread's mailboxes
// (dataplane/main/journal_port.h) and by tests.
class FactPort {
 public:
  virtual ~FactPort() = default;

  // Copies the fact. False if the queue is full: nothing was submitted. `key` says what a newer
  // fact of the class replaces (0: nothing); `position` is what OnDurable will pass.
  [[nodiscard]] virtual bool Submit(schema::FactClass fact_class, std::uint64_t key, ByteSpan fact,
                                    std::uint64_t& position) = 0;
  // The same without a copy, for large facts: the bytes stay valid and unchanged until OnDurable
  // has passed `position`.
  [[nodiscard]] virtual bool SubmitBorrowed(schema::FactClass fact_class, std::uint64_t key,
                                            ByteSpan fact, std::uint64_t& position) = 0;
  // The journal cannot write at present: promise nothing.
  [[nodiscard]] virtual bool failing() const noexcept = 0;
};

}  // namespace slipway::service
