#include "controlplane/main/enlister.h"

#include <boost/json/array.hpp>
#include <flatbuffers/flatbuffers.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "schemas/facts_generated.h"
#include "tests/support/api_lab.h"

namespace slipway::region {
namespace {

using api::ApiLab;
using api::JsonOf;

constexpr std::uint64_t kMac = 0x525400000001;

[[nodiscard]] std::string Text(flatbuffers::FlatBufferBuilder& builder) {
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

[[nodiscard]] std::string InventoryFact(const std::string& document) {
  flatbuffers::FlatBufferBuilder builder;
  const auto bytes =
      builder.CreateVector(reinterpret_cast<const std::uint8_t*>(document.data()), document.size());
  schema::InventoryBuilder body(builder);
  body.add_mac(kMac);
  body.add_realtime_ns(1'700'000'000'000'000'000);
  body.add_document(bytes);
  builder.Finish(schema::CreateFact(builder, schema::FactBody::Inventory, body.Finish().Union()));
  return Text(builder);
}

[[nodiscard]] std::string StepFact(schema::BootStepKind kind, std::int64_t second,
                                   const std::string& name) {
  flatbuffers::FlatBufferBuilder builder;
  const auto text = builder.CreateString(name);
  schema::BootStepBuilder body(builder);
  body.add_mac(kMac);
  body.add_realtime_ns((1'700'000'000 + second) * 1'000'000'000);
  body.add_kind(kind);
  body.add_name(text);
  body.add_bytes(1024);
  body.add_duration_ns(5'000'000);
  builder.Finish(schema::CreateFact(builder, schema::FactBody::BootStep, body.Finish().Union()));
  return Text(builder);
}

constexpr const char* kDocument =
    R"({"format":1,"uuid":"11223344-5566-7788-99aa-bbccddeeff01","memory_mib":2048,
        "architecture":"x86_64","firmware":"bios","disks":[],
        "interfaces":[{"name":"eth0","mac":"52:54:00:00:00:01"}]})";

class EnlisterTest : public ::testing::Test {
 protected:
  void Send(store::FactClass fact_class, std::uint64_t first, std::vector<std::string> payloads) {
    store::FactsBatch batch;
    batch.rack = 7;
    batch.fact_class = fact_class;
    batch.epoch = 1;
    batch.first = first;
    batch.payloads = std::move(payloads);
    lab_.facts->Apply(std::move(batch), [](Result<store::FactsApplied> applied) {
      ASSERT_TRUE(applied.has_value());
      EXPECT_EQ(applied->malformed, 0U);
    });
    lab_.executor.Run();
  }

  [[nodiscard]] std::unique_ptr<Enlister> MakeEnlister() {
    auto enlister = std::make_unique<Enlister>(Enlister::Parts{.model = &lab_.model,
                                                               .store = &lab_.store,
                                                               .facts = lab_.facts.get(),
                                                               .executor = &lab_.executor,
                                                               .clock = &lab_.clock,
                                                               .log = &lab_.log});
    EXPECT_TRUE(enlister->Start().has_value());
    lab_.executor.Run();
    return enlister;
  }

  [[nodiscard]] std::size_t Machines() {
    return JsonOf(lab_.Call(api::Method::kGet, "/v1/machines")).at("items").as_array().size();
  }

  ApiLab lab_;
};

TEST_F(EnlisterTest, AnInventoryBecomesAMachineOnce) {
  const auto enlister = MakeEnlister();
  Send(store::FactClass::kInventory, 1, {InventoryFact(kDocument)});
  EXPECT_EQ(Machines(), 1U);
  const auto revision = lab_.store.revision();
  Send(store::FactClass::kInventory, 1, {InventoryFact(kDocument)});
  EXPECT_EQ(lab_.store.revision(), revision);
  const auto answer = lab_.Call(api::Method::kGet, "/v1/machines/52:54:00:00:00:01/inventory");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_NE(answer.body.find("\"memory_mib\":2048"), std::string::npos);
  const auto events = lab_.Call(api::Method::kGet, "/v1/events");
  EXPECT_NE(events.body.find("machine-enlisted"), std::string::npos) << events.body;
}

TEST_F(EnlisterTest, WhatWasAppliedIsNotAppliedAgainAfterARestart) {
  {
    const auto enlister = MakeEnlister();
    Send(store::FactClass::kInventory, 1, {InventoryFact(kDocument)});
  }
  const auto revision = lab_.store.revision();
  const auto again = MakeEnlister();
  EXPECT_EQ(lab_.store.revision(), revision);
}

TEST_F(EnlisterTest, WhatCameWhileTheStoreFailedIsAppliedLater) {
  const auto enlister = MakeEnlister();
  lab_.store.FailCommits({.code = ErrorCode::kNoSpace, .detail = 28});
  Send(store::FactClass::kInventory, 1, {InventoryFact(kDocument)});
  EXPECT_EQ(Machines(), 0U);
  lab_.store.FailCommits({});
  lab_.executor.RunTimers();
  EXPECT_EQ(Machines(), 1U);
}

TEST_F(EnlisterTest, AUselessDocumentDoesNotStopTheOthers) {
  const auto enlister = MakeEnlister();
  Send(store::FactClass::kInventory, 1, {InventoryFact("[]"), InventoryFact(kDocument)});
  EXPECT_EQ(Machines(), 1U);
  const auto events = lab_.Call(api::Method::kGet, "/v1/events");
  EXPECT_NE(events.body.find("inventory-refused"), std::string::npos) << events.body;
}

TEST_F(EnlisterTest, ABootTraceIsCutIntoBoots) {
  using Step = schema::BootStepKind;
  Send(store::FactClass::kBootStep, 1,
       {StepFact(Step::DhcpDiscover, 0, "discover"), StepFact(Step::TftpEnd, 2, "undionly.kpxe"),
        StepFact(Step::DhcpDiscover, 3, "ipxe"), StepFact(Step::Enlisted, 9, ""),
        StepFact(Step::DhcpDiscover, 600, "again"), StepFact(Step::DhcpAck, 601, "ack")});
  const auto one =
      JsonOf(lab_.Call(api::Method::kGet, "/v1/machines/52:54:00:00:00:01/boot-trace"));
  ASSERT_EQ(one.at("boots").as_array().size(), 1U);
  EXPECT_EQ(one.at("boots").as_array()[0].as_object().at("steps").as_array().size(), 2U);
  const auto all =
      JsonOf(lab_.Call(api::Method::kGet, "/v1/machines/52:54:00:00:00:01/boot-trace?boots=9"));
  ASSERT_EQ(all.at("boots").as_array().size(), 2U);
  const auto& first = all.at("boots").as_array()[0].as_object().at("steps").as_array();
  ASSERT_EQ(first.size(), 4U);
  EXPECT_EQ(first[1].as_object().at("offset_ms").to_number<double>(), 2000.0);
  EXPECT_EQ(first[1].as_object().at("bytes").to_number<int>(), 1024);
  EXPECT_EQ(lab_.Call(api::Method::kGet, "/v1/machines/nobody/boot-trace").status, 404);
}

}  // namespace
}  // namespace slipway::region
