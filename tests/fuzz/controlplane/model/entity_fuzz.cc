// The first byte chooses a kind, the rest is a request's JSON: whatever is accepted must survive
// rendering, storing and loading.
#include <boost/json.hpp>

#include <cstdint>
#include <string_view>

#include "controlplane/model/fields.h"
#include "dataplane/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::model;  // NOLINT(google-build-using-namespace): a fuzz target
  if (size == 0) {
    return 0;
  }
  const Kind kind = static_cast<Kind>(data[0] % kStoredKindCount);
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  (void)DecodeStored(kind, text);
  boost::json::error_code error;
  const auto value = boost::json::parse(boost::json::string_view(text.data(), text.size()), error);
  if (error || !value.is_object()) {
    return 0;
  }
  Entity entity = EmptyEntity(kind);
  if (!ParseFields(value.get_object(), ParseMode::kCreate, nullptr, entity).empty()) {
    return 0;
  }
  const auto stored = DecodeStored(kind, EncodeStored(entity));
  SLIP_CHECK(stored && *stored == entity);
  Entity again = entity;
  SLIP_CHECK(ParseFields(RenderFields(entity), ParseMode::kPatch, nullptr, again).empty());
  SLIP_CHECK(again == entity);
  return 0;
}
