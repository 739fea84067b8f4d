#include "dataplane/tftp/packet.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

namespace slipway::tftp {
namespace {

using std::string_literals::operator""s;
using std::string_view_literals::operator""sv;

constexpr std::uint16_t kClientPort = 2070;

Result<Request> Parse(std::string_view packet) { return ParseRequest(AsBytes(packet)); }

Admission AdmitText(std::string_view packet, std::uint16_t port = kClientPort) {
  return Admit(AsBytes(packet), port);
}

TEST(TftpPacketTest, ReadRequestWithoutOptions) {
  const auto request = Parse("\0\1pxelinux.0\0octet\0"sv);
  ASSERT_TRUE(request);
  EXPECT_FALSE(request->write);
  EXPECT_EQ(request->name.view(), "pxelinux.0");
  EXPECT_EQ(request->mode, Mode::kOctet);
  EXPECT_FALSE(request->tsize);
  EXPECT_FALSE(request->blksize || request->timeout_seconds || request->windowsize);
}

TEST(TftpPacketTest, AllOptionsInAnyCase) {
  const auto request =
      Parse("\0\1a\0OcTeT\0BLKSIZE\0001468\0tsize\0000\0TimeOut\0003\0windowSIZE\0004\0"sv);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->blksize, 1468);
  EXPECT_TRUE(request->tsize);
  EXPECT_EQ(request->timeout_seconds, 3);
  EXPECT_EQ(request->windowsize, 4);
}

TEST(TftpPacketTest, UnknownOptionsAreIgnored) {
  const auto request = Parse("\0\1a\0octet\0multicast\0\0blksize\000512\0x\0y\0"sv);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->blksize, 512);
}

TEST(TftpPacketTest, OptionsOutOfRangeAreLeftOut) {
  for (const auto packet :
       {"\0\1a\0octet\0blksize\0007\0"sv, "\0\1a\0octet\0blksize\00065465\0"sv,
        "\0\1a\0octet\0timeout\0000\0"sv, "\0\1a\0octet\0timeout\000256\0"sv,
        "\0\1a\0octet\0windowsize\0000\0"sv, "\0\1a\0octet\0windowsize\00065536\0"sv,
        "\0\1a\0octet\0blksize\000-8\0"sv, "\0\1a\0octet\0blksize\000512x\0"sv,
        "\0\1a\0octet\0blksize\0\0"sv, "\0\1a\0octet\0blksize\00099999999999\0"sv}) {
    const auto request = Parse(packet);
    ASSERT_TRUE(request);
    EXPECT_FALSE(request->blksize || request->timeout_seconds || request->windowsize);
  }
}

TEST(TftpPacketTest, RepeatedOptionKeepsTheFirst) {
  const auto request = Parse("\0\1a\0octet\0blksize\0001024\0blksize\0008\0"sv);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->blksize, 1024);
}

TEST(TftpPacketTest, TailWithoutItsNulIsIgnored) {
  const auto request = Parse("\0\1a\0octet\0tsize\0000\0blksize\000512"sv);
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->tsize);
  EXPECT_FALSE(request->blksize);
}

TEST(TftpPacketTest, PaddingAfterTheRequestIsIgnored) {
  const auto request = Parse("\0\1a\0octet\0\0\0\0\0blksize\000512\0"sv);
  ASSERT_TRUE(request);
  EXPECT_FALSE(request->blksize);
}

TEST(TftpPacketTest, BackslashIsSlashAndLeadingSlashesGo) {
  EXPECT_EQ(Parse("\0\1\\\\grub\\Grub.cfg\0octet\0"sv)->name.view(), "grub/Grub.cfg");
  EXPECT_EQ(Parse("\0\1//\\/a/b\0octet\0"sv)->name.view(), "a/b");
}

TEST(TftpPacketTest, NameOfTheGreatestLengthPassesOneMoreDoesNot) {
  const std::string name(limits::kFileNameBytesMax, 'n');
  const std::string fits = "\0\1"s + name + "\0octet\0"s;
  ASSERT_TRUE(Parse(fits));
  EXPECT_EQ(Parse(fits)->name.view(), name);
  const std::string longer = "\0\1"s + name + "n\0octet\0"s;
  ASSERT_FALSE(Parse(longer));
  EXPECT_EQ(Parse(longer).error().code, ErrorCode::kTooLarge);
}

