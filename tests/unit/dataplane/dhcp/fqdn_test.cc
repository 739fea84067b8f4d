#include "dataplane/dhcp/fqdn.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "tests/support/dhcp_lab.h"

namespace slipway::dhcp {
namespace {

using test::DhcpLab;
using test::Request;

const MacAddress kMac{{0x52, 0x54, 0, 0, 0, 1}};

std::vector<std::byte> Fqdn(std::uint8_t flags, std::string_view name) {
  std::vector<std::byte> value = {std::byte{flags}, std::byte{0}, std::byte{0}};
  const ByteSpan bytes = AsBytes(name);
  value.insert(value.end(), bytes.begin(), bytes.end());
  return value;
}

std::string Answer(const std::vector<std::byte>& asked, std::string_view hostname,
                   std::string_view domain) {
  std::array<std::byte, kFqdnBytesMax> out{};
  return std::string(AsText(ByteSpan(out).first(AnswerFqdn(out, asked, hostname, domain))));
}

TEST(FqdnTest, TakesTheFirstLabelOfEitherEncoding) {
  using std::string_view_literals::operator""sv;
  EXPECT_EQ(HostNameOfFqdn(Fqdn(0, "Node-1.example.org.")).view(), "node-1");
  EXPECT_EQ(HostNameOfFqdn(Fqdn(0, "node")).view(), "node");
  EXPECT_EQ(HostNameOfFqdn(Fqdn(4, "\4node\3lab\0"sv)).view(), "node");
  EXPECT_EQ(HostNameOfFqdn(Fqdn(4, "\4node"sv)).view(), "node");
}

TEST(FqdnTest, RefusesWhatIsNoName) {
  using std::string_view_literals::operator""sv;
  for (const std::string_view text : {"", ".", "no de", "a..b", "-a", "$(x).lab", "a_b"}) {
    EXPECT_TRUE(HostNameOfFqdn(Fqdn(0, text)).empty()) << text;
  }
  for (const std::string_view wire :
       {"\0"sv, "\5node"sv, "\4node\0x"sv, "\4no.e\0"sv, "\300\14"sv, "\4node\77"sv}) {
    EXPECT_TRUE(HostNameOfFqdn(Fqdn(4, wire)).empty());
  }
  EXPECT_TRUE(HostNameOfFqdn({}).empty());
}

// RFC 4702 4: N set, S clear, O where the client wanted S; its own encoding.
TEST(FqdnTest, SaysThatNoNameIsRegistered) {
  using std::string_literals::operator""s;
  EXPECT_EQ(Answer(Fqdn(0, "x"), "node", "lab.test"), "\x08\xFF\xFFnode.lab.test"s);
  EXPECT_EQ(Answer(Fqdn(1, "x"), "node", ""), "\x0A\xFF\xFFnode"s);
  EXPECT_EQ(Answer(Fqdn(5, "\1x"), "node", "lab"), "\x0E\xFF\xFF\4node\3lab\0"s);
  EXPECT_EQ(Answer(Fqdn(8, "x"), "", "lab"), "\x08\xFF\xFF"s);
}

TEST(FqdnTest, GoesIntoTheLeaseAndIsAnswered) {
  DhcpLab lab;
  const auto packet = Request(MessageType::kDiscover, kMac)
                          .Text(Option::kHostName, "other")
                          .Bytes(Option::kClientFqdn, {1, 0, 0, 'n', '1', '.', 'x'})
                          .Build();
  ASSERT_EQ(lab.Handle(packet), Reason::kOffered);
  EXPECT_EQ(AsText(lab.Reply().Get(Option::kClientFqdn)), "\x0A\xFF\xFFn1.rack.test");
  const auto request = Request(MessageType::kRequest, kMac)
                           .Address(Option::kRequestedAddress, lab.Reply().yiaddr)
                           .Address(Option::kServerIdentifier, test::kRack)
                           .Text(Option::kHostName, "other")
                           .Bytes(Option::kClientFqdn, {1, 0, 0, 'n', '1', '.', 'x'})
                           .Build();
  ASSERT_EQ(lab.HandleDurably(request), Reason::kAcked);
  const lease::Lease* lease = lab.table.ByAddress(lab.Reply().yiaddr);
  ASSERT_NE(lease, nullptr);
  EXPECT_EQ(lab.table.DetailOf(*lease).hostname.view(), "n1");
  ASSERT_EQ(lab.Handle(Request(MessageType::kDiscover, kMac).Build()), Reason::kOffered);
  EXPECT_FALSE(lab.Reply().Has(Option::kClientFqdn));
}

}  // namespace
}  // namespace slipway::dhcp
