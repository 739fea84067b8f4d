#include "dataplane/boot/decide.h"

#include "dataplane/boot/identity.h"
#include "dataplane/boot/paths.h"
#include "dataplane/boot/script.h"

namespace slipway::boot {
namespace {

using config::BootTarget;
using config::FileName;
using config::UnknownPolicy;

// What the machine is to boot in the end, whatever the stage.
struct Goal {
  PlanKind kind = PlanKind::kNothing;
  const config::ImageRecord* image = nullptr;
  std::string_view reason;
};

// Notes a rule; returns whether it matched, so that it reads as a condition.
bool Try(BootPlan& plan, bool matched, std::string_view rule, std::string_view reason) {
  (void)plan.rules.push_back({.rule = rule, .reason = reason, .matched = matched});
  return matched;
}

void Finish(BootPlan& plan, PlanKind kind, std::string_view reason) {
  plan.kind = kind;
  plan.reason = reason;
}

// RFC 4578 2.1: without the option it is a BIOS machine. But none of those boots by IPv6.
const ArchitectureRow* RowOf(const BootRequest& request) {
  Firmware firmware = request.firmware;
  if (!firmware.has_architecture && request.server.is_set() && !request.server.is_v4()) {
    firmware.architecture = kArchitectureUefiX64;
    firmware.has_architecture = true;
  }
  return boot::RowOf(firmware, request.mac);
}

Goal LauncherGoal(const BootRequest& request, const config::Snapshot& snapshot,
                  std::string_view reason) {
  const ArchitectureRow* row = RowOf(request);
  const std::string_view architecture = row == nullptr ? "" : row->image_architecture;
  return {PlanKind::kScript, architecture.empty() ? nullptr : snapshot.LauncherFor(architecture),
          reason};
}

Goal KnownGoal(const BootRequest& request, const config::Snapshot& snapshot, BootPlan& plan) {
  switch (request.machine->boot_target) {
    case BootTarget::kLocal:
      (void)Try(plan, true, "target-local", "the machine is to boot its own disk");
      return {PlanKind::kLocal, nullptr, "target-local"};
    case BootTarget::kWait:
      (void)Try(plan, true, "target-wait", "the machine is to wait");
      return {PlanKind::kWait, nullptr, "target-wait"};
    case BootTarget::kImage:
      (void)Try(plan, true, "target-image", "the machine is to boot its image");
      return {PlanKind::kScript, snapshot.ImageById(request.machine->image), "target-image"};
    case BootTarget::kLauncher:
      break;
  }
  (void)Try(plan, true, "target-launcher", "the machine is to run the launcher");
  return LauncherGoal(request, snapshot, "target-launcher");
}

Goal UnknownGoal(const BootRequest& request, const config::Snapshot& snapshot, BootPlan& plan) {
  const UnknownPolicy policy = request.vlan->unknown_policy;
  if (Try(plan, policy == UnknownPolicy::kEnlist, "unknown-enlist",
          "the VLAN enlists unknown machines")) {
    return LauncherGoal(request, snapshot, "unknown-enlist");
  }
  if (Try(plan, policy == UnknownPolicy::kWait, "unknown-wait",
          "the VLAN lets unknown machines wait")) {
    return {PlanKind::kWait, nullptr, "unknown-wait"};
  }
  if (Try(plan, policy == UnknownPolicy::kLocal, "unknown-local",
          "the VLAN lets unknown machines boot their own disk")) {
    return {PlanKind::kLocal, nullptr, "unknown-local"};
  }
  (void)Try(plan, true, "unknown-ignore", "the VLAN ignores unknown machines");
  return {};
}

const config::ImageFile* FileOf(const config::ImageRecord& image, config::FileRole role) {
  for (const config::ImageFile& file : image.files) {
    if (file.role == role) {
      return &file;
    }
  }
  return nullptr;
}

// Kernel, initrd and command line of a script plan; or the machine waits, with the reason.
void LoadImage(const BootRequest& request, const Goal& goal, BootPlan& plan) {
  if (!Try(plan, goal.image != nullptr, "image-known", "the snapshot has the image")) {
    return Finish(plan, PlanKind::kWait, "no-image");
  }
  plan.image = goal.image;
  plan.kernel = FileOf(*goal.image, config::FileRole::kKernel);
  plan.initrd = FileOf(*goal.image, config::FileRole::kInitrd);
  if (!Try(plan, plan.kernel != nullptr, "image-has-kernel", "the image has a kernel")) {
    return Finish(plan, PlanKind::kWait, "no-kernel");
  }
  const std::string_view options =
      request.machine == nullptr ? "" : request.machine->kernel_options.view();
  const bool fits =
      plan.command_line.Assign(goal.image->command_line) &&
      (options.empty() || plan.command_line.empty() || plan.command_line.push_back(' ')) &&
      plan.command_line.Append(options);
  if (!Try(plan, fits && IsScriptText(plan.command_line), "command-line-plain",
           "the command line is plain text of a bearable length")) {
    plan.command_line.clear();
    return Finish(plan, PlanKind::kWait, "bad-command-line");
  }
  Finish(plan, PlanKind::kScript, goal.reason);
}

// ONIE's installer may be of one platform.
FileName PlatformInstaller(const Firmware& firmware) {
  FileName name(kLoaderOnie);
  const bool fits =
      !firmware.onie_platform.empty() && name.push_back('-') && name.Append(firmware.onie_platform);
  return fits ? name : FileName();
}

bool IsThere(const config::Snapshot& snapshot, std::string_view name) {
  return snapshot.FileByName(name).file != nullptr;
}

const LoaderFile* FindLoader(const ArchitectureRow& row, const config::Snapshot& snapshot) {
  for (const LoaderFile& loader : row.loaders) {
    if (!loader.name.empty() && IsThere(snapshot, loader.name) &&
        (loader.configuration.empty() || IsThere(snapshot, loader.configuration))) {
      return &loader;
    }
  }
  return nullptr;
}

// What the firmware is told to fetch first. Also for machines that end on their own disk: firmware
// that gets no boot file tries for minutes before it goes on.
void ChooseLoader(const BootRequest& request, const Goal& goal, const config::Snapshot& snapshot,
                  BootPlan& plan) {
  const Firmware& firmware = request.firmware;
  const ArchitectureRow* row = RowOf(request);
  if (!Try(plan, row != nullptr, "architecture-known", "the architecture is in the table")) {
    return Finish(plan, PlanKind::kNothing, "unknown-architecture");
  }
  if (!Try(plan, !row->loaders[0].name.empty(), "board-takes-loader",
           "the board's firmware fetches the file that it is told")) {
    return Finish(plan, PlanKind::kNothing, "board-boots-by-own-names");
  }
  // ONIE overwrites the switch with whatever it is told to fetch.
  if (firmware.onie && !Try(plan, goal.kind == PlanKind::kScript, "onie-to-install",
                            "the machine is to be enlisted or installed")) {
    return Finish(plan, PlanKind::kNothing, "onie-not-to-install");
  }
  FileName name = firmware.onie ? PlatformInstaller(firmware) : FileName();
  const bool special = !name.empty() && IsThere(snapshot, name);
  plan.loader = special ? row->loaders.data() : FindLoader(*row, snapshot);
  if (!Try(plan, plan.loader != nullptr, "loader-in-snapshot",
           "a loader of the architecture is among the files of the snapshot")) {
    return Finish(plan, PlanKind::kNothing, "no-loader-file");
  }
  if (!special) {
    name = plan.loader->name;
  }
  const bool by_http =
      row->transport == LoaderTransport::kHttp || firmware.client_class == ClientClass::kHttp;
  if (by_http) {
    plan.file = FileUrl(request.server, name);
  } else {
    (void)plan.file.Assign(name);
  }
  plan.file_is_url = by_http;
  plan.echo_http_client = firmware.client_class == ClientClass::kHttp;
  plan.echo_pxe_client = firmware.client_class == ClientClass::kPxe;
  Finish(plan, PlanKind::kLoader, by_http ? "loader-by-http" : "loader-by-tftp");
}

// iPXE asks by DHCP: the script's URL, or a better iPXE first.
void ChooseForIpxe(const BootRequest& request, const Goal& goal, const config::Snapshot& snapshot,
                   BootPlan& plan) {
  const Firmware& firmware = request.firmware;
  // An iPXE without option 175 says nothing of its features: believed, since ours all have them.
  const bool told = firmware.ipxe_http || firmware.ipxe_kernel;
  const bool able = !told || (firmware.ipxe_http && firmware.ipxe_kernel);
  if (!Try(plan, able, "ipxe-able", "this iPXE has HTTP and can start kernels")) {
    return ChooseLoader(request, goal, snapshot, plan);
  }
  plan.file = RackUrl(request.server, kIpxeScriptPath);
  plan.file_is_url = true;
  Finish(plan, PlanKind::kScript, "ipxe-script");
}

void AppendHost(Url& url, const IpAddress& host) {
  if (host.is_v4()) {
    (void)url.Append(ToText(host));
    return;
  }
  (void)url.push_back('[');
  (void)url.Append(ToText(host));
  (void)url.push_back(']');
}

}  // namespace

void BootPlan::Clear() noexcept {
  kind = PlanKind::kNothing;
  answer = false;
  reason = {};
  file.clear();
  file_is_url = false;
  loader = nullptr;
  echo_http_client = false;
  echo_pxe_client = false;
  image = nullptr;
  kernel = nullptr;
  initrd = nullptr;
  command_line.clear();
  rules.clear();
}

BootPlan Decide(const BootRequest& request, const config::Snapshot& snapshot) noexcept {
  BootPlan plan;
  Decide(request, snapshot, plan);
  return plan;
}

void Decide(const BootRequest& request, const config::Snapshot& snapshot, BootPlan& plan) noexcept {
  plan.Clear();
  if (!Try(plan, request.vlan != nullptr, "link-served", "the machine is on a served VLAN")) {
    Finish(plan, PlanKind::kNothing, "unserved-link");
    return;
  }
  const bool known = Try(plan, request.machine != nullptr, "machine-known",
                         "the MAC belongs to an interface of a machine");
  const Goal goal =
      known ? KnownGoal(request, snapshot, plan) : UnknownGoal(request, snapshot, plan);
  if (goal.kind == PlanKind::kNothing) {
    Finish(plan, PlanKind::kNothing, "unknown-ignore");
    return;
  }
  plan.answer = true;
  if (request.transport == Transport::kHttp && request.stage == Stage::kIpxe) {
    if (goal.kind == PlanKind::kScript) {
      LoadImage(request, goal, plan);
    } else {
      Finish(plan, goal.kind, goal.reason);
    }
    return;
  }
  if (Try(plan, request.firmware.infrastructure, "infrastructure",
          "the vendor class is that of a BMC, switch or printer")) {
    Finish(plan, PlanKind::kNothing, "infrastructure");
    return;
  }
  if (!Try(plan, request.firmware.boots(), "boot-client", "the client is firmware or a loader")) {
    Finish(plan, PlanKind::kNothing, "not-a-boot-client");
    return;
  }
  if (!Try(plan, request.server.is_set(), "rack-address",
           "the rack has an address of the client's family on the link")) {
    Finish(plan, PlanKind::kNothing, "no-rack-address");
    return;
  }
  if (Try(plan, request.stage == Stage::kIpxe, "stage-ipxe", "iPXE is running already")) {
    ChooseForIpxe(request, goal, snapshot, plan);
  } else {
    ChooseLoader(request, goal, snapshot, plan);
  }
}

void FindMachine(const config::Snapshot& snapshot, BootRequest& request) noexcept {
  request.interface = nullptr;
  request.machine = nullptr;
  const config::InterfaceRecord* interface = snapshot.InterfaceByMac(request.mac);
  if (interface == nullptr || IsSharedMac(request.mac)) {
    return;
  }
  if (interface->vlan != 0 && request.vlan != nullptr && interface->vlan != request.vlan->id) {
    return;
  }
  request.interface = interface;
  request.machine = snapshot.MachineById(interface->machine);
}

Url RackUrl(const IpAddress& server, std::string_view path) noexcept {
  Url url("http://");
  AppendHost(url, server);
  (void)url.Append(":5248");
  static_assert(kHttpPort == 5248);
  (void)url.Append(path);
  return url;
}

Url FileUrl(const IpAddress& server, std::string_view name) noexcept {
  Url path(kFilesPrefix);
  (void)path.Append(name);
  return RackUrl(server, path);
}

Url TftpUrl(const IpAddress& server, std::string_view name) noexcept {
  Url url("tftp://");
  AppendHost(url, server);
  (void)url.push_back('/');
  (void)url.Append(name);
  return url;
}

std::string_view ToString(PlanKind kind) noexcept {
  switch (kind) {
    case PlanKind::kNothing:
      return "nothing";
    case PlanKind::kLoader:
      return "loader";
    case PlanKind::kScript:
      return "script";
    case PlanKind::kLocal:
      return "local";
    case PlanKind::kWait:
      return "wait";
  }
  return "unknown";
}

}  // namespace slipway::boot
