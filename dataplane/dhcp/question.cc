#include "dataplane/dhcp/question.h"

#include <algorithm>
#include <array>

namespace slipway::dhcp {
namespace {

// What firmware and iPXE ask for.
constexpr std::array<std::uint8_t, 15> kWanted = {1,  2,  3,  6,  12, 13, 15, 17,
                                                  28, 42, 43, 54, 60, 66, 67};
constexpr std::array<std::uint16_t, 7> kWanted6 = {17, 23, 24, 41, 56, 59, 60};
// HTTP, Linux kernels, EFI images.
constexpr std::array<std::uint8_t, 9> kIpxeFeatures = {19, 1, 1, 24, 1, 1, 36, 1, 1};
// The HTTP rows of the IANA registry of architectures (RFC 5970 3.3, RFC 8572).
constexpr std::array<std::uint16_t, 11> kHttpArchitectures = {15, 16, 17, 18, 19, 20,
                                                              23, 24, 26, 28, 30};

// "PXEClient:Arch:00007:UNDI:003016" (PXE 2.1, 2.2.1; UEFI 2.10, 24.7.3.1).
ClassText FirmwareClass(std::uint16_t architecture) {
  const bool http = std::ranges::find(kHttpArchitectures, architecture) != kHttpArchitectures.end();
  ClassText text(http ? "HTTPClient:Arch:" : "PXEClient:Arch:");
  for (std::uint32_t scale = 10'000; scale > 0; scale /= 10) {
    (void)text.push_back(static_cast<char>('0' + architecture / scale % 10));
  }
  (void)text.Append(":UNDI:003016");
  return text;
}

void WriteAddress(Writer& writer, Option option, Ipv4Address address) {
  if (!address.is_any()) {
    writer.Address(option, address);
  }
}

}  // namespace

Result<std::size_t> EncodeQuestion(MutableByteSpan out, const Question& question) noexcept {
  Writer writer(out, kMessageBytesMin);
  writer.RequestHeader(1, 0, false, question.ciaddr, question.mac);
  if (question.type != MessageType::kNone) {
    writer.U8(Option::kMessageType, static_cast<std::uint8_t>(question.type));
  }
  WriteAddress(writer, Option::kRequestedAddress, question.requested);
  WriteAddress(writer, Option::kServerIdentifier, question.server);
  if (question.type != MessageType::kNone) {
    writer.Bytes(Option::kParameterRequestList, std::as_bytes(std::span(kWanted)));
    writer.U16(Option::kMaxMessageSize, kMessageBytesMax);
  }
  const bool firmware_class = question.vendor_class.empty() && question.has_architecture;
  writer.Text(Option::kVendorClass,
              firmware_class ? FirmwareClass(question.architecture) : question.vendor_class);
  writer.Bytes(Option::kClientIdentifier, question.client_id.view());
  writer.Text(Option::kUserClass, question.user_class);
  if (question.has_architecture) {
    writer.U16(Option::kClientArchitecture, question.architecture);
  }
  if (question.user_class == "iPXE") {
    writer.Bytes(Option::kIpxe, std::as_bytes(std::span(kIpxeFeatures)));
  }
  if (!question.relay.is_any() && !question.link_selection.is_any()) {
    std::array<std::byte, 6> agent{std::byte{kRelayLinkSelection}, std::byte{4}};
    StoreBig(agent.data() + 2, question.link_selection.value);
    writer.Bytes(Option::kRelayAgentInformation, agent);
  }
  const std::size_t bytes = SLIP_TRY(writer.Finish());
  if (!question.relay.is_any()) {
    out[3] = std::byte{1};  // hops
    StoreBig(out.data() + 24, question.relay.value);
  }
  return bytes;
}

namespace {

constexpr std::uint16_t kHardwareEthernet6 = 1;

void WriteClass(Writer6& writer, Option6 option, std::string_view item) {
  if (item.empty()) {
    return;
  }
  writer.Begin(option);
  if (option == Option6::kVendorClass) {
    writer.RawU32(kEnterpriseIntel);
  }
  writer.RawU16(static_cast<std::uint16_t>(item.size()));
  writer.Raw(AsBytes(item));
  writer.End();
}

void WriteDuid(Writer6& writer, const Question6& question) {
  if (question.duid.size != 0 || question.mac.is_zero()) {
    writer.Bytes(Option6::kClientId, question.duid.view());
    return;
  }
  writer.Begin(Option6::kClientId);
  writer.RawU16(kDuidLinkLayer);
  writer.RawU16(kHardwareEthernet6);
  writer.Raw(std::as_bytes(std::span(question.mac.octets)));
  writer.End();
}

void WriteIaNa(Writer6& writer, const Ipv6Address& address) {
  writer.Begin(Option6::kIaNa);
  writer.RawU32(1);
  writer.RawU32(0);
  writer.RawU32(0);
  if (!address.is_any()) {
    writer.Begin(Option6::kIaAddress);
    writer.Raw(std::as_bytes(std::span(address.octets)));
    writer.RawU32(0);
    writer.RawU32(0);
    writer.End();
  }
  writer.End();
}

// RFC 8415 16: the types that name their server.
bool NamesServer(MessageType6 type) {
  return type == MessageType6::kRequest || type == MessageType6::kRenew ||
         type == MessageType6::kRelease || type == MessageType6::kDecline;
}

// RFC 4291 appendix A; without a MAC one that shows none.
Ipv6Address LinkLocalOf(MacAddress mac) {
  const auto& m = mac.octets;
  if (mac.is_zero()) {
    return {{0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}};
  }
  return {{0xFE, 0x80, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(m[0] ^ 2), m[1], m[2], 0xFF,
           0xFE, m[3], m[4], m[5]}};
}

}  // namespace

Ipv6Address SourceOf(const Question6& question) noexcept {
  return question.relay.is_any() ? LinkLocalOf(question.mac) : question.relay;
}

Result<std::size_t> EncodeQuestion6(MutableByteSpan out, const Question6& question) noexcept {
  Writer6 writer(out, kMessage6BytesMax);
  std::array<std::byte, 2 + sizeof(MacAddress::octets)> seen{};
  StoreBig(seen.data(), kHardwareEthernet6);
  std::ranges::copy(std::as_bytes(std::span(question.mac.octets)), seen.begin() + 2);
  if (!question.relay.is_any()) {
    RelayHop hop{.link = question.relay, .peer = LinkLocalOf(question.mac)};
    hop.client_address = question.mac.is_zero() ? ByteSpan{} : ByteSpan(seen);
    writer.RelayForward(hop);
  }
  writer.Header(question.type, 1);
  WriteDuid(writer, question);
  if (NamesServer(question.type)) {
    writer.Bytes(Option6::kServerId, {question.server.data(), question.server.size()});
  }
  if (question.type != MessageType6::kInformationRequest) {
    WriteIaNa(writer, question.address);
  }
  writer.Begin(Option6::kOptionRequest);
  for (const std::uint16_t code : kWanted6) {
    writer.RawU16(code);
  }
  writer.End();
  const bool firmware_class = question.vendor_class.empty() && question.has_architecture;
  WriteClass(
      writer, Option6::kVendorClass,
      firmware_class ? FirmwareClass(question.architecture).view() : question.vendor_class.view());
  WriteClass(writer, Option6::kUserClass, question.user_class);
  if (question.has_architecture) {
    writer.U16(Option6::kClientArchitecture, question.architecture);
  }
  return writer.Finish();
}

}  // namespace slipway::dhcp
