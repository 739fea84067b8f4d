// Any bytes as a request head: whole and in two pieces give the same, views stay inside the input.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/base/check.h"
#include "dataplane/http/conditions.h"
#include "dataplane/http/request.h"

namespace {

using namespace slipway;  // NOLINT(google-build-using-namespace): a fuzz target

void CheckInside(std::string_view view, ByteSpan input) {
  if (!view.empty()) {
    const auto* begin = reinterpret_cast<const std::byte*>(view.data());
    SLIP_CHECK(begin >= input.data());
    SLIP_CHECK(begin + view.size() <= input.data() + input.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan input = std::as_bytes(std::span(data, size));
  http::HeadScanner whole;
  http::Request request;
  const http::ScanResult result = whole.Scan(input, request);
  http::HeadScanner pieces;
  http::Request again;
  http::ScanResult last = pieces.Scan(input.first(size / 2), again);
  if (last.kind == http::ScanKind::kIncomplete) {
    last = pieces.Scan(input, again);
    SLIP_CHECK(last.kind == result.kind);
    SLIP_CHECK(last.head_bytes == result.head_bytes);
  }
  if (result.kind != http::ScanKind::kComplete) {
    return 0;
  }
  SLIP_CHECK(result.head_bytes <= size);
  for (const std::string_view view :
       {request.target, request.host, request.range, request.if_range, request.if_match,
        request.if_none_match, request.if_modified_since, request.authorization}) {
    CheckInside(view, input);
  }
  std::array<char, 64> path;
  std::size_t path_bytes = 0;
  std::string_view query;
  if (http::DecodeTarget(request.target, path, &path_bytes, &query)) {
    SLIP_CHECK(path_bytes <= path.size());
    SLIP_CHECK(std::string_view(path.data(), path_bytes).find('\0') == std::string_view::npos);
  }
  for (const std::uint64_t total : {std::uint64_t{0}, std::uint64_t{10}, UINT64_MAX}) {
    const http::Selection selection =
        http::Select(request, {.etag = "cafe", .modified = {1}}, total);
    SLIP_CHECK(selection.range.bytes == 0 || selection.range.offset <= total);
    SLIP_CHECK(selection.status == http::Status::kRangeNotSatisfiable ||
               selection.range.bytes <= total - selection.range.offset);
  }
  return 0;
}
