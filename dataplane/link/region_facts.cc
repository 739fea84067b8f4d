// The region's half of facts (placed, de-duplicated, committed, acknowledged) and of questions.
#include <algorithm>
#include <string>
#include <utility>

#include "dataplane/link/convert.h"
#include "dataplane/link/region_core.h"
#include "dataplane/link/region_send.h"

namespace slipway::link {

// Fills batch_ with views into the message. False: out of bounds.
bool RegionSession::ReadFacts(const schema::Facts& facts) {
  batch_.fact_class = static_cast<FactClass>(facts.fact_class());
  batch_.epoch = facts.epoch();
  batch_.first = facts.first();
  batch_.dropped = facts.dropped();
  batch_.table_as_of = facts.table_as_of();
  batch_.table_last = facts.table_last();
  batch_.table_part = facts.table_part();
  batch_.records.clear();
  const std::size_t count = facts.records() == nullptr ? 0 : facts.records()->size();
  const bool table = batch_.table_as_of != 0;
  if (count > kFactsPerMessageMax || (count == 0 && !table) || batch_.epoch == 0) {
    return false;
  }
  // Sequences start at 1 and stay clear of the end of their type.
  constexpr std::uint64_t kSequenceMax = UINT64_MAX / 2;
  if (batch_.table_as_of > kSequenceMax || batch_.first > kSequenceMax ||
      (!table && batch_.first == 0)) {
    return false;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto* record = facts.records()->Get(static_cast<flatbuffers::uoffset_t>(i));
    const ByteSpan payload = Bytes(record->payload());
    if (payload.size() > kFactBytesMax) {
      return false;
    }
    batch_.records.push_back(payload);
  }
  return true;
}

// Parts come in order, from the first. A rack of version 0.1 does not number them: it sends all
// parts of one table in a row, and the channel loses none.
RegionSession::Place RegionSession::PlacePart(FactCursor& received) {
  TableProgress& table = tables_[IndexOf(batch_.fact_class)];
  const bool follows = table.epoch == batch_.epoch && table.as_of == batch_.table_as_of;
  const std::uint32_t next = follows ? table.parts + 1 : 1;
  if (batch_.table_part == 0) {
    batch_.table_part = next;
  }
  if (batch_.table_part != next && batch_.table_part != 1) {
    return Place::kGap;
  }
  table = {.epoch = batch_.epoch, .as_of = batch_.table_as_of, .parts = batch_.table_part};
  if (batch_.table_last) {
    table = {};
    received.next = std::max(received.next, batch_.table_as_of + 1);
  }
  return Place::kNew;
}

RegionSession::Place RegionSession::PlaceBatch(FactCursor& received) {
  if (batch_.epoch != received.epoch) {
    received = {.epoch = batch_.epoch, .next = 1};
  }
  if (batch_.table_as_of != 0) {
    return PlacePart(received);
  }
  const std::uint64_t end = batch_.first + batch_.records.size();
  if (end <= received.next) {
    return Place::kSeen;
  }
  if (batch_.first > received.next) {
    // Records may be missing only where the rack says that it had to drop them.
    if (batch_.first - received.next != batch_.dropped) {
      return Place::kGap;
    }
  } else {
    const std::uint64_t seen = received.next - batch_.first;
    batch_.records.erase(batch_.records.begin(),
                         batch_.records.begin() + static_cast<std::ptrdiff_t>(seen));
    batch_.first = received.next;
    batch_.dropped = 0;
  }
  received.next = end;
  return Place::kNew;
}

void RegionSession::OnFacts(const schema::Facts& facts, std::uint64_t bytes, Instant now) {
  (void)now;
  const auto known = std::any_of(kFactClasses.begin(), kFactClasses.end(), [&](FactClass c) {
    return std::to_underlying(c) == facts.fact_class();
  });
  if (!known) {
    // A class of a newer rack: never acknowledged, so that a newer region gets it.
    services_.counters->Reject(RejectReason::kUnknownBody);
    Consumed(bytes);
    return;
  }
  if (!ReadFacts(facts)) {
    services_.counters->Reject(RejectReason::kBadField);
    Broken(RejectReason::kBadField);
    return;
  }
  FactCursor& received = received_[IndexOf(batch_.fact_class)];
  switch (PlaceBatch(received)) {
    case Place::kGap:
      services_.counters->Reject(RejectReason::kGap);
      Broken(RejectReason::kGap);
      return;
    case Place::kSeen:
      services_.counters->facts_seen.Add();
      SendFactsCommitted(batch_.fact_class, services_.facts->Cursor(peer_.id, batch_.fact_class));
      Consumed(bytes);
      return;
    case Place::kNew:
      services_.facts->Commit(peer_.id, batch_, host_.MakeCommitDone(batch_.fact_class, bytes));
      return;
  }
}

void RegionSession::OnFactsCommitted(FactClass fact_class, std::uint64_t message_bytes,
                                     const Result<FactCursor>& cursor, Instant now) {
  if (state_ != State::kUp) {
    return;
  }
  if (!cursor) {
    // The rack keeps the records and comes again, at its pace.
    Close(std::string("store: ") + std::string(ToString(cursor.error().code)));
    return;
  }
  SendFactsCommitted(fact_class, *cursor);
  Consumed(message_bytes);
  Pump(now);
}

void RegionSession::SendFactsCommitted(FactClass fact_class, const FactCursor& cursor) {
  if (state_ == State::kUp) {
    (void)Send(schema::CreateFactsCommitted(channel_.builder(), std::to_underlying(fact_class),
                                            cursor.epoch, cursor.next));
  }
}

void RegionSession::Consumed(std::uint64_t bytes) {
  if (state_ == State::kUp && !channel_.Consumed(host_, bytes)) {
    End("send failed");
  }
}

void RegionSession::Query(std::string_view topic, std::string_view argument, QueryDone done,
                          Instant now) {
  if (state_ != State::kUp) {
    done(Fail(ErrorCode::kUnavailable));
    return;
  }
  if (queries_.size() == kQueriesOutstandingMax) {
    done(Fail(ErrorCode::kFull));
    return;
  }
  if (topic.size() > kTopicBytesMax || argument.size() > kArgumentBytesMax) {
    done(Fail(ErrorCode::kTooLarge));
    return;
  }
  const std::uint64_t id = next_query_++;
  queries_.push_back({.id = id, .deadline = now + kQueryTimeout, .done = std::move(done)});
  auto& builder = channel_.builder();
  const auto topic_text = builder.CreateString(topic.data(), topic.size());
  const auto argument_text = builder.CreateString(argument.data(), argument.size());
  (void)Send(schema::CreateQuery(builder, id, topic_text, argument_text));
}

void RegionSession::OnQueryAnswer(const schema::QueryAnswer& answer) {
  const auto found = std::find_if(queries_.begin(), queries_.end(), [&](const PendingQuery& query) {
    return query.id == answer.id();
  });
  if (found == queries_.end()) {
    return;  // Too late: the asker was told so.
  }
  QueryDone done = std::move(found->done);
  queries_.erase(found);
  done(QueryAnswer{.ok = answer.ok(), .json = std::string(View(answer.json()))});
}

void RegionSession::ExpireQueries(Instant now) {
  std::vector<PendingQuery> expired;
  for (std::size_t i = 0; i < queries_.size();) {
    if (now >= queries_[i].deadline) {
      expired.push_back(std::move(queries_[i]));
      queries_.erase(queries_.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
  for (PendingQuery& query : expired) {
    query.done(Fail(ErrorCode::kTimeout));
  }
}

}  // namespace slipway::link
