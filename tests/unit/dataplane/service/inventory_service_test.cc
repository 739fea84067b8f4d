#include "dataplane/service/inventory_service.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/fake_fact_port.h"

namespace slipway::service {
namespace {

class FixedClock final : public Clock {
 public:
  Instant Now() noexcept override { return {1'000}; }

  WallTime WallNow() noexcept override { return {2'000}; }

  bool WallIsSynchronised() noexcept override { return true; }

  std::uint64_t BootId() noexcept override { return 7; }
};

class Answers final : public InventoryCompletion {
 public:
  void OnInventoryDone(std::uint64_t handle, bool durable, Instant /*now*/) override {
    EXPECT_TRUE(durable);
    handles.push_back(handle);
  }

  std::vector<std::uint64_t> handles;
};

class InventoryServiceTest : public testing::Test {
 protected:
  InventoryServiceTest()
      : tokens_(TokenKey{1}, 7),
        serving_(ServingView::Create().value()),
        service_({.serving = serving_.get(),
                  .tokens = &tokens_,
                  .peers = &peers_,
                  .facts = &facts_,
                  .loops = &loops_,
                  .clock = &clock_}) {
    service_.SetCompletion(&answers_);
  }

  [[nodiscard]] InventoryVerdict Post(std::string_view token, std::string_view body,
                                      std::uint64_t handle, Ipv4Address peer = kPeer) {
    return service_.Submit({.peer = peer, .token = token, .body = AsBytes(body), .handle = handle},
                           kNow);
  }

  [[nodiscard]] std::string Token(std::uint64_t nonce) const {
    return std::string(tokens_
                           .Mint({.machine = 5,
                                  .mac = MacAddress::FromU64(0x525400000001),
                                  .address = kPeer,
                                  .expires = kNow + Duration::Seconds(60),
                                  .nonce = nonce})
                           .view());
  }

  static constexpr Instant kNow{1'000};
  static constexpr Ipv4Address kPeer{0x0A4D0064};
  FixedClock clock_;
  MachineTokens tokens_;
  AddressBook peers_{100};
  boot::LoopGuard loops_{{}};
  testing_support::FakeFactPort facts_;
  std::unique_ptr<ServingView> serving_;
  InventoryService service_;
  Answers answers_;
};

TEST_F(InventoryServiceTest, IsAnsweredOnlyWhenItsFactIsDurable) {
  ASSERT_EQ(Post(Token(1), R"({"a":1})", 11), InventoryVerdict::kAccepted);
  EXPECT_TRUE(answers_.handles.empty());
  service_.OnTurn(kNow);
  EXPECT_TRUE(answers_.handles.empty());
  ASSERT_EQ(facts_.Of(schema::FactClass::Inventory).size(), 1U);
  service_.OnDurable(facts_.next_position(), kNow);
  ASSERT_EQ(answers_.handles, std::vector<std::uint64_t>{11});
}

TEST_F(InventoryServiceTest, FactHoldsTheDocumentAndWhoSentIt) {
  ASSERT_EQ(Post(Token(1), R"({"a":1})", 11), InventoryVerdict::kAccepted);
  const std::string bytes = facts_.Of(schema::FactClass::Inventory).front();
  const auto* fact = flatbuffers::GetRoot<schema::Fact>(bytes.data());
  const schema::Inventory* const inventory = fact->body_as_Inventory();
  ASSERT_NE(inventory, nullptr);
  EXPECT_EQ(inventory->mac(), 0x525400000001U);
  EXPECT_EQ(inventory->machine(), 5U);
  EXPECT_EQ(std::string(inventory->document()->begin(), inventory->document()->end()),
            R"({"a":1})");
}

TEST_F(InventoryServiceTest, RepeatedPostIsAnsweredWithoutASecondFact) {
  const std::string token = Token(1);
  ASSERT_EQ(Post(token, "{}", 11), InventoryVerdict::kAccepted);
  service_.OnDurable(facts_.next_position(), kNow);
  ASSERT_EQ(Post(token, "{}", 12), InventoryVerdict::kAccepted);
  service_.OnTurn(kNow);
  EXPECT_EQ(answers_.handles, (std::vector<std::uint64_t>{11, 12}));
  EXPECT_EQ(facts_.Of(schema::FactClass::Inventory).size(), 1U);
}

TEST_F(InventoryServiceTest, WithoutAGoodTokenNothingIsLogged) {
  EXPECT_EQ(Post("", "{}", 1), InventoryVerdict::kDenied);
  EXPECT_EQ(Post("slipway", "{}", 1), InventoryVerdict::kDenied);
  EXPECT_EQ(Post(Token(1), "{}", 1, Ipv4Address{1}), InventoryVerdict::kDenied);
  EXPECT_EQ(Post(Token(1), "[]", 1), InventoryVerdict::kMalformed);
  EXPECT_TRUE(facts_.Of(schema::FactClass::Inventory).empty());
  EXPECT_EQ(service_.counters().denied.value(), 3U);
}

TEST_F(InventoryServiceTest, FullOrFailingJournalMeansBusy) {
  facts_.SetFull(true);
  EXPECT_EQ(Post(Token(1), "{}", 1), InventoryVerdict::kBusy);
  facts_.SetFull(false);
  facts_.SetFailing(true);
  EXPECT_EQ(Post(Token(1), "{}", 1), InventoryVerdict::kBusy);
  facts_.SetFailing(false);
  for (std::uint32_t i = 0; i < kInventoriesWaitingMax; ++i) {
    EXPECT_EQ(Post(Token(i + 1), "{}", i), InventoryVerdict::kAccepted);
  }
  EXPECT_EQ(Post(Token(99), "{}", 1), InventoryVerdict::kBusy);
  service_.OnDurable(facts_.next_position(), kNow);
  EXPECT_EQ(answers_.handles.size(), kInventoriesWaitingMax);
  EXPECT_EQ(Post(Token(99), "{}", 1), InventoryVerdict::kAccepted);
}

}  // namespace
}  // namespace slipway::service
