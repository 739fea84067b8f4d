#include <gtest/gtest.h>

#include <algorithm>

#include "dataplane/dhcp/question.h"
#include "dataplane/dhcp/trace.h"
#include "tests/support/dhcp_lab.h"

namespace slipway::dhcp {
namespace {

using test::BootLab;
using test::DhcpLab;
using test::kRack;
using test::Request;
using test::V4;

const MacAddress kMac{{0x52, 0x54, 0, 0, 0, 1}};
constexpr std::string_view kMacText = "52:54:00:00:00:01";

class ExplainTest : public testing::Test {
 protected:
  Reason Explain(DhcpLab& lab, const std::vector<std::byte>& packet) {
    lab.engine.Explain(packet, lab.context, *lab.snapshot, lab.now, reply_, effects_, trace_);
    return effects_.reason;
  }

  // Its verdict if the rule was tried: 1 matched, 0 not, -1 not tried.
  int Verdict(std::string_view id) const {
    const auto found = std::find_if(trace_.rules.begin(), trace_.rules.end(),
                                    [&](const TracedRule& rule) { return rule.tried.rule == id; });
    return found == trace_.rules.end() ? -1 : (found->tried.matched ? 1 : 0);
  }

  TraceValue ValueOf(std::string_view id) const {
    const auto found = std::find_if(trace_.rules.begin(), trace_.rules.end(),
                                    [&](const TracedRule& rule) { return rule.tried.rule == id; });
    return found == trace_.rules.end() ? TraceValue{} : found->value;
  }

