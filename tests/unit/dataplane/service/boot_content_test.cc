#include "dataplane/service/boot_content.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/service/inventory_service.h"
#include "tests/support/boot_lab.h"
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

class SeenSteps final : public BootStepSink {
 public:
  void Record(const BootStep& step, Instant /*now*/) override {
    texts.push_back(std::string(schema::EnumNameBootStepKind(step.kind)) + " " +
                    std::string(step.name));
  }

  std::vector<std::string> texts;
};

class SeenEvents final : public EventSink {
 public:
  void Report(EventCode code, std::string_view subject, std::string_view detail) override {
    texts.push_back(std::string(ToString(code)) + " " + std::string(subject) + " " +
                    std::string(detail));
  }

  std::vector<std::string> texts;
};

class NoCompletion final : public InventoryCompletion {
 public:
  void OnInventoryDone(std::uint64_t, bool, Instant) override {}
};

// A machine at kPeer that fetches its script again and again.
class BootContentTest : public testing::Test {
 protected:
  BootContentTest() {
    inventories_.SetCompletion(&completion_);
    peers_.OnPeer({.address = kPeer, .mac = kMac, .vlan = test::kVlan});
  }

  void Serve(config::SnapshotRef snapshot) {
    values_.push_back({.snapshot = std::move(snapshot), .objects = {}, .links = {}});
    ASSERT_TRUE(serving_->Publish(&values_.back(), values_.size()));
    serving_->OnReady({}, 0, now_);
  }

  // The first line of the script says what it does.
  [[nodiscard]] std::string Fetch() {
    const Content content = content_.Resolve(
        {.space = ContentSpace::kBootScript, .peer = kPeer, .local = test::kRack}, scratch_, now_);
    EXPECT_EQ(content.kind, ContentKind::kMemory);
    const std::string_view text =
        AsText(std::span(scratch_).first(static_cast<std::size_t>(content.bytes)));
    const std::size_t begin = text.find("Slipway: ") + 9;
    return std::string(text.substr(begin, text.find('\n', begin) - begin));
  }

  void PostInventory() {
    const TokenText token = tokens_.Mint({.mac = kMac,
                                          .address = kPeer,
                                          .expires = now_ + Duration::Seconds(60),
                                          .nonce = ++nonce_});
    ASSERT_EQ(inventories_.Submit(
                  {.peer = kPeer, .token = token.view(), .body = AsBytes("{}"), .handle = 1}, now_),
              InventoryVerdict::kAccepted);
    inventories_.OnDurable(facts_.next_position(), now_);
  }

  void Pass(std::int64_t seconds) { now_ = now_ + Duration::Seconds(seconds); }

  static constexpr Ipv4Address kPeer{0x0A4D'0064};
  static constexpr MacAddress kMac{{0x52, 0x54, 0, 0, 0, 1}};
  Instant now_{1'000'000'000};
  FixedClock clock_;
  SeededRandom random_{1};
  SeenSteps steps_;
  SeenEvents events_;
  NoCompletion completion_;
  testing_support::FakeFactPort facts_;
  MachineTokens tokens_{TokenKey{1}, 7};
  AddressBook peers_{100};
  boot::LoopGuard loops_{{}};
  std::deque<Serving> values_;
  std::unique_ptr<ServingView> serving_ = ServingView::Create().value();
  BootContent content_{{.serving = serving_.get(),
                        .peers = &peers_,
                        .tokens = &tokens_,
                        .steps = &steps_,
                        .events = &events_,
                        .loops = &loops_,
                        .random = &random_}};
  InventoryService inventories_{{.serving = serving_.get(),
                                 .tokens = &tokens_,
                                 .peers = &peers_,
                                 .facts = &facts_,
                                 .loops = &loops_,
                                 .clock = &clock_}};
  std::uint64_t nonce_ = 0;
  std::array<std::byte, kGeneratedBytesMax> scratch_{};
};

TEST_F(BootContentTest, ScriptThatLeadsNowhereIsBrokenWithAReason) {
  Serve(test::BootLab::Standard());
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Fetch(), "script (unknown-enlist)") << i;
    Pass(90);  // the kernel starts, the launcher gives up, the firmware begins again
  }
  EXPECT_EQ(Fetch(), "wait (boot-loop)");
  EXPECT_EQ(content_.counters().loops_found.value(), 1U);
  ASSERT_GE(steps_.texts.size(), 2U);
  EXPECT_EQ(steps_.texts[5], "Loop unknown-enlist");
  EXPECT_EQ(steps_.texts[6], "Script boot-loop");
  EXPECT_EQ(events_.texts, std::vector<std::string>{"boot-loop 52:54:00:00:00:01 unknown-enlist"});
  // It asks again while it waits; the loop is told once.
  Pass(30);
  EXPECT_EQ(Fetch(), "wait (boot-loop)");
  EXPECT_EQ(events_.texts.size(), 1U);
  Pass(31);
  EXPECT_EQ(Fetch(), "script (unknown-enlist)");
}

TEST_F(BootContentTest, InventoryIsProgress) {
  Serve(test::BootLab::Standard());
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(Fetch(), "script (unknown-enlist)") << i;
    if (i % 5 == 4) {
      PostInventory();
    }
    Pass(60);
  }
  EXPECT_TRUE(events_.texts.empty());
}

TEST_F(BootContentTest, MachineThatWaitsOnPurposeIsNoLoop) {
  Serve(test::BootLab()
            .AddNetwork()
            .AddImages()
            .AddMachine(7, "52:54:00:00:00:01", config::BootTarget::kWait)
            .Finish());
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(Fetch(), "wait (target-wait) for node") << i;
    Pass(10);
  }
  EXPECT_TRUE(events_.texts.empty());
}

TEST_F(BootContentTest, DiskThatDoesNotBootIsALoopAndRestartsAreNot) {
  Serve(test::BootLab()
            .AddNetwork()
            .AddImages()
            .AddMachine(7, "52:54:00:00:00:01", config::BootTarget::kLocal)
            .Finish());
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Fetch(), "local (target-local) for node") << i;
    Pass(240);
  }
  for (int i = 0; i < 6; ++i) {
    Pass(20);
    (void)Fetch();
  }
  EXPECT_EQ(Fetch(), "wait (boot-loop) for node");
}

TEST_F(BootContentTest, AnotherStateOfTheMachineStartsOver) {
  test::BootLab lab;
  lab.AddNetwork().AddImages();
  config::MachineRecord machine{.id = 7, .boot_target = config::BootTarget::kLauncher};
  config::InterfaceRecord interface { .id = 8, .machine = 7, .mac = kMac };
  for (std::uint32_t i = 0; i < 4; ++i) {
    machine.state_generation = i;
    Serve(lab.Put(machine).Put(interface).Finish());
    for (int fetch = 0; fetch < 5; ++fetch) {
      EXPECT_EQ(Fetch(), "script (target-launcher)");
      Pass(20);
    }
  }
}

}  // namespace
}  // namespace slipway::service
