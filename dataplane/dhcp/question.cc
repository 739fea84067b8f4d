#include "dataplane/dhcp/question.h"

#include <algorithm>
#include <array>

namespace slipway::dhcp {
namespace {

// What firmware and iPXE ask for.
constexpr std::array<std::uint8_t, 15> kWanted = {1,  2,  3,  6,  12, 13, 15, 17,
                                                  28, 42, 43, 54, 60, 66, 67};
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

}  // namespace slipway::dhcp
