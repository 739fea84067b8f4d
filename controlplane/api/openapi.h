// The OpenAPI 3.1 document, made from the route table and the field tables: it cannot disagree with
// what is served.
#pragma once

#include <string>

namespace slipway::api {

[[nodiscard]] std::string OpenApiDocument();

// The route table as the Markdown table in docs/api.md (a test compares).
[[nodiscard]] std::string RouteTableMarkdown();
// The fields of all kinds, likewise.
[[nodiscard]] std::string FieldTablesMarkdown();

}  // namespace slipway::api
