#include "dataplane/service/boot_content.h"

#include <algorithm>

#include "dataplane/base/random.h"

namespace slipway::service {
namespace {

constexpr std::uint32_t kNoTransfer = UINT32_MAX;

constexpr std::string_view kScriptType = "text/plain; charset=utf-8";

static_assert(boot::kScriptBytesMax <= kGeneratedBytesMax);

// Where the client reaches the other rack of the pair, if that one serves its VLAN too.
IpAddress PartnerOf(const config::Snapshot& snapshot, const boot::BootRequest& ask) {
  const config::RackPairRecord* const pair = snapshot.rack_pair();
  if (pair == nullptr || ask.vlan == nullptr) {
    return {};
  }
  const auto& vlans = pair->shared_vlans;
  const auto found = std::ranges::lower_bound(vlans.begin(), vlans.end(), ask.vlan->id, {},
                                              &config::PartnerVlan::vlan);
  if (found == vlans.end() || found->vlan != ask.vlan->id) {
    return {};
  }
  return ask.server.is_v4() ? found->address : found->address6;
}

}  // namespace

BootContent::BootContent(const Parts& parts)
    : parts_(parts), transfers_(std::make_unique<Transfer[]>(kTransfersMax)) {
  for (std::uint32_t i = 0; i < kTransfersMax; ++i) {
    transfers_[i].next_free = i + 1 < kTransfersMax ? i + 1 : kNoTransfer;
  }
}

Content BootContent::Resolve(const ContentRequest& request, MutableByteSpan scratch, Instant now) {
  const Serving* const serving = parts_.serving->current();
  if (serving == nullptr || !serving->snapshot) {
    return {.kind = ContentKind::kUnavailable};
  }
  if (request.space == ContentSpace::kBootScript) {
    return ResolveScript(request, *serving, scratch, now);
  }
  return ResolveFile(request, *serving);
}

std::uint16_t BootContent::PathMtu(const IpAddress& peer, const Serving& serving) const {
  const Peer* const known = parts_.peers->Find(peer);
  const ServedLink* const link = known != nullptr ? serving.links.ByVlan(known->vlan) : nullptr;
  const config::VlanRecord* const vlan =
      link != nullptr ? serving.snapshot->VlanById(link->vlan) : nullptr;
  if (vlan == nullptr) {
    return 0;
  }
  // Behind a relay the path may be narrower than the VLAN: only neighbours get its full size.
  for (const IpPrefix& prefix : link->addresses) {
    if (prefix.Contains(peer)) {
      return vlan->mtu;
    }
  }
  return 0;
}

Content BootContent::ResolveFile(const ContentRequest& request, const Serving& serving) {
  const std::string_view name = request.name;
  const config::FileRef found = serving.snapshot->FileByName(name);
  if (found.file == nullptr) {
    counters_.unknown_names.Add();
    return {.kind = ContentKind::kNone};
  }
  const images::Object* const object = serving.objects ? serving.objects->Find(name) : nullptr;
  if (object == nullptr) {
    counters_.objects_missing.Add();
    return {.kind = ContentKind::kUnavailable};
  }
  if (free_ == kNoTransfer) {
    counters_.busy.Add();
    return {.kind = ContentKind::kUnavailable};
  }
  const std::uint32_t slot = free_;
  free_ = transfers_[slot].next_free;
  transfers_[slot].objects = serving.objects;
  counters_.files.Add();
  return {.kind = ContentKind::kFile,
          .fd = object->fd,
          .path_mtu_bytes = PathMtu(request.peer, serving),
          .bytes = object->bytes,
          .mapping = object->mapping.empty() ? nullptr : object->mapping.data(),
          .handle = std::uint64_t{slot} + 1,
          .etag = images::ToText(found.file->sha256)};
}

Content BootContent::ResolveScript(const ContentRequest& request, const Serving& serving,
                                   MutableByteSpan scratch, Instant now) {
  const Peer* const peer = parts_.peers->Find(request.peer);
  const config::InterfaceRecord* const reserved =
      serving.snapshot->InterfaceByAddress(request.peer);
  if (peer == nullptr && reserved == nullptr) {
    counters_.unknown_peers.Add();
    return {.kind = ContentKind::kNone};
  }
  boot::BootRequest ask{
      .mac = peer != nullptr ? peer->mac : reserved->mac,
      .vlan = serving.snapshot->VlanById(peer != nullptr ? peer->vlan : reserved->vlan),
      .transport = boot::Transport::kHttp,
      .stage = boot::Stage::kIpxe,
      .server = request.local};
  ask.firmware.ipxe = true;
  boot::FindMachine(*serving.snapshot, ask);
  boot::BootPlan plan = boot::Decide(ask, *serving.snapshot);
  GuardLoop(ask, request.peer, plan, now);
  const TokenText token = parts_.tokens->Mint(
      {.machine = ask.machine != nullptr ? ask.machine->id : 0,
       .mac = ask.mac,
       .address = request.peer,
       .expires = now + kTokenLife,
       .state_generation = ask.machine != nullptr ? ask.machine->state_generation : 0,
       .nonce = parts_.random->U64()});
  const boot::ScriptContext context{
      .mac = ask.mac,
      .server = ask.server,
      .partner = PartnerOf(*serving.snapshot, ask),
      .token = token,
      .hostname = ask.machine != nullptr ? ask.machine->hostname.view() : std::string_view()};
  const auto size = boot::WriteScript(scratch, plan, context);
  parts_.steps->Record({.kind = schema::BootStepKind::Script,
                        .mac = ask.mac,
                        .peer = request.peer,
                        .name = plan.reason,
                        .bytes = size.value_or(0),
                        .ok = size.has_value()},
                       now);
  if (!size) {
    return {.kind = ContentKind::kUnavailable};
  }
  counters_.scripts.Add();
  return {.kind = ContentKind::kMemory, .bytes = *size, .content_type = kScriptType};
}

// The same script again and again, and no inventory in between: what it starts does not work. The
// machine waits for a while then, and is told why. A plan to wait is no loop: such a machine asks
// again on purpose.
void BootContent::GuardLoop(const boot::BootRequest& ask, const IpAddress& peer,
                            boot::BootPlan& plan, Instant now) {
  if (plan.kind != boot::PlanKind::kScript && plan.kind != boot::PlanKind::kLocal) {
    return;
  }
  const std::uint64_t state = ask.machine != nullptr ? ask.machine->state_generation : 0;
  const std::uint64_t image = plan.image != nullptr ? plan.image->id : 0;
  const boot::LoopStage stage{
      .key = Mix64(boot::StageKey(plan.reason) ^ Mix64(image) ^ Mix64(Mix64(state))),
      // A disk that does not boot is back at once; one that does may well be restarted now and
      // then.
      .window = plan.kind == boot::PlanKind::kLocal ? boot::kLoaderWindow : boot::kScriptWindow};
  const boot::LoopVerdict verdict = parts_.loops->Observe(ask.mac, stage, ++scripts_asked_, now);
  if (verdict == boot::LoopVerdict::kFine) {
    return;
  }
  if (verdict == boot::LoopVerdict::kLoopFound) {
    counters_.loops_found.Add();
    parts_.steps->Record({.kind = schema::BootStepKind::Loop,
                          .mac = ask.mac,
                          .peer = peer,
                          .name = plan.reason,
                          .ok = false},
                         now);
    parts_.events->Report(EventCode::kBootLoop, ToText(ask.mac), plan.reason);
  }
  plan.kind = boot::PlanKind::kWait;
  plan.reason = boot::kLoopReason;
  plan.kernel = nullptr;
  plan.initrd = nullptr;
}

void BootContent::Release(std::uint64_t handle) {
  if (handle == 0 || handle > kTransfersMax) {
    return;
  }
  const auto slot = static_cast<std::uint32_t>(handle - 1);
  transfers_[slot].objects = {};
  transfers_[slot].next_free = free_;
  free_ = slot;
}

}  // namespace slipway::service
