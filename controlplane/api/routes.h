// The route table: ONE table from which routing, 405 with Allow, authorisation, the OpenAPI
// document and the list in docs/api.md come. A new route is one row and one handler.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/api/http.h"
#include "controlplane/api/query.h"
#include "controlplane/model/kinds.h"

namespace slipway::api {

class Api;
struct Call;

enum class Scope : std::uint8_t {
  kOpen,   // anybody who reaches the port
  kAdmin,  // the bearer of the admin token
};

using Handler = void (*)(Api& api, Call call);

inline constexpr std::size_t kBodyBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kBulkBytesMax = std::size_t{64} << 20;

struct Route {
  Method method = Method::kGet;
  // Segments in braces: {kind} is the plural of any stored kind, {id} one segment of text.
  std::string_view pattern;
  Scope scope = Scope::kAdmin;
  std::size_t body_bytes_max = 0;
  std::string_view summary;
  // Query parameters that it takes, separated by spaces; '*': also names of the kind's fields.
  std::string_view query;
  Handler handler = nullptr;
  bool creates = false;  // not for racks: they come by enrolment
};

// In order: the first match wins.
[[nodiscard]] std::span<const Route> Routes() noexcept;

struct RouteMatch {
  const Route* route = nullptr;
  model::Kind kind = model::Kind::kFabric;  // with {kind}
  std::string id;                           // decoded, with {id}
};

struct RouteResult {
  RouteMatch match;     // route is null if none matched
  std::string allowed;  // if only the method did not match: "GET, HEAD, PATCH"
};

// HEAD is answered by GET's route.
[[nodiscard]] RouteResult FindRoute(Method method, std::string_view path);

// A parsed request on its way to its handler.
struct Call {
  Request request;
  Responder responder;
  RouteMatch match;
  Query query;

  [[nodiscard]] bool dry_run() const noexcept { return query.Flag("dry_run"); }
};

// ---- handlers, by file ----
// status.cc
void HandleLive(Api& api, Call call);
void HandleReady(Api& api, Call call);
void HandleVersion(Api& api, Call call);
void HandleMetrics(Api& api, Call call);
void HandleOpenApi(Api& api, Call call);
// entities.cc
void HandleList(Api& api, Call call);
void HandleGet(Api& api, Call call);
// mutations.cc
void HandleCreate(Api& api, Call call);
void HandlePatch(Api& api, Call call);
void HandleDelete(Api& api, Call call);
void HandleBulk(Api& api, Call call);
// racks.cc
void HandleMintToken(Api& api, Call call);
void HandleRevoke(Api& api, Call call);
// rack_pairs.cc
void HandlePartnerDown(Api& api, Call call);
// rack_queries.cc
void HandleLease(Api& api, Call call);
void HandleReleaseLease(Api& api, Call call);
void HandlePools(Api& api, Call call);
void HandleExplain(Api& api, Call call);
// facts.cc
void HandleLeases(Api& api, Call call);
void HandleBootTrace(Api& api, Call call);
void HandleInventory(Api& api, Call call);
// dhcp_options.cc
void HandleDhcpOptions(Api& api, Call call);
// events.cc
void HandleEvents(Api& api, Call call);
// import.cc
void HandleImport(Api& api, Call call);

}  // namespace slipway::api
