#include "dataplane/service/rack_event.h"

#include <algorithm>
#include <charconv>

#include "dataplane/base/random.h"
#include "schemas/facts_generated.h"

namespace slipway::service {
namespace {

struct CodeRow {
  EventCode code;
  std::string_view text;
  LogLevel level;
};

constexpr std::array<CodeRow, static_cast<std::size_t>(EventCode::kCount)> kCodes = {{
    {EventCode::kJournalFailing, "journal-failing", LogLevel::kError},
    {EventCode::kJournalRecovered, "journal-recovered", LogLevel::kInfo},
    {EventCode::kSnapshotUnreadable, "snapshot-unreadable", LogLevel::kError},
    {EventCode::kSnapshotRejected, "snapshot-rejected", LogLevel::kWarn},
    {EventCode::kSnapshotNotWritten, "snapshot-not-written", LogLevel::kError},
    {EventCode::kSnapshotRewriteFailed, "snapshot-rewrite-failed", LogLevel::kWarn},
    {EventCode::kImageObjectMissing, "image-object-missing", LogLevel::kWarn},
    {EventCode::kImageObjectDamaged, "image-object-damaged", LogLevel::kError},
    {EventCode::kImageObjectsUnopened, "image-objects-unopened", LogLevel::kError},
    {EventCode::kInterfacesTooMany, "interfaces-too-many", LogLevel::kWarn},
    {EventCode::kBootLoop, "boot-loop", LogLevel::kWarn},
    {EventCode::kForeignDhcpServer, "foreign-dhcp-server", LogLevel::kWarn},
    {EventCode::kPoolUsage, "pool-usage", LogLevel::kWarn},
    {EventCode::kAddressConflict, "address-conflict", LogLevel::kWarn},
    {EventCode::kPairRecover, "pair-state-recover", LogLevel::kWarn},
    {EventCode::kPairRecoverWait, "pair-state-recover-wait", LogLevel::kWarn},
    {EventCode::kPairNormal, "pair-state-normal", LogLevel::kInfo},
    {EventCode::kPairInterrupted, "pair-state-interrupted", LogLevel::kWarn},
    {EventCode::kPairPartnerDown, "pair-state-partner-down", LogLevel::kWarn},
    {EventCode::kPairEnded, "pair-state-off", LogLevel::kInfo},
    {EventCode::kPairConflict, "pair-conflict", LogLevel::kError},
}};

constexpr bool RowsAreInOrder() {
  for (std::size_t i = 0; i < kCodes.size(); ++i) {
    if (static_cast<std::size_t>(kCodes[i].code) != i || kCodes[i].text.empty()) {
      return false;
    }
  }
  return true;
}

static_assert(RowsAreInOrder());

const CodeRow& RowOf(EventCode code) noexcept { return kCodes[static_cast<std::size_t>(code)]; }

std::uint64_t KeyOf(const RackEvent& event) noexcept {
  std::uint64_t key = Mix64(static_cast<std::uint64_t>(event.code) + 1);
  for (const char c : event.subject.view()) {
    key = Mix64(key ^ static_cast<std::uint8_t>(c));
  }
  return key | 1;  // 0 says free
}

}  // namespace

std::string_view ToString(EventCode code) noexcept {
  return code < EventCode::kCount ? RowOf(code).text : "unknown";
}

LogLevel LevelOf(EventCode code) noexcept {
  return code < EventCode::kCount ? RowOf(code).level : LogLevel::kWarn;
}

RackEvent MakeEvent(EventCode code, std::string_view subject, std::string_view detail,
                    WallTime realtime) noexcept {
  RackEvent event{.code = code, .realtime = realtime};
  (void)event.subject.Assign(subject.substr(0, kEventSubjectBytesMax));
  (void)event.detail.Assign(detail.substr(0, kEventDetailBytesMax));
  return event;
}

EventText DetailOf(const RackEvent& event) noexcept {
  EventText detail(event.detail.view());
  if (event.times > 1) {
    std::array<char, 12> number{};
    const auto [end, error] =
        std::to_chars(number.data(), number.data() + number.size(), event.times);
    (void)error;
    (void)detail.Append(detail.empty() ? "(" : " (");
    (void)detail.Append({number.data(), static_cast<std::size_t>(end - number.data())});
    (void)detail.Append(" times)");
  }
  return detail;
}

ByteSpan EventEncoder::Encode(const RackEvent& event) {
  const EventText detail = DetailOf(event);
  flatbuffers::FlatBufferBuilder& builder = builder_.Start();
  const auto add = [&builder](std::string_view text) {
    return builder.CreateString(text.data(), text.size());
  };
  const auto code = add(ToString(event.code));
  const auto subject = add(event.subject.view());
  const auto body =
      schema::CreateEvent(builder, event.realtime.ns, code, subject, add(detail.view()));
  builder.Finish(schema::CreateFact(builder, schema::FactBody::Event, body.Union()));
  return {reinterpret_cast<const std::byte*>(builder.GetBufferPointer()), builder.GetSize()};
}

EventFilter::EventFilter(const EventLimits& limits)
    : limits_(limits), entries_(std::max<std::size_t>(limits.subjects_max, 1)) {}

// The place of the key; else a free one, or the one that has been quiet for longest. Null: in all
// of them something waits.
EventFilter::Entry* EventFilter::FindOrTake(std::uint64_t key) noexcept {
  Entry* taken = nullptr;
  for (Entry& entry : entries_) {
    if (entry.key == key) {
      return &entry;
    }
    const bool better =
        taken == nullptr ||
        (taken->key != 0 && (entry.key == 0 || entry.quiet_until < taken->quiet_until));
    if (entry.held == 0 && better) {
      taken = &entry;
    }
  }
  if (taken != nullptr) {
    *taken = Entry{};
    taken->key = key;
  }
  return taken;
}

const RackEvent* EventFilter::Observe(const RackEvent& event, Instant now) noexcept {
  Entry* const entry = FindOrTake(KeyOf(event));
  if (entry == nullptr) {
    dropped_.Add();
    return nullptr;
  }
  waiting_ += entry->held == 0 ? 1 : 0;
  entry->held += entry->held < UINT32_MAX ? 1 : 0;
  entry->event = event;
  return now < entry->quiet_until ? nullptr : Tell(*entry, now);
}

const RackEvent* EventFilter::Due(Instant now) noexcept {
  if (waiting_ == 0) {
    return nullptr;
  }
  Entry* oldest = nullptr;
  for (Entry& entry : entries_) {
    const bool due = entry.held > 0 && now >= entry.quiet_until;
    if (due && (oldest == nullptr || entry.quiet_until < oldest->quiet_until)) {
      oldest = &entry;
    }
  }
  return oldest == nullptr ? nullptr : Tell(*oldest, now);
}

const RackEvent* EventFilter::Tell(Entry& entry, Instant now) noexcept {
  if (theoretical_ - now > limits_.interval * (limits_.burst - 1)) {
    return nullptr;  // Too many of all kinds: it waits for Due.
  }
  theoretical_ = std::max(theoretical_, now) + limits_.interval;
  told_ = entry.event;
  told_.times = std::exchange(entry.held, 0);
  entry.quiet_until = now + limits_.repeat;
  --waiting_;
  return &told_;
}

}  // namespace slipway::service
