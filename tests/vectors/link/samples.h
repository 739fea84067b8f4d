// One message of each kind of the control link, with fixed contents.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/link/envelope.h"

namespace slipway::link::test {

struct Sample {
  std::string_view name;
  bool to_region = false;  // who takes it
  std::function<std::pair<schema::LinkBody, flatbuffers::Offset<void>>(
      flatbuffers::FlatBufferBuilder&)>
      body;
};

template <typename Table>
std::pair<schema::LinkBody, flatbuffers::Offset<void>> Body(flatbuffers::Offset<Table> table) {
  constexpr schema::LinkBody kType = schema::LinkBodyTraits<Table>::enum_value;
  return {kType, table.Union()};
}

inline flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> Octets(
    flatbuffers::FlatBufferBuilder& builder, std::size_t size) {
  std::vector<std::uint8_t> octets;
  for (std::size_t i = 0; i < size; ++i) {
    octets.push_back(static_cast<std::uint8_t>(i + 1));
  }
  return builder.CreateVector(octets);
}

inline auto SampleRecords(flatbuffers::FlatBufferBuilder& builder) {
  std::vector<flatbuffers::Offset<schema::LinkRecord>> records;
  records.push_back(schema::CreateLinkRecord(builder, 4, 17, Octets(builder, 12)));
  records.push_back(schema::CreateLinkRecord(builder, 5, 18));
  return builder.CreateVector(records);
}

inline auto SampleCursors(flatbuffers::FlatBufferBuilder& builder) {
  std::vector<flatbuffers::Offset<schema::FactCursor>> cursors;
  for (std::uint8_t fact_class = 1; fact_class <= 4; ++fact_class) {
    cursors.push_back(schema::CreateFactCursor(builder, fact_class, 7, 100ULL * fact_class));
  }
  return builder.CreateVector(cursors);
}

inline std::pair<schema::LinkBody, flatbuffers::Offset<void>> SampleHello(
    flatbuffers::FlatBufferBuilder& builder) {
  const schema::LinkGeneration live(1, 41);
  const schema::LinkGeneration tip(1, 42);
  const schema::LinkHash live_hash(0x11, 0x22);
  const schema::LinkHash tip_hash(0x33, 0x44);
  const auto software = builder.CreateString("slipway-rack 0.1.0");
  const auto name = builder.CreateString("eth0.12");
  const auto parent = builder.CreateString("eth0");
  const auto addresses = builder.CreateVectorOfStrings({"10.0.0.1/24", "2001:db8::1/64"});
  const auto interfaces = builder.CreateVector(std::vector{schema::CreateNetworkInterface(
      builder, name, 3, 0x5254'0012'3456, 12, parent, true, addresses)});
  const auto cursors = SampleCursors(builder);
  return Body(schema::CreateHello(builder, software, 99, &live, &live_hash, interfaces, cursors,
                                  &tip, &tip_hash));
}

inline std::vector<Sample> SnapshotSamples() {
  using Builder = flatbuffers::FlatBufferBuilder;
  static const schema::LinkGeneration kBase(1, 41);
  static const schema::LinkGeneration kGeneration(1, 42);
  static const schema::LinkHash kHash(0x1234, 0x5678);
  return {
      {"snapshot_begin", false,
       [](Builder& b) { return Body(schema::CreateSnapshotBegin(b, &kGeneration, 2, &kBase)); }},
      {"snapshot_chunk", false,
       [](Builder& b) {
         return Body(schema::CreateSnapshotChunk(b, &kGeneration, 3, SampleRecords(b)));
       }},
      {"snapshot_end", false,
       [](Builder& b) { return Body(schema::CreateSnapshotEnd(b, &kGeneration, &kHash, 4)); }},
      {"delta", false,
       [](Builder& b) {
         return Body(schema::CreateDelta(b, &kBase, &kGeneration, &kHash, SampleRecords(b)));
       }},
      {"generation_live", true,
       [](Builder& b) { return Body(schema::CreateGenerationLive(b, &kGeneration, &kHash)); }},
      {"resync", true,
       [](Builder& b) { return Body(schema::CreateResync(b, b.CreateString("bad checksum"))); }},
  };
}

inline std::vector<Sample> FactSamples() {
  using Builder = flatbuffers::FlatBufferBuilder;
  return {
      {"facts", true,
       [](Builder& b) {
         const auto records = b.CreateVector(std::vector{
             schema::CreateFactRecord(b, Octets(b, 5)), schema::CreateFactRecord(b, Octets(b, 9))});
         return Body(schema::CreateFacts(b, 3, 7, 120, 19, records));
       }},
      {"facts_table", true,
       [](Builder& b) {
         const auto records =
             b.CreateVector(std::vector{schema::CreateFactRecord(b, Octets(b, 5))});
         return Body(schema::CreateFacts(b, 1, 7, 0, 0, records, 500, true, 3));
       }},
      {"facts_committed", false,
       [](Builder& b) { return Body(schema::CreateFactsCommitted(b, 1, 7, 501)); }},
      {"query", false,
       [](Builder& b) {
         const auto topic = b.CreateString("explain");
         return Body(schema::CreateQuery(b, 5, topic, b.CreateString("52:54:00:12:34:56")));
       }},
      {"query_answer", true,
       [](Builder& b) {
         return Body(schema::CreateQueryAnswer(b, 5, true, b.CreateString("{\"rules\":[]}")));
       }},
  };
}

inline std::vector<Sample> Samples() {
  using Builder = flatbuffers::FlatBufferBuilder;
  std::vector<Sample> samples = {
      {"enrol", true,
       [](Builder& b) {
         const auto name = b.CreateString("rack-a");
         const auto key = Octets(b, 32);
         return Body(schema::CreateEnrol(b, name, key, b.CreateString("slipway-rack 0.1.0")));
       }},
      {"enrolled", false, [](Builder& b) { return Body(schema::CreateEnrolled(b, 6)); }},
      {"hello", true, SampleHello},
      {"welcome", false,
       [](Builder& b) {
         return Body(schema::CreateWelcome(b, 6, 1, SampleCursors(b), 1000, 0xABCD));
       }},
      {"credit", true, [](Builder& b) { return Body(schema::CreateCredit(b, 1'048'576)); }},
      {"heartbeat", true, [](Builder& b) { return Body(schema::CreateHeartbeat(b, 12'345)); }},
      {"reject", false,
       [](Builder& b) { return Body(schema::CreateReject(b, b.CreateString("revoked"))); }},
  };
  for (const auto& more : {SnapshotSamples(), FactSamples()}) {
    samples.insert(samples.end(), more.begin(), more.end());
  }
  return samples;
}

}  // namespace slipway::link::test
