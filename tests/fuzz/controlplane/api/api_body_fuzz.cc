// JSON body -> mutation of the model, and request heads: the first byte chooses the route.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "controlplane/api/http_head.h"
#include "dataplane/base/check.h"
#include "tests/support/api_lab.h"

namespace slipway::api {
namespace {

struct Target {
  Method method;
  std::string_view path;
};

constexpr Target kTargets[] = {
    {Method::kPost, "/v1/fabrics"},       {Method::kPost, "/v1/vlans"},
    {Method::kPost, "/v1/subnets"},       {Method::kPost, "/v1/ranges"},
    {Method::kPost, "/v1/machines"},      {Method::kPost, "/v1/interfaces"},
    {Method::kPost, "/v1/images"},        {Method::kPost, "/v1/served-interfaces"},
    {Method::kPost, "/v1/bulk"},          {Method::kPatch, "/v1/fabrics/lab"},
    {Method::kPatch, "/v1/machines/m1"},  {Method::kPost, "/v1/racks/tokens"},
    {Method::kPost, "/v1/images/import"}, {Method::kDelete, "/v1/machines/m1"},
    {Method::kPost, "/v1/dhcp-classes"},  {Method::kPost, "/v1/dhcp-options"},
};

void FuzzHead(std::string_view bytes) {
  const std::size_t end = FindHeadEnd(bytes);
  if (end == std::string_view::npos) {
    return;
  }
  if (const auto head = ParseHead(bytes.substr(0, end)); head) {
    SLIP_CHECK(head->request.path.starts_with('/'));
    SLIP_CHECK(head->request.headers.size() <= kHeadersMax);
    SLIP_CHECK(!(head->chunked && head->content_length > 0));
  }
}

void FuzzBody(std::uint8_t selector, std::string_view body) {
  static ApiLab* const lab = [] {
    auto made = std::make_unique<ApiLab>();
    (void)made->Call(Method::kPost, "/v1/bulk", R"([
      {"verb":"create","kind":"fabric","body":{"name":"lab"}},
      {"verb":"create","kind":"machine","body":{"hostname":"m1"}}])");
    return made.release();
  }();
  const Target& target = kTargets[selector % std::size(kTargets)];
  const auto before = lab->store.revision();
  // Planned only: the same input finds the same model each time.
  const Response response =
      lab->Call(target.method, std::string(target.path) + "?dry_run=1", std::string(body));
  SLIP_CHECK(lab->store.revision() == before);
  SLIP_CHECK(response.status >= 200 && response.status < 600);
  SLIP_CHECK(response.status != 500);
  if (response.status >= 400) {
    SLIP_CHECK(JsonOf(response).contains("type"));
  }
  lab->log.lines.clear();
}

}  // namespace
}  // namespace slipway::api

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] == 'H') {
    slipway::api::FuzzHead(bytes);
  } else {
    slipway::api::FuzzBody(data[0], bytes);
  }
  return 0;
}
