// Events of the rack itself as facts of class Event: what goes wrong or changes here, for people
// and for `slipway event list`. Pure: values, times and bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/base/bounded.h"
#include "dataplane/base/counter.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/log.h"
#include "dataplane/base/time.h"
#include "dataplane/config/fixed_builder.h"

namespace slipway::service {

// A new code is a row in rack_event.cc and one in docs/operations.md, which gives meaning, cause
// and cure. The text is what people match on: it never changes.
enum class EventCode : std::uint8_t {
  kJournalFailing,
  kJournalRecovered,
  kSnapshotUnreadable,
  kSnapshotRejected,
  kSnapshotNotWritten,
  kSnapshotRewriteFailed,
  kImageObjectMissing,
  kImageObjectDamaged,
  kImageObjectsUnopened,
  kInterfacesTooMany,
  kBootLoop,
  kForeignDhcpServer,
  kPoolUsage,
  kAddressConflict,
  // Of a pair of racks: the states that it comes to, by which people know them.
  kPairRecover,
  kPairRecoverWait,
  kPairNormal,
  kPairInterrupted,
  kPairPartnerDown,
  kPairEnded,
  kPairConflict,
  kCount,
};

[[nodiscard]] std::string_view ToString(EventCode code) noexcept;
// How it is logged by threads that log.
[[nodiscard]] LogLevel LevelOf(EventCode code) noexcept;

inline constexpr std::size_t kEventSubjectBytesMax = 127;
inline constexpr std::size_t kEventDetailBytesMax = 255;

struct RackEvent {
  EventCode code = EventCode::kCount;
  FixedString<kEventSubjectBytesMax> subject;  // what it is about: a MAC, a file, a generation
  FixedString<kEventDetailBytesMax> detail;
  WallTime realtime;
  std::uint32_t times = 1;  // how often since it was told before
};

// With the number of times, if it was more than one.
using EventText = FixedString<kEventDetailBytesMax + 32>;
[[nodiscard]] EventText DetailOf(const RackEvent& event) noexcept;

inline constexpr std::size_t kEventFactBytesMax = 704;

// Encodes into memory of its own, without allocation. One thread.
class EventEncoder {
 public:
  // A Fact (schemas/facts.fbs), valid until the next call.
  [[nodiscard]] ByteSpan Encode(const RackEvent& event);

 private:
  config::FixedBuilder<kEventFactBytesMax> builder_;
};

struct EventLimits {
  std::size_t subjects_max = 256;               // (code, subject) pairs that are remembered
  Duration repeat = Duration::Seconds(60);      // between two of the same code and subject
  std::int64_t burst = 64;                      // of all events at once, ...
  Duration interval = Duration::Millis(2'000);  // ... and one per so long in the long run
};

// Lets the first event of a code and subject through at once, and holds its repeats back until
// `repeat` has passed: the newest of them is told then, with their number. So what goes on is told
// once a minute, and the last word on a subject is never lost. All events together are bounded too.
// One thread, or under its owner's lock. All memory at construction.
class EventFilter {
 public:
  explicit EventFilter(const EventLimits& limits);

  // The event to be told now, or nullptr. Valid until the next call.
  [[nodiscard]] const RackEvent* Observe(const RackEvent& event, Instant now) noexcept;
  // One that was held back and is due; call until nullptr, about once a second.
  [[nodiscard]] const RackEvent* Due(Instant now) noexcept;

  // Told to nobody: all places were taken by events that wait.
  [[nodiscard]] const Counter& dropped() const noexcept { return dropped_; }

 private:
  struct Entry {
    std::uint64_t key = 0;  // 0: free
    Instant quiet_until;
    std::uint32_t held = 0;
    RackEvent event;
  };

  [[nodiscard]] Entry* FindOrTake(std::uint64_t key) noexcept;
  [[nodiscard]] const RackEvent* Tell(Entry& entry, Instant now) noexcept;

  EventLimits limits_;
  std::vector<Entry> entries_;
  std::uint64_t waiting_ = 0;  // entries with something held
  Instant theoretical_;        // the bound on all: generic cell rate
  RackEvent told_;
  Counter dropped_;
};

// Where the parts of a rack put events. One per thread, or thread-safe.
class EventSink {
 public:
  virtual ~EventSink() = default;
  // Texts are cut to their bounds. Never blocks.
  virtual void Report(EventCode code, std::string_view subject, std::string_view detail) = 0;
};

[[nodiscard]] RackEvent MakeEvent(EventCode code, std::string_view subject, std::string_view detail,
                                  WallTime realtime) noexcept;

}  // namespace slipway::service
