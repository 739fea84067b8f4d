// A question about DHCP as the region passes it on: whatever is read becomes a packet that is
// whole.
#include <boost/json/parse.hpp>

#include <array>
#include <cstdint>

#include "dataplane/base/check.h"
#include "dataplane/dhcp/question.h"
#include "dataplane/explain/question_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;  // NOLINT(google-build-using-namespace): a test program
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(
      boost::json::string_view(reinterpret_cast<const char*>(data), size), error);
  if (error || !value.is_object()) {
    return 0;
  }
  const auto asked = explain::ReadQuestion(value.get_object());
  if (!asked) {
    SLIP_CHECK(!asked.error().problem.empty());
    return 0;
  }
  std::array<std::byte, dhcp::kMessageBytesMin> packet{};
  if (asked->family == config::Family::kV6) {
    dhcp::Question6 question = asked->question6;
    question.server = dhcp::DuidFromUuid({1, 2, 3});
    const auto bytes = dhcp::EncodeQuestion6(packet, question);
    SLIP_CHECK(bytes.has_value());
    dhcp::Message6 message;
    SLIP_CHECK(dhcp::Decode6(ByteSpan(packet).first(*bytes), message).has_value());
    SLIP_CHECK(message.type == asked->question6.type);
    return 0;
  }
  const auto bytes = dhcp::EncodeQuestion(packet, asked->question);
  SLIP_CHECK(bytes.has_value());
  dhcp::Message message;
  SLIP_CHECK(dhcp::Decode(ByteSpan(packet).first(*bytes), message).has_value());
  SLIP_CHECK(message.type == asked->question.type);
  SLIP_CHECK(message.giaddr == asked->question.relay);
  SLIP_CHECK(message.GetAddress(dhcp::Option::kRequestedAddress) == asked->question.requested);
  return 0;
}
