// Entities as the API shows them.
#pragma once

#include <boost/json/fwd.hpp>

#include <string>

#include "controlplane/api/api.h"
#include "controlplane/model/index.h"

namespace slipway::api {

// id, the fields of its table, created, modified.
[[nodiscard]] boost::json::object EntityJson(const model::Row& row);

// "\"123\"": the revision that changed it last.
[[nodiscard]] std::string Etag(store::Revision modified);
// The revision of an If-Match: 0 for none or "*". kMalformed.
[[nodiscard]] Result<store::Revision> ParseIfMatch(std::string_view header) noexcept;

// What the link knows, as member "link" of a rack.
[[nodiscard]] boost::json::object LinkJson(const RackLinkStatus& status);

// By id or name. 404 with a hint.
[[nodiscard]] Response NoEntity(model::Kind kind, std::string_view text);

}  // namespace slipway::api