  Effects effects_;
  DecisionTrace trace_;
  std::array<std::byte, kMessageBytesMax> reply_{};
};

TEST_F(ExplainTest, TellsHowAReservationCameAbout) {
  DhcpLab lab(BootLab()
                  .AddNetwork()
                  .AddImages()
                  .AddMachine(5, kMacText, config::BootTarget::kLauncher, "10.77.0.50")
                  .Finish());
  ASSERT_EQ(Explain(lab, Request(MessageType::kDiscover, kMac).Build()), Reason::kOffered);
  EXPECT_EQ(Verdict("link-by-relay"), 0);
  EXPECT_EQ(Verdict("vlan-served"), 1);
  EXPECT_EQ(ValueOf("machine-by-mac"), (TraceValue{.kind = TraceKind::kMachine, .number = 5}));
  EXPECT_EQ(Verdict("subnet-of-reservation"), 1);
  EXPECT_EQ(ValueOf("address-reserved"), TraceValue::Of(V4("10.77.0.50")));
  EXPECT_EQ(trace_.decision.address, IpAddress(V4("10.77.0.50")));
  EXPECT_EQ(trace_.decision.server, IpAddress(kRack));
  EXPECT_EQ(trace_.decision.machine, 5U);
  EXPECT_FALSE(trace_.boot_rules.empty());
  EXPECT_EQ(lab.table.size(), 0U);
}

TEST_F(ExplainTest, TellsWhyItIsSilent) {
  DhcpLab lab;
  const auto relayed = Request(MessageType::kDiscover, kMac).Giaddr(V4("192.0.2.1")).Build();
  ASSERT_EQ(Explain(lab, relayed), Reason::kUnservedLink);
  EXPECT_EQ(Verdict("link-by-relay"), 1);
  EXPECT_EQ(trace_.rules.back().tried.rule, "vlan-served");
  EXPECT_FALSE(trace_.rules.back().tried.matched);
  EXPECT_EQ(effects_.reply.delivery, Delivery::kNone);
  const std::vector<std::byte> broken(100);
  EXPECT_EQ(Explain(lab, broken), Reason::kTruncated);
  EXPECT_TRUE(trace_.rules.empty());
}

TEST_F(ExplainTest, TellsThatTheRestIsForKnownMachines) {
  BootLab lab_records;
  lab_records.range.last = Ipv4Address{lab_records.range.first.v4().value + 15};
  DhcpLab lab(lab_records.AddNetwork().AddImages().Finish());
  for (std::uint64_t i = 0; i < 15; ++i) {
    ASSERT_FALSE(lab.Dora(MacAddress::FromU64(0x0200'0000'0000 + i)).is_any());
  }
  ASSERT_EQ(Explain(lab, Request(MessageType::kDiscover, kMac).Build()), Reason::kPoolExhausted);
  EXPECT_EQ(Verdict("pool-kept-for-known"), 1);
  EXPECT_EQ(Verdict("address-by-hash"), -1);
}

TEST_F(ExplainTest, ARenewalIsToldToStandOnRecord) {
  DhcpLab lab;
  const Ipv4Address address = lab.Dora(kMac);
  lab.context.source = address;
  lab.context.destination = kRack;
  const auto renewal = Request(MessageType::kRequest, kMac).Ciaddr(address).Build();
  ASSERT_EQ(Explain(lab, renewal), Reason::kAckedFromMemory);
  EXPECT_EQ(Verdict("request-renewing"), 1);
  EXPECT_EQ(Verdict("lease-is-clients"), 1);
  EXPECT_EQ(Verdict("lease-logged-first"), 0);
}

TEST_F(ExplainTest, LoopsAreForeseenWithoutCounting) {
  DhcpLab lab;
  const auto ask = [&](std::uint32_t xid) {
    return Request(MessageType::kRequest, kMac, xid)
        .Address(Option::kRequestedAddress, test::kPoolFirst)
        .Address(Option::kServerIdentifier, kRack)
        .Text(Option::kVendorClass, "PXEClient")
        .Build();
  };
  for (std::uint32_t xid = 1; xid < 6; ++xid) {
    ASSERT_EQ(lab.HandleDurably(ask(xid)), xid == 1 ? Reason::kAcked : Reason::kAckedFromMemory);
  }
  for (int again = 0; again < 3; ++again) {
    (void)Explain(lab, ask(6));
    EXPECT_EQ(Verdict("boot-loop"), 1);
    EXPECT_TRUE(trace_.decision.file.empty());
  }
  EXPECT_EQ(lab.engine.counters().loops_found.value(), 0U);
}

TEST_F(ExplainTest, MessagesCountByTypeButNotExplanations) {
  DhcpLab lab;
  (void)Explain(lab, Request(MessageType::kDiscover, kMac).Build());
  ASSERT_FALSE(lab.Dora(kMac).is_any());
  const Counters& counters = lab.engine.counters();
  EXPECT_EQ(counters.received[KindOf(MessageType::kDiscover)].value(), 1U);
  EXPECT_EQ(counters.received[KindOf(MessageType::kRequest)].value(), 1U);
  EXPECT_EQ(counters.answered[KindOf(MessageType::kOffer)].value(), 1U);
  EXPECT_EQ(counters.answered[KindOf(MessageType::kAck)].value(), 1U);
  EXPECT_EQ(MessageKindName(KindOf(static_cast<MessageType>(200))), "other");
}

// What somebody describes is the packet that such a client sends.
TEST_F(ExplainTest, QuestionsBecomePackets) {
  Question question{.mac = kMac, .has_architecture = true, .architecture = 16};
  question.requested = V4("10.77.0.9");
  question.relay = test::kRelay;
  question.link_selection = V4("10.77.0.0");
  std::array<std::byte, kMessageBytesMin> bytes{};
  const auto size = EncodeQuestion(bytes, question);
  ASSERT_TRUE(size.has_value());
  Message message;
  ASSERT_TRUE(Decode(ByteSpan(bytes).first(*size), message).has_value());
  EXPECT_EQ(message.type, MessageType::kDiscover);
  EXPECT_EQ(message.mac(), kMac);
  EXPECT_EQ(PeekMac(ByteSpan(bytes).first(*size)), kMac);
  EXPECT_EQ(message.giaddr, test::kRelay);
  EXPECT_EQ(message.hops, 1);
  EXPECT_EQ(message.GetAddress(Option::kRequestedAddress), V4("10.77.0.9"));
  EXPECT_EQ(AsText(message.Get(Option::kVendorClass)), "HTTPClient:Arch:00016:UNDI:003016");
  EXPECT_EQ(FindSubOption(message.Get(Option::kRelayAgentInformation), 5).size(), 4U);
  question.user_class = ClassText("iPXE");
  question.vendor_class = ClassText(std::string(63, 'x'));
  ASSERT_TRUE(question.client_id.Assign(std::vector<std::byte>(64, std::byte{1})));
  // The longest question: nothing is left out.
  question.server = V4("10.77.0.1");
  const auto longest = EncodeQuestion(bytes, question);
  ASSERT_TRUE(longest.has_value());
  ASSERT_TRUE(Decode(ByteSpan(bytes).first(*longest), message).has_value());
  EXPECT_EQ(message.Get(Option::kClientIdentifier).size(), 64U);
  EXPECT_EQ(FindSubOption(message.Get(Option::kRelayAgentInformation), 5).size(), 4U);
}

TEST(Question6Test, BecomesThePacketThatIsDescribed) {
  std::array<std::byte, kMessageBytesMin> bytes{};
  Question6 question{.type = MessageType6::kRenew,
                     .mac = kMac,
                     .has_architecture = true,
                     .architecture = 16,
                     .address = *Ipv6Address::Parse("2001:db8:77::5"),
                     .relay = *Ipv6Address::Parse("2001:db8:77::2"),
                     .server = DuidFromUuid({1, 2, 3})};
  (void)question.user_class.Assign("iPXE");
  const auto size = EncodeQuestion6(bytes, question);
  ASSERT_TRUE(size.has_value());
  Message6 message;
  ASSERT_TRUE(Decode6(ByteSpan(bytes).first(*size), message).has_value());
  EXPECT_EQ(message.type, MessageType6::kRenew);
  ASSERT_EQ(message.relays.size(), 1U);
  EXPECT_EQ(message.relays[0].link, question.relay);
  EXPECT_EQ(message.relays[0].client_address.size(), 8U);
  EXPECT_EQ(MacOfDuid(message.Get(Option6::kClientId)), kMac);
  EXPECT_EQ(message.Get(Option6::kServerId).size(), question.server.size());
  ASSERT_EQ(message.ias.size(), 1U);
  EXPECT_EQ(message.ias[0].addresses[0], question.address);
  EXPECT_TRUE(message.Asks(Option6::kBootFileUrl));
  EXPECT_EQ(AsText(message.Get(Option6::kVendorClass).subspan(6)),
            "HTTPClient:Arch:00016:UNDI:003016");
  EXPECT_EQ(AsText(message.Get(Option6::kUserClass).subspan(2)), "iPXE");
  question.type = MessageType6::kInformationRequest;
  const auto plain = EncodeQuestion6(bytes, question);
  ASSERT_TRUE(plain.has_value());
  ASSERT_TRUE(Decode6(ByteSpan(bytes).first(*plain), message).has_value());
  EXPECT_TRUE(message.ias.empty());
  EXPECT_FALSE(message.Has(Option6::kServerId));
}

}  // namespace
}  // namespace slipway::dhcp
