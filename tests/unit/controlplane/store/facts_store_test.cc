#include "controlplane/store/facts_store.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>

#include "controlplane/store/lmdb_facts.h"
#include "controlplane/store/memory_facts.h"
#include "schemas/facts_generated.h"
#include "tests/unit/controlplane/store/temp_directory.h"

namespace slipway::store {
namespace {

constexpr std::uint64_t kRack = 7;
constexpr std::uint64_t kSubnet = 3;
const MacAddress kMacA = MacAddress::FromU64(0x5254'0000'0001);
const MacAddress kMacB = MacAddress::FromU64(0x5254'0000'0002);

IpAddress Ip(std::string_view text) { return *IpAddress::Parse(text); }

schema::FactAddress ToSchema(const IpAddress& address) {
  return schema::FactAddress(
      flatbuffers::span<const std::uint8_t, 16>(address.v6().octets.data(), std::size_t{16}));
}

std::string Finish(flatbuffers::FlatBufferBuilder& builder, schema::FactBody type,
                   flatbuffers::Offset<void> body) {
  builder.Finish(schema::CreateFact(builder, type, body));
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

std::string LeaseFact(const IpAddress& address, MacAddress mac, std::int64_t realtime_ns,
                      schema::LeaseState state = schema::LeaseState::Bound) {
  flatbuffers::FlatBufferBuilder builder;
  const schema::LeaseStamp stamp(ToSchema(address), mac.ToU64(), kSubnet, 2, 0, 1, 9, 10,
                                 realtime_ns, 600, 1200, state);
  const auto lease = schema::CreateLease(builder, &stamp, 0, builder.CreateString("node"));
  return Finish(builder, schema::FactBody::Lease, lease.Union());
}

std::string EventFact(const std::string& code) {
  flatbuffers::FlatBufferBuilder builder;
  const auto event = schema::CreateEventDirect(builder, 5, code.c_str(), "subject", "detail");
  return Finish(builder, schema::FactBody::Event, event.Union());
}

std::string StepFact(MacAddress mac, const std::string& name) {
  flatbuffers::FlatBufferBuilder builder;
  const schema::FactAddress address = ToSchema(Ip("10.0.0.9"));
  const auto step =
      schema::CreateBootStepDirect(builder, mac.ToU64(), 0, 2, &address, 5,
                                   schema::BootStepKind::TftpEnd, name.c_str(), 1000, 20, true);
  return Finish(builder, schema::FactBody::BootStep, step.Union());
}

std::string InventoryFact(MacAddress mac, const std::string& document) {
  flatbuffers::FlatBufferBuilder builder;
  const schema::FactAddress address = ToSchema(Ip("10.0.0.9"));
  const auto bytes =
      builder.CreateVector(reinterpret_cast<const std::uint8_t*>(document.data()), document.size());
  const auto inventory = schema::CreateInventory(builder, mac.ToU64(), 0, 2, &address, 5, bytes);
  return Finish(builder, schema::FactBody::Inventory, inventory.Union());
}

constexpr FactsLimits kLimits{
    .events_max = 5, .boot_steps_per_mac_max = 3, .boot_step_macs_max = 2, .inventories_max = 2};

struct MemoryBackend {
  FactsStore& facts() { return *memory; }

  void Reopen() {}

  std::unique_ptr<FactsStore> memory = MakeMemoryFacts(kLimits);
};

struct LmdbBackend {
  LmdbBackend() {
    options.directory = directory.path() + "/facts";
    Reopen();
  }

  FactsStore& facts() { return *opened; }

  void Reopen() {
    opened.reset();
    auto store = OpenLmdbFacts(options, kLimits);
    SLIP_CHECK(store);
    opened = *std::move(store);
  }

  TempDirectory directory;
  LmdbOptions options;
  std::unique_ptr<FactsStore> opened;
};

template <typename Backend>
class FactsStoreContract : public testing::Test {
 protected:
  FactsStore& facts() { return backend_.facts(); }

  FactsApplied Apply(FactsBatch batch) {
    std::promise<Result<FactsApplied>> promise;
    facts().Apply(std::move(batch),
                  [&](Result<FactsApplied> result) { promise.set_value(std::move(result)); });
    const auto result = promise.get_future().get();
    EXPECT_TRUE(result);
    return result.value_or(FactsApplied{});
  }

  FactsApplied Send(FactClass fact_class, std::uint64_t first, std::vector<std::string> payloads,
                    std::uint64_t rack = kRack, std::uint64_t epoch = 11) {
    FactsBatch batch;
    batch.rack = rack;
    batch.fact_class = fact_class;
    batch.epoch = epoch;
    batch.first = first;
    batch.payloads = std::move(payloads);
    return Apply(std::move(batch));
  }

  Backend backend_;
};

using Backends = testing::Types<MemoryBackend, LmdbBackend>;
TYPED_TEST_SUITE(FactsStoreContract, Backends);

TYPED_TEST(FactsStoreContract, RepeatedBatchIsAppliedOnce) {
  EXPECT_EQ(this->facts().Cursor(kRack, FactClass::kEvent), FactsCursor{});
  const auto first = this->Send(FactClass::kEvent, 1, {EventFact("a"), EventFact("b")});
  EXPECT_EQ(first.applied, 2U);
  EXPECT_EQ(first.cursor, (FactsCursor{.epoch = 11, .next = 3}));
  const auto again = this->Send(FactClass::kEvent, 2, {EventFact("b"), EventFact("c")});
  EXPECT_EQ(again.duplicates, 1U);
  EXPECT_EQ(again.applied, 1U);
  EXPECT_EQ(this->facts().Cursor(kRack, FactClass::kEvent).next, 4U);
  const auto events = *this->facts().Events(0, 10);
  ASSERT_EQ(events.rows.size(), 3U);
  EXPECT_EQ(events.rows[2].code, "c");
  EXPECT_EQ(events.rows[2].rack, kRack);
  EXPECT_EQ(events.rows[2].position, 3U);
}

TYPED_TEST(FactsStoreContract, GapOfDroppedRecordsIsAcceptedAndCounted) {
  this->Send(FactClass::kEvent, 1, {EventFact("a")});
  FactsBatch batch;
  batch.rack = kRack;
  batch.fact_class = FactClass::kEvent;
  batch.epoch = 11;
  batch.first = 5;
  batch.dropped = 3;
  batch.payloads = {EventFact("e")};
  const auto later = this->Apply(std::move(batch));
  EXPECT_EQ(later.missing, 3U);
  EXPECT_EQ(later.cursor.next, 6U);
}

// Found by the simulation, seed 27: the commit of a batch failed while the next was on its way.
TYPED_TEST(FactsStoreContract, BatchAfterOneThatFailedIsRefused) {
  FactsBatch batch;
  batch.rack = kRack;
  batch.fact_class = FactClass::kEvent;
  batch.epoch = 11;
  batch.first = 2;
  batch.payloads = {EventFact("b")};
  ErrorCode code = ErrorCode::kNone;
  this->facts().Apply(std::move(batch), [&](Result<FactsApplied> applied) {
    code = applied ? ErrorCode::kNone : applied.error().code;
  });
  // Answers come in order: this one comes after it.
  this->Send(FactClass::kEvent, 1, {EventFact("a"), EventFact("b")});
  EXPECT_EQ(code, ErrorCode::kConflict);
  EXPECT_EQ(this->facts().Cursor(kRack, FactClass::kEvent).next, 3U);
  EXPECT_EQ(this->facts().Events(0, 10)->rows.size(), 2U);
}

TYPED_TEST(FactsStoreContract, NewJournalEpochStartsANewCursor) {
  this->Send(FactClass::kEvent, 1, {EventFact("a"), EventFact("b")});
  const auto other = this->Send(FactClass::kEvent, 1, {EventFact("c")}, kRack, 12);
  EXPECT_EQ(other.applied, 1U);
  EXPECT_EQ(other.cursor, (FactsCursor{.epoch = 12, .next = 2}));
}

TYPED_TEST(FactsStoreContract, MalformedPayloadIsCountedAndPassed) {
  const auto applied = this->Send(FactClass::kEvent, 1,
                                  {"garbage", EventFact("a"), LeaseFact(Ip("10.0.0.5"), kMacA, 1)});
  EXPECT_EQ(applied.malformed, 2U);
  EXPECT_EQ(applied.applied, 1U);
  EXPECT_EQ(applied.cursor.next, 4U);
}

TYPED_TEST(FactsStoreContract, LeaseOfAnAddressIsTheLatest) {
  this->Send(FactClass::kLease, 1,
             {LeaseFact(Ip("10.0.0.5"), kMacA, 100), LeaseFact(Ip("10.0.0.6"), kMacA, 110),
              LeaseFact(Ip("10.0.0.5"), kMacB, 120)});
  const auto row = *this->facts().LeaseByAddress({kSubnet, Ip("10.0.0.5")});
  ASSERT_TRUE(row);
  EXPECT_EQ(row->mac, kMacB);
  EXPECT_EQ(row->hostname, "node");
  EXPECT_EQ(row->lease_ns, 600);
  EXPECT_EQ(this->facts().LeasesByMac(kMacA, 10)->size(), 1U);
  EXPECT_EQ(this->facts().LeasesByMac(kMacB, 10)->front().address, Ip("10.0.0.5"));
  const auto first = *this->facts().Leases(std::nullopt, 1);
  ASSERT_EQ(first.rows.size(), 1U);
  EXPECT_TRUE(first.more);
  const auto second =
      *this->facts().Leases(LeaseKey{first.rows[0].subnet, first.rows[0].address}, 10);
  ASSERT_EQ(second.rows.size(), 1U);
  EXPECT_EQ(second.rows[0].address, Ip("10.0.0.6"));
  EXPECT_FALSE(second.more);
}

TYPED_TEST(FactsStoreContract, OlderGrantOfAnotherRackDoesNotWin) {
  this->Send(FactClass::kLease, 1, {LeaseFact(Ip("10.0.0.5"), kMacA, 100)});
  this->Send(FactClass::kLease, 1, {LeaseFact(Ip("10.0.0.5"), kMacB, 50)}, kRack + 1);
  EXPECT_EQ((*this->facts().LeaseByAddress({kSubnet, Ip("10.0.0.5")}))->mac, kMacA);
}

TYPED_TEST(FactsStoreContract, TableMovesTheCursorWithItsLastPart) {
  FactsBatch part;
  part.rack = kRack;
  part.fact_class = FactClass::kLease;
  part.epoch = 11;
  part.table_as_of = 500;
  part.table_part = 1;
  part.payloads = {LeaseFact(Ip("10.0.0.5"), kMacA, 100)};
  this->Apply(part);
  EXPECT_EQ(this->facts().Cursor(kRack, FactClass::kLease), FactsCursor{});
  part.payloads = {LeaseFact(Ip("10.0.0.6"), kMacB, 100)};
  part.table_part = 2;
  part.table_last = true;
  EXPECT_EQ(this->Apply(part).cursor.next, 501U);
  EXPECT_EQ(this->facts().Cursor(kRack, FactClass::kLease).next, 501U);
  EXPECT_EQ(this->facts().Leases(std::nullopt, 10)->rows.size(), 2U);
}

// A part was not committed, and the last one was on its way already: the cursor stays, and the
// whole table is taken when it comes again.
TYPED_TEST(FactsStoreContract, TableWithAPartMissingMovesNothing) {
  FactsBatch part;
  part.rack = kRack;
  part.fact_class = FactClass::kLease;
  part.epoch = 11;
  part.table_as_of = 500;
  part.table_part = 1;
  part.payloads = {LeaseFact(Ip("10.0.0.5"), kMacA, 100)};
  this->Apply(part);
  FactsBatch last = part;
  last.table_part = 3;
  last.table_last = true;
  FactsBatch of_another_table = part;
  of_another_table.table_part = 2;
  of_another_table.table_as_of = 501;
  std::vector<ErrorCode> codes;
  for (const FactsBatch& refused : {last, of_another_table}) {
    this->facts().Apply(refused, [&](Result<FactsApplied> applied) {
      codes.push_back(applied ? ErrorCode::kNone : applied.error().code);
    });
  }
  this->Apply(part);  // Answers come in order: this one comes after them.
  EXPECT_EQ(codes, (std::vector{ErrorCode::kConflict, ErrorCode::kConflict}));
  EXPECT_EQ(this->facts().Cursor(kRack, FactClass::kLease), FactsCursor{});
  part.table_part = 2;
  this->Apply(part);
  EXPECT_EQ(this->Apply(last).cursor.next, 501U);
}

TYPED_TEST(FactsStoreContract, BootStepsAreBoundedPerMachine) {
  this->Send(FactClass::kBootStep, 1,
             {StepFact(kMacA, "1"), StepFact(kMacA, "2"), StepFact(kMacB, "x"),
              StepFact(kMacA, "3"), StepFact(kMacA, "4")});
  const auto steps = *this->facts().BootSteps(kMacA, 0, 10);
  ASSERT_EQ(steps.size(), 3U);
  EXPECT_EQ(steps[0].name, "2");
  EXPECT_EQ(steps[2].name, "4");
  EXPECT_EQ(steps[2].kind, "TftpEnd");
  EXPECT_EQ(steps[2].bytes, 1000U);
  EXPECT_EQ(this->facts().BootSteps(kMacA, 0, 2)->front().name, "3");
  EXPECT_EQ(this->facts().BootSteps(kMacA, steps[1].position, 10)->size(), 1U);
  EXPECT_EQ(this->facts().BootStepsAfter(2, 10)->rows.size(), 3U);
}

TYPED_TEST(FactsStoreContract, QuietestMachineLosesItsBootSteps) {
  const MacAddress other = MacAddress::FromU64(0x5254'0000'0003);
  this->Send(
      FactClass::kBootStep, 1,
      {StepFact(kMacA, "1"), StepFact(kMacB, "2"), StepFact(kMacA, "3"), StepFact(other, "4")});
  EXPECT_TRUE(this->facts().BootSteps(kMacB, 0, 10)->empty());
  EXPECT_EQ(this->facts().BootSteps(kMacA, 0, 10)->size(), 2U);
  EXPECT_EQ(this->facts().BootSteps(other, 0, 10)->size(), 1U);
}

TYPED_TEST(FactsStoreContract, EventsAreARingWithResume) {
  for (std::uint64_t i = 1; i <= 8; ++i) {
    this->Send(FactClass::kEvent, i, {EventFact(std::to_string(i))});
  }
  EXPECT_EQ(*this->facts().OldestEvent(), 4U);
  const auto page = *this->facts().Events(5, 2);
  ASSERT_EQ(page.rows.size(), 2U);
  EXPECT_EQ(page.rows[0].code, "6");
  EXPECT_TRUE(page.more);
}

TYPED_TEST(FactsStoreContract, RegionEventsShareTheLog) {
  this->Send(FactClass::kEvent, 1, {EventFact("rack")});
  std::promise<Result<std::uint64_t>> promise;
  EventRow event;
  event.code = "region";
  event.realtime_ns = 5;
  this->facts().AppendEvent(
      event, [&](Result<std::uint64_t> position) { promise.set_value(std::move(position)); });
  EXPECT_EQ(promise.get_future().get(), Result<std::uint64_t>(2));
  const auto events = *this->facts().Events(0, 10);
  ASSERT_EQ(events.rows.size(), 2U);
  EXPECT_EQ(events.rows[1].code, "region");
  EXPECT_EQ(events.rows[1].rack, 0U);
}

TYPED_TEST(FactsStoreContract, LatestInventoryStaysWhenTheLogMovesOn) {
  this->Send(FactClass::kInventory, 1,
             {InventoryFact(kMacA, "{\"a\":1}"), InventoryFact(kMacB, "{\"b\":1}"),
              InventoryFact(kMacB, "{\"b\":2}"), InventoryFact(kMacB, "{\"b\":3}")});
  EXPECT_EQ((*this->facts().LatestInventory(kMacA))->document, "{\"a\":1}");
  EXPECT_EQ((*this->facts().LatestInventory(kMacB))->document, "{\"b\":3}");
  const auto log = *this->facts().InventoriesAfter(0, 10);
  ASSERT_EQ(log.rows.size(), 2U);
  EXPECT_EQ(log.rows[0].position, 3U);
}

TYPED_TEST(FactsStoreContract, EverythingSurvivesReopening) {
  this->Send(FactClass::kLease, 1, {LeaseFact(Ip("10.0.0.5"), kMacA, 100)});
  this->Send(FactClass::kBootStep, 1, {StepFact(kMacA, "1")});
  this->Send(FactClass::kEvent, 1, {EventFact("a")});
  this->backend_.Reopen();
  EXPECT_EQ(this->facts().Cursor(kRack, FactClass::kLease).next, 2U);
  this->Send(FactClass::kEvent, 2, {EventFact("b")});
  EXPECT_EQ(this->facts().Events(0, 10)->rows.size(), 2U);
  EXPECT_EQ(this->facts().Positions()->events, 2U);
  EXPECT_EQ(this->facts().LeasesByMac(kMacA, 10)->size(), 1U);
}

}  // namespace
}  // namespace slipway::store
