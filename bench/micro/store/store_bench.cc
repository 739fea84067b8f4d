// Commits per second of the LMDB state store, alone and in groups, and facts per second.
#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <latch>
#include <string>

#include "controlplane/store/lmdb_facts.h"
#include "controlplane/store/lmdb_store.h"
#include "dataplane/base/check.h"
#include "schemas/facts_generated.h"

namespace slipway::store {
namespace {

class Directory {
 public:
  Directory() {
    const char* root = std::getenv("TMPDIR");
    path_ = std::string(root != nullptr ? root : "/tmp") + "/slipway-bench-XXXXXX";
    SLIP_CHECK(mkdtemp(path_.data()) != nullptr);
  }

  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// `range` batches are in flight together, each with the keys of one new reservation.
void BM_StateCommit(benchmark::State& state) {
  const Directory directory;
  auto store = LmdbStore::Open({.directory = directory.path() + "/state"});
  SLIP_CHECK(store);
  const auto in_flight = state.range(0);
  std::uint64_t number = 0;
  for (auto _ : state) {
    std::latch done(in_flight);
    for (std::int64_t i = 0; i < in_flight; ++i) {
      const std::string id = std::to_string(++number);
      Batch batch;
      batch.compares = {{.key = "u/mac/" + id, .modified = 0, .any_revision = false},
                        {.key = "m/ifc/" + id, .modified = 0, .any_revision = false}};
      batch.writes = {{.key = "m/ifc/" + id, .value = std::string(160, 'v')},
                      {.key = "u/mac/" + id, .value = id},
                      {.key = "u/addr/" + id, .value = id},
                      {.key = "g/mch/1", .value = ""},
                      {.key = "g/sub/1", .value = ""}};
      (*store)->Commit(std::move(batch), [&](Result<CommitResult> result) {
        SLIP_CHECK(result && result->committed);
        done.count_down();
      });
    }
    done.wait();
  }
  state.SetItemsProcessed(state.iterations() * in_flight);
}

BENCHMARK(BM_StateCommit)->Arg(1)->Arg(16)->Arg(256)->UseRealTime();

std::string LeaseFact(std::uint32_t number) {
  flatbuffers::FlatBufferBuilder builder;
  std::array<std::uint8_t, 16> bytes{};
  bytes[10] = bytes[11] = 0xFF;
  for (std::size_t i = 0; i < 4; ++i) {
    bytes[12 + i] = static_cast<std::uint8_t>(number >> (8 * (3 - i)));
  }
  const schema::FactAddress address{flatbuffers::span<const std::uint8_t, 16>(bytes)};
  const schema::LeaseStamp stamp(address, number, 1, 1, 0, 1, 1, 1, number, 600, 1200,
                                 schema::LeaseState::Bound);
  const auto lease = schema::CreateLease(builder, &stamp);
  builder.Finish(schema::CreateFact(builder, schema::FactBody::Lease, lease.Union()));
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

// Leases of 100,000 addresses, `range` in a batch, one batch at a time.
void BM_FactsLeases(benchmark::State& state) {
  const Directory directory;
  auto facts = OpenLmdbFacts({.directory = directory.path() + "/facts"});
  SLIP_CHECK(facts);
  std::uint64_t sequence = 1;
  for (auto _ : state) {
    FactsBatch batch{.rack = 1, .fact_class = FactClass::kLease, .epoch = 1, .first = sequence};
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      batch.payloads.push_back(
          LeaseFact(0x0A00'0000 + static_cast<std::uint32_t>(sequence++ * 7919 % 100'000)));
    }
    std::latch done(1);
    (*facts)->Apply(std::move(batch), [&](Result<FactsApplied> applied) {
      SLIP_CHECK(applied);
      done.count_down();
    });
    done.wait();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

BENCHMARK(BM_FactsLeases)->Arg(64)->Arg(1024)->UseRealTime();

}  // namespace
}  // namespace slipway::store
