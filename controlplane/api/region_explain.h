// What a rack would answer to a packet, found at the region by the rack's own engine: from the
// snapshot that was published for it and the addresses it has reported, but without its leases.
#pragma once

#include <boost/json/object.hpp>

#include <expected>
#include <string>

#include "controlplane/api/api.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/explain/question_json.h"

namespace slipway::api {

// As explain::ToJson gives it. An address that a rack would choose by its leases and its secret is
// one of the pool here. The error says what is missing in the question.
[[nodiscard]] std::expected<boost::json::object, std::string> ExplainWithoutLeases(
    const config::SnapshotRef& snapshot, const RackLinkStatus& status,
    const explain::AskedPacket& asked);

}  // namespace slipway::api
