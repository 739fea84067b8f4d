#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "dataplane/base/random.h"
#include "tests/support/dhcp_lab.h"
#include "tests/support/seed.h"

namespace slipway::dhcp {
namespace {

std::vector<std::byte> RandomBytes(Random& random, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(random.Below(256));
  }
  return bytes;
}

TEST(MessagePropertyTest, DecodesWhatWasEncoded) {
  SeededRandom random(test::TestSeed(1));
  for (int run = 0; run < 3000; ++run) {
    const std::size_t bytes_max = kHeaderBytes + 1 + random.Below(kMessageBytesMax - kHeaderBytes);
    std::array<std::byte, kMessageBytesMax> out{};
    Writer writer(out, bytes_max);
    const MacAddress mac = MacAddress::FromU64(0x0200'0000'0000 + random.Below(1 << 30));
    const auto xid = static_cast<std::uint32_t>(random.U64());
    writer.RequestHeader(xid, 7, run % 2 == 0, {5}, mac);
    std::map<Option, std::vector<std::byte>> wanted;
    const std::vector<std::byte> last = RandomBytes(random, 2 + random.Below(30));
    writer.Reserve(last);
    for (const OptionRow& row : OptionTable(Family::kV4)) {
      const auto option = static_cast<Option>(row.code);
      if (row.use == 0 || random.Below(3) != 0 || option == Option::kRelayAgentInformation ||
          option == Option::kOverload) {
        continue;
      }
      const std::size_t longest = std::min<std::size_t>(row.length_max, 255);
      const auto value =
          RandomBytes(random, row.length_min + random.Below(longest - row.length_min + 1));
      const std::uint32_t before = writer.left_out();
      writer.Bytes(option, value);
      if (writer.left_out() == before) {
        wanted[option] = value;
      }
    }
    writer.Last(Option::kRelayAgentInformation, last);
    const bool last_fits = bytes_max >= kHeaderBytes + last.size() + 3;
    const Result<std::size_t> size = writer.Finish();
    if (!size) {
      EXPECT_LT(bytes_max, kBootpBytesMin);
      continue;
    }
    ASSERT_LE(*size, bytes_max);
    ASSERT_GE(*size, kBootpBytesMin);
    Message message;
    ASSERT_TRUE(Decode(std::span(out).first(*size), message).has_value());
    EXPECT_EQ(message.xid, xid);
    EXPECT_EQ(message.mac(), mac);
    EXPECT_EQ(message.broadcast(), run % 2 == 0);
    for (const auto& [option, value] : wanted) {
      EXPECT_TRUE(std::ranges::equal(message.Get(option), value));
    }
    if (last_fits) {
      EXPECT_TRUE(std::ranges::equal(message.Get(Option::kRelayAgentInformation), last));
    }
  }
}

TEST(MessagePropertyTest, DamagedMessagesNeverLeadOutside) {
  SeededRandom random(test::TestSeed(2));
  const auto original =
      test::ReadHex(SLIPWAY_SOURCE_DIR "/tests/vectors/dhcp/ipxe-bios-request.hex");
  for (int run = 0; run < 20'000; ++run) {
    auto packet = original;
    for (std::uint64_t i = random.Below(6); i > 0; --i) {
      packet[random.Below(packet.size())] = static_cast<std::byte>(random.Below(256));
    }
    packet.resize(random.Below(packet.size() + 1));
    Message message;
    if (Decode(packet, message)) {
      for (const ByteSpan value : message.values) {
        const auto inside = [&](const std::byte* begin, std::size_t size) {
          return value.data() >= begin && value.data() + value.size() <= begin + size;
        };
        EXPECT_TRUE(value.empty() || inside(packet.data(), packet.size()) ||
                    inside(message.pieces.data(), message.pieces.size()));
      }
    }
  }
}

}  // namespace
}  // namespace slipway::dhcp
