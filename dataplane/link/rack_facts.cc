// The rack's half of facts (up, under credit) and of questions.
#include <algorithm>
#include <utility>

#include "dataplane/base/check.h"
#include "dataplane/link/convert.h"
#include "dataplane/link/rack_core.h"
#include "dataplane/link/rack_send.h"

namespace slipway::link {
namespace {

FactCursor CursorOf(const schema::Welcome& welcome, FactClass fact_class) {
  if (welcome.cursors() != nullptr) {
    for (const schema::FactCursor* cursor : *welcome.cursors()) {
      if (cursor->fact_class() == std::to_underlying(fact_class)) {
        return {.epoch = cursor->epoch(), .next = std::max<std::uint64_t>(cursor->sequence(), 1)};
      }
    }
  }
  return {};
}

}  // namespace

void RackLink::StartOutboxes(const schema::Welcome& welcome) {
  for (const FactClass fact_class : kFactClasses) {
    const FactCursor region = CursorOf(welcome, fact_class);
    FactCursor end = facts_.End(fact_class);
    Outbox& outbox = outboxes_[IndexOf(fact_class)];
    outbox = {};
    if (region.epoch == end.epoch && region.next > end.next) {
      facts_.StartNewEpoch(fact_class);
      end = facts_.End(fact_class);
    }
    if (region.epoch == end.epoch) {
      outbox.sent = region;
      facts_.Committed(fact_class, region);
    } else {
      outbox.sent = {.epoch = end.epoch, .next = 1};
    }
  }
}

void RackLink::OnFactsReady(Instant now) { PumpFacts(now); }

void RackLink::PumpFacts(Instant now) {
  // One message of each class in turn, so that no class starves another.
  bool sent = true;
  while (sent) {
    sent = false;
    for (const FactClass fact_class : kFactClasses) {
      if (state_ != State::kUp || !channel_.MaySendData()) {
        return;
      }
      sent = SendFacts(fact_class, now) || sent;
    }
  }
}

// True if a message left and there may be more.
bool RackLink::SendFacts(FactClass fact_class, Instant now) {
  Outbox& outbox = outboxes_[IndexOf(fact_class)];
  if (const FactCursor end = facts_.End(fact_class); end.epoch != outbox.sent.epoch) {
    outbox = {.sent = {.epoch = end.epoch, .next = 1}};
  }
  facts_.Peek(fact_class, outbox.sent.next, outbox.table_position, kFactsPayloadBytesMax, batch_);
  const bool table = batch_.table_as_of != 0;
  if (batch_.records.empty() && !(table && batch_.table_last)) {
    return false;
  }
  SLIP_CHECK(batch_.records.size() <= kFactsPerMessageMax);
  auto& builder = channel_.builder();
  std::vector<flatbuffers::Offset<schema::FactRecord>> records;
  records.reserve(batch_.records.size());
  for (const ByteSpan payload : batch_.records) {
    SLIP_CHECK(payload.size() <= kFactBytesMax);
    records.push_back(schema::CreateFactRecord(builder, AddBytes(builder, payload)));
  }
  const auto vector = builder.CreateVector(records);
  if (!Send(schema::CreateFacts(builder, std::to_underlying(fact_class), outbox.sent.epoch,
                                batch_.first, batch_.dropped, vector, batch_.table_as_of,
                                batch_.table_last, table ? outbox.table_position + 1 : 0),
            now)) {
    return false;
  }
  if (!table) {
    outbox = {.sent = {.epoch = outbox.sent.epoch, .next = batch_.first + batch_.records.size()}};
  } else if (batch_.table_last) {
    outbox = {.sent = {.epoch = outbox.sent.epoch, .next = batch_.table_as_of + 1}};
  } else {
    ++outbox.table_position;
  }
  return true;
}

void RackLink::OnFactsCommitted(const schema::FactsCommitted& committed, Instant now) {
  const auto found =
      std::find_if(kFactClasses.begin(), kFactClasses.end(), [&](FactClass fact_class) {
        return std::to_underlying(fact_class) == committed.fact_class();
      });
  if (found == kFactClasses.end()) {
    counters_.Reject(RejectReason::kBadField);
    return;
  }
  const Outbox& outbox = outboxes_[IndexOf(*found)];
  if (committed.epoch() != outbox.sent.epoch) {
    return;  // Of the epoch before: nothing of it is ours to drop any more.
  }
  if (committed.next() > outbox.sent.next) {
    counters_.Reject(RejectReason::kBadField);
    Broken(RejectReason::kBadField, now);
    return;
  }
  facts_.Committed(*found, {.epoch = committed.epoch(), .next = committed.next()});
}

void RackLink::OnQuery(const schema::Query& query, Instant now) {
  const std::string_view topic = View(query.topic());
  const std::string_view argument = View(query.argument());
  if (topic.size() > kTopicBytesMax || argument.size() > kArgumentBytesMax ||
      std::find(queries_.begin(), queries_.end(), query.id()) != queries_.end()) {
    counters_.Reject(RejectReason::kBadField);
    Broken(RejectReason::kBadField, now);
    return;
  }
  if (queries_.size() == kQueriesOutstandingMax) {
    queries_.push_back(query.id());
    Answer(query.id(), false, "busy", now);
    return;
  }
  queries_.push_back(query.id());
  observer_.OnQuery(query.id(), topic, argument);
}

void RackLink::Answer(std::uint64_t id, bool ok, std::string_view json, Instant now) {
  const auto found = std::find(queries_.begin(), queries_.end(), id);
  if (state_ != State::kUp || found == queries_.end()) {
    return;  // Asked on a connection that is gone.
  }
  queries_.erase(found);
  if (json.size() > kAnswerBytesMax) {
    ok = false;
    json = "the answer is too large";
  }
  auto& builder = channel_.builder();
  const auto text = builder.CreateString(json.data(), json.size());
  (void)Send(schema::CreateQueryAnswer(builder, id, ok, text), now);
}

}  // namespace slipway::link
