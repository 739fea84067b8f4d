// Pairs of racks, for the handlers of entities.
#pragma once

#include <boost/json/fwd.hpp>

#include <optional>
#include <string_view>

#include "controlplane/api/api.h"

namespace slipway::api {

// What both racks say, as member "status" of a pair.
void AddPairStatus(Api& api, boost::json::object& entity);

// A pair may end when neither rack can serve on as one of it: both have the generation in which no
// VLAN is common (the model sees to that), and each knows the other's leases; or one was declared
// down and what it promised is over. Nothing: it may.
[[nodiscard]] std::optional<Response> WhyNotEndPair(Api& api, std::string_view pair);

}  // namespace slipway::api