TEST(TftpPacketTest, EveryPrefixOfARequestIsHandled) {
  const auto packet = "\0\1loader\0octet\0blksize\0001468\0windowsize\0004\0"sv;
  for (std::size_t size = 0; size < packet.size(); ++size) {
    const auto request = Parse(packet.substr(0, size));
    EXPECT_EQ(request.has_value(), size >= 15) << size;
  }
}

TEST(TftpPacketTest, WriteIsRefusedWithErrorTwo) {
  const Admission admission = AdmitText("\0\2a\0octet\0"sv);
  EXPECT_EQ(admission.verdict, Verdict::kError);
  EXPECT_EQ(admission.error, WireError::kAccessViolation);
  EXPECT_EQ(admission.reason, Reason::kWriteRefused);
}

TEST(TftpPacketTest, MalformedRequestIsErrorFour) {
  for (const auto packet : {"\0\1"sv, "\0\1\0octet\0"sv, "\0\1///\0octet\0"sv, "\0\1name"sv,
                            "\0\1name\0oct"sv, "\0\1name\0mail\0"sv}) {
    const Admission admission = AdmitText(packet);
    EXPECT_EQ(admission.verdict, Verdict::kError);
    EXPECT_EQ(admission.error, WireError::kIllegalOperation);
  }
}

TEST(TftpPacketTest, OversizeRequestIsMalformed) {
  std::string packet = "\0\1a\0octet\0"s;
  packet.resize(kRequestBytesMax + 1, '\0');
  EXPECT_EQ(AdmitText(packet).reason, Reason::kMalformed);
}

TEST(TftpPacketTest, AnythingButARequestIsSilence) {
  for (const auto packet : {""sv, "\0"sv, "\0\3\0\1data"sv, "\0\4\0\1"sv, "\0\5\0\1x\0"sv,
                            "\0\6blksize\000512\0"sv, "\0\0"sv, "\377\377aaaa"sv}) {
    EXPECT_EQ(AdmitText(packet).verdict, Verdict::kSilent);
    EXPECT_EQ(AdmitText(packet).reason, Reason::kNotARequest);
  }
}

TEST(TftpPacketTest, PortsThatWouldAnswerBackGetSilence) {
  const auto packet = "\0\1a\0octet\0"sv;
  constexpr std::uint16_t kPorts[] = {0, 7, 13, 17, 19, 37, 53, 69, 123, 161};
  for (const std::uint16_t port : kPorts) {
    EXPECT_EQ(AdmitText(packet, port).verdict, Verdict::kSilent) << port;
    EXPECT_EQ(AdmitText("\0\2a\0octet\0"sv, port).verdict, Verdict::kSilent) << port;
  }
  EXPECT_EQ(AdmitText(packet, 68).verdict, Verdict::kServe);
}

TEST(TftpPacketTest, OnlyModuleListsAreEmptyWhenMissing) {
  EXPECT_TRUE(MissingIsEmpty("grub/x86_64-efi/command.lst"));
  EXPECT_FALSE(MissingIsEmpty("revocations_sku.efi"));
  EXPECT_FALSE(MissingIsEmpty("command.lst/x"));
  EXPECT_FALSE(MissingIsEmpty(""));
}

TEST(TftpPacketTest, ErrorAndDataHeaderOnTheWire) {
  std::array<std::byte, kControlPacketBytesMax> out;
  const std::size_t size = EncodeError(WireError::kFileNotFound, "no such file", out);
  EXPECT_EQ(AsText(ByteSpan(out).first(size)), "\0\5\0\1no such file\0"sv);
  EXPECT_EQ(EncodeDataHeader(0xABCD, out), 4U);
  EXPECT_EQ(AsText(ByteSpan(out).first(4)), "\0\3\xAB\xCD"sv);
  EXPECT_EQ(EncodeError(WireError::kFileNotFound, "x", MutableByteSpan(out).first(5)), 0U);
}

TEST(TftpPacketTest, BlockSizeFollowsThePath) {
  EXPECT_EQ(BlksizeForPath(0, true), 1428);
  EXPECT_EQ(BlksizeForPath(1500, true), 1468);
  EXPECT_EQ(BlksizeForPath(1500, false), 1448);
  EXPECT_EQ(BlksizeForPath(9000, true), 8968);
  EXPECT_EQ(BlksizeForPath(65535, true), kBlksizeMax);
  EXPECT_EQ(BlksizeForPath(100, true), 512);
}

}  // namespace
}  // namespace slipway::tftp
