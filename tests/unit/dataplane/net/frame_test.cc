#include "dataplane/net/frame.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "dataplane/net/checksum.h"

namespace slipway::net {
namespace {

constexpr Udp4Endpoint kServer{{{2, 0, 0, 0, 0, 1}}, {0x0A4D'0001}, 67};
constexpr Udp4Endpoint kClient{{{2, 0, 0, 0, 0, 2}}, {0x0A4D'0064}, 68};

std::vector<std::byte> Payload(std::size_t size) {
  std::vector<std::byte> payload(size);
  for (std::size_t i = 0; i < size; ++i) {
    payload[i] = static_cast<std::byte>(i * 7 + 3);
  }
  return payload;
}

TEST(ChecksumTest, GivesTheSumOfTheRfcExample) {
  // RFC 1071 3: 0001 f203 f4f5 f6f7 sums to ddf2.
  const std::array<std::byte, 8> bytes = {std::byte{0x00}, std::byte{0x01}, std::byte{0xF2},
                                          std::byte{0x03}, std::byte{0xF4}, std::byte{0xF5},
                                          std::byte{0xF6}, std::byte{0xF7}};
  Checksum sum;
  sum.Add(bytes);
  EXPECT_EQ(sum.Finish(), static_cast<std::uint16_t>(~0xDDF2));
}

TEST(ChecksumTest, PadsAnOddByteWithZero) {
  const std::array<std::byte, 1> bytes = {std::byte{0x12}};
  Checksum sum;
  sum.Add(bytes);
  EXPECT_EQ(sum.Finish(), static_cast<std::uint16_t>(~0x1200));
}

TEST(FrameTest, ParsesWhatItBuilds) {
  for (const std::size_t size : {0U, 1U, 300U, 1472U}) {
    const std::vector<std::byte> payload = Payload(size);
    std::array<std::byte, 1600> out{};
    const Result<std::size_t> bytes = BuildUdp4Frame(out, kServer, kClient, payload);
    ASSERT_TRUE(bytes.has_value());
    EXPECT_EQ(*bytes, kUdp4FrameHeaderBytes + size);
    const Result<Udp4View> view = ParseUdp4Frame(std::span(out).first(*bytes));
    ASSERT_TRUE(view.has_value());
    EXPECT_EQ(view->source, kServer);
    EXPECT_EQ(view->destination, kClient);
    EXPECT_TRUE(std::ranges::equal(view->payload, payload));
  }
}

TEST(FrameTest, TakesAPayloadThatStandsInItsPlace) {
  std::array<std::byte, 400> out{};
  const std::vector<std::byte> payload = Payload(300);
  std::ranges::copy(payload, out.begin() + kUdp4FrameHeaderBytes);
  const ByteSpan in_place = std::span(out).subspan(kUdp4FrameHeaderBytes, payload.size());
  const Result<std::size_t> bytes = BuildUdp4Frame(out, kServer, kClient, in_place);
  ASSERT_TRUE(bytes.has_value());
  const Result<Udp4View> view = ParseUdp4Frame(std::span(out).first(*bytes));
  ASSERT_TRUE(view.has_value());
  EXPECT_TRUE(std::ranges::equal(view->payload, payload));
}

TEST(FrameTest, RefusesABufferThatIsTooSmall) {
  std::array<std::byte, 100> out{};
  EXPECT_EQ(BuildUdp4Frame(out, kServer, kClient, Payload(59)).error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(BuildUdp4Frame(out, kServer, kClient, Payload(58)).has_value());
}

TEST(FrameTest, FindsAnyFlippedBitBehindTheEthernetHeader) {
  std::array<std::byte, 142> out{};
  ASSERT_TRUE(BuildUdp4Frame(out, kServer, kClient, Payload(100)).has_value());
  for (std::size_t bit = 12 * 8; bit < out.size() * 8; ++bit) {
    const auto mask = static_cast<std::byte>(1 << (bit % 8));
    out[bit / 8] ^= mask;
    EXPECT_FALSE(ParseUdp4Frame(out).has_value()) << bit;
    out[bit / 8] ^= mask;
  }
}

TEST(FrameTest, RefusesEveryTruncation) {
  std::array<std::byte, 142> out{};
  ASSERT_TRUE(BuildUdp4Frame(out, kServer, kClient, Payload(100)).has_value());
  for (std::size_t size = 0; size < out.size(); ++size) {
    EXPECT_FALSE(ParseUdp4Frame(std::span(out).first(size)).has_value()) << size;
  }
}

}  // namespace
}  // namespace slipway::net
