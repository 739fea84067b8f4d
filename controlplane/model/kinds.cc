#include "controlplane/model/kinds.h"

#include <algorithm>

#include "dataplane/base/check.h"

namespace slipway::model {

namespace {

constexpr std::array<KindInfo, kKindCount> kKinds = {{
    {Kind::kFabric, "fabric", "fabrics", "fab", "m/fab/", "name", true},
    {Kind::kVlan, "vlan", "vlans", "vlan", "m/vlan/", "name", true},
    {Kind::kSubnet, "subnet", "subnets", "sub", "m/sub/", "name", true},
    {Kind::kRange, "range", "ranges", "rng", "m/rng/", "", true},
    {Kind::kMachine, "machine", "machines", "mch", "m/mch/", "hostname", true},
    {Kind::kInterface, "interface", "interfaces", "ifc", "m/ifc/", "", true},
    {Kind::kImage, "image", "images", "img", "m/img/", "name", true},
    {Kind::kRack, "rack", "racks", "rck", "m/rck/", "name", true},
    {Kind::kServedInterface, "served-interface", "served-interfaces", "srv", "m/srv/", "", true},
    {Kind::kDhcpClass, "dhcp-class", "dhcp-classes", "cls", "m/cls/", "name", true},
    {Kind::kDhcpOption, "dhcp-option", "dhcp-options", "opt", "m/opt/", "", true},
    {Kind::kRackPair, "rack-pair", "rack-pairs", "pair", "m/pair/", "name", true},
    {Kind::kEvent, "event", "events", "evt", "", "", false},
}};

constexpr std::string_view kDigits = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::size_t kIdDigits = 8;

static_assert(kDigits.size() == 32);
static_assert(std::ranges::all_of(kKinds, [](const KindInfo& info) {
  return &info == &kKinds[static_cast<std::size_t>(info.kind)];
}));

void AppendDigits(std::string& out, std::uint64_t value) {
  SLIP_CHECK(value <= kEntityIdMax);
  for (std::size_t i = 0; i < kIdDigits; ++i) {
    out.push_back(kDigits[(value >> (5 * (kIdDigits - 1 - i))) & 31]);
  }
}

Result<EntityId> ParseDigits(std::string_view text) noexcept {
  if (text.size() != kIdDigits) {
    return Fail(ErrorCode::kMalformed);
  }
  EntityId id;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) {
      return Fail(ErrorCode::kMalformed);
    }
    id.value = (id.value << 5) | digit;
  }
  if (!id.is_set()) {
    return Fail(ErrorCode::kOutOfRange);
  }
  return id;
}

}  // namespace

const KindInfo& InfoOf(Kind kind) noexcept { return kKinds[static_cast<std::size_t>(kind)]; }

const std::array<KindInfo, kKindCount>& AllKinds() noexcept { return kKinds; }

Result<Kind> KindByName(std::string_view name) noexcept {
  for (const KindInfo& info : kKinds) {
    if (info.name == name || info.plural == name) {
      return info.kind;
    }
  }
  return Fail(ErrorCode::kNotFound);
}

std::string FormatId(Kind kind, EntityId id) {
  std::string text(InfoOf(kind).prefix);
  text.push_back('-');
  AppendDigits(text, id.value);
  return text;
}

Result<EntityId> ParseId(Kind kind, std::string_view text) noexcept {
  const std::string_view prefix = InfoOf(kind).prefix;
  if (!text.starts_with(prefix) || text.size() <= prefix.size() || text[prefix.size()] != '-') {
    return Fail(ErrorCode::kMalformed);
  }
  return ParseDigits(text.substr(prefix.size() + 1));
}

Result<EntityRef> ParseAnyId(std::string_view text) noexcept {
  for (const KindInfo& info : kKinds) {
    if (text.starts_with(info.prefix) && text.size() > info.prefix.size() &&
        text[info.prefix.size()] == '-') {
      const EntityId id = SLIP_TRY(ParseId(info.kind, text));
      return EntityRef{.kind = info.kind, .id = id};
    }
  }
  return Fail(ErrorCode::kMalformed);
}

std::string StoreKey(Kind kind, EntityId id) {
  std::string key(InfoOf(kind).key_prefix);
  AppendDigits(key, id.value);
  return key;
}

Result<EntityRef> ParseStoreKey(std::string_view key) noexcept {
  for (const KindInfo& info : kKinds) {
    if (info.stored && key.starts_with(info.key_prefix)) {
      const auto id = ParseDigits(key.substr(info.key_prefix.size()));
      if (!id) {
        return Fail(ErrorCode::kNotFound);
      }
      return EntityRef{.kind = info.kind, .id = *id};
    }
  }
  return Fail(ErrorCode::kNotFound);
}

EntityId RandomId(Random& random) noexcept {
  EntityId id;
  while (!id.is_set()) {
    id.value = random.U64() & kEntityIdMax;
  }
  return id;
}

}  // namespace slipway::model
