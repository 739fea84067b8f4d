#include "controlplane/api/routes.h"

#include <algorithm>
#include <optional>

namespace slipway::api {
namespace {

constexpr auto kGet = Method::kGet;
constexpr auto kPost = Method::kPost;
constexpr auto kPatch = Method::kPatch;
constexpr auto kDelete = Method::kDelete;
constexpr auto kOpen = Scope::kOpen;
constexpr auto kAdmin = Scope::kAdmin;

constexpr Route kRoutes[] = {
    {kGet, "/livez", kOpen, 0, "The process is alive", "", HandleLive},
    {kGet, "/readyz", kOpen, 0, "The region can serve; ?verbose lists each check", "verbose",
     HandleReady},
    {kGet, "/version", kOpen, 0, "Software and API version", "", HandleVersion},
    {kGet, "/metrics", kOpen, 0, "Counters in the Prometheus text format", "", HandleMetrics},
    {kGet, "/v1/openapi.json", kOpen, 0, "This API as an OpenAPI 3.1 document", "", HandleOpenApi},
    {kGet, "/v1/events", kAdmin, 0,
     "Events as a list, or as a stream with Accept: text/event-stream", "since topics limit",
     HandleEvents},
    {kGet, "/v1/leases", kAdmin, 0, "Current bindings of addresses", "cursor limit mac subnet",
     HandleLeases},
    {kGet, "/v1/leases/{id}", kAdmin, 0,
     "The lease or offer of an address as the rack has it now; {id} is the address", "rack",
     HandleLease},
    {kPost, "/v1/leases/{id}/release", kAdmin, kBodyBytesMax,
     "End the lease of an address on its rack; answered when that is on disk", "rack dry_run",
     HandleReleaseLease},
    {kGet, "/v1/pools", kAdmin, 0, "How full the pools of the connected racks are", "subnet rack",
     HandlePools},
    {kGet, "/v1/dhcp/explain", kAdmin, 0,
     "What a rack would answer to a client's packet, and by which rules; nothing changes",
     "family mac duid type arch vendor_class user_class client_id ciaddr requested server relay "
     "link_selection interface vlan last rack without_leases",
     HandleExplain},
    {kPost, "/v1/bulk", kAdmin, kBulkBytesMax,
     "Several operations on any kinds: all of them or none", "dry_run", HandleBulk},
    {kPost, "/v1/racks/tokens", kAdmin, kBodyBytesMax, "Make a one-time join token for a rack", "",
     HandleMintToken},
    {kPost, "/v1/racks/{id}/revoke", kAdmin, kBodyBytesMax,
     "Revoke a rack: its connection ends and its key is refused from now on", "dry_run",
     HandleRevoke},
    {kPost, "/v1/rack-pairs/{id}/partner-down", kAdmin, kBodyBytesMax,
     "Declare a rack of a pair down, with the reason: its partner goes on for both", "dry_run",
     HandlePartnerDown},
    {kPost, "/v1/images/import", kAdmin, kBodyBytesMax,
     "Take files of the region's host into the image store, as one image", "dry_run", HandleImport},
    {kGet, "/v1/machines/{id}/boot-trace", kAdmin, 0,
     "The steps of a machine's boots; {id} may be a name or a MAC", "boots", HandleBootTrace},
    {kGet, "/v1/machines/{id}/inventory", kAdmin, 0,
     "The latest inventory document of a machine, as posted", "", HandleInventory},
    {kGet, "/v1/machines/{id}/dhcp-options", kAdmin, 0,
     "The DHCP options that hold for a machine, with where each comes from; {id} may be a MAC",
     "family mac subnet arch vendor_class user_class relay_circuit relay_remote",
     HandleDhcpOptions},
    {kPost, "/v1/{kind}", kAdmin, kBulkBytesMax,
     "Create one from an object, or all or none from an array", "dry_run", HandleCreate, true},
    {kGet, "/v1/{kind}", kAdmin, 0, "List, in the order of ids", "cursor limit *", HandleList},
    {kGet, "/v1/{kind}/{id}", kAdmin, 0, "Read one, by id or name", "", HandleGet},
    {kPatch, "/v1/{kind}/{id}", kAdmin, kBodyBytesMax,
     "Change the fields given (If-Match: its ETag)", "dry_run", HandlePatch},
    {kDelete, "/v1/{kind}/{id}", kAdmin, kBodyBytesMax,
     "Delete (If-Match: its ETag); refused while something refers to it", "dry_run", HandleDelete},
};

[[nodiscard]] std::string_view NextSegment(std::string_view& path) noexcept {
  const std::size_t end = path.find('/');
  const std::string_view segment = path.substr(0, end);
  path = end == std::string_view::npos ? std::string_view{} : path.substr(end + 1);
  return segment;
}

[[nodiscard]] bool TakeSegment(std::string_view expected, std::string_view segment,
                               RouteMatch& match) {
  if (expected == "{kind}") {
    const auto kind = model::KindByName(segment);
    if (!kind || !model::InfoOf(*kind).stored || model::InfoOf(*kind).plural != segment) {
      return false;
    }
    match.kind = *kind;
    return true;
  }
  if (expected == "{id}") {
    auto id = PercentDecode(segment, false);
    if (!id || id->empty()) {
      return false;
    }
    match.id = *std::move(id);
    return true;
  }
  return expected == segment;
}

[[nodiscard]] std::optional<RouteMatch> Match(const Route& route, std::string_view path) {
  RouteMatch match{.route = &route, .kind = model::Kind::kFabric, .id = {}};
  std::string_view pattern = route.pattern.substr(1);
  if (std::count(path.begin(), path.end(), '/') !=
      std::count(route.pattern.begin(), route.pattern.end(), '/')) {
    return std::nullopt;
  }
  path.remove_prefix(1);
  while (!pattern.empty()) {
    if (!TakeSegment(NextSegment(pattern), NextSegment(path), match)) {
      return std::nullopt;
    }
  }
  if (route.creates && match.kind == model::Kind::kRack) {
    return std::nullopt;
  }
  // Fixed words win over ids: POST /v1/images/import is not the image "import".
  return match;
}

}  // namespace

std::span<const Route> Routes() noexcept { return kRoutes; }

RouteResult FindRoute(Method method, std::string_view path) {
  RouteResult result;
  const Method wanted = method == Method::kHead ? Method::kGet : method;
  for (const Route& route : kRoutes) {
    auto match = path.starts_with('/') ? Match(route, path) : std::nullopt;
    if (!match) {
      continue;
    }
    if (route.method == wanted) {
      result.match = *std::move(match);
      return result;
    }
    result.allowed.append(result.allowed.empty() ? "" : ", ").append(ToString(route.method));
    if (route.method == Method::kGet) {
      result.allowed.append(", HEAD");
    }
  }
  return result;
}

}  // namespace slipway::api
