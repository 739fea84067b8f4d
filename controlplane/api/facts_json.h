// Facts as the API shows them, and what the list routes share.
#pragma once

#include <boost/json/fwd.hpp>

#include <cstddef>

#include "controlplane/api/query.h"
#include "controlplane/store/facts_store.h"

namespace slipway::api {

inline constexpr std::size_t kPageItemsMax = 1000;

// "limit": 1..kPageItemsMax; kOutOfRange.
[[nodiscard]] Result<std::size_t> ParseLimit(const Query& query, std::size_t fallback) noexcept;

[[nodiscard]] boost::json::object EventJson(const store::EventRow& row);
[[nodiscard]] boost::json::object BootStepJson(const store::BootStepRow& row);
[[nodiscard]] boost::json::object LeaseJson(const store::LeaseRow& row);

}  // namespace slipway::api
