// The boot decision: one pure function, used by DHCP, TFTP, HTTP, `explain` and tests (design:
// section 6). Same request and snapshot, same plan.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/base/bounded.h"
#include "dataplane/base/limits.h"
#include "dataplane/boot/firmware.h"
#include "dataplane/boot/loaders.h"
#include "dataplane/config/records.h"
#include "dataplane/config/snapshot.h"

namespace slipway::boot {

enum class Transport : std::uint8_t { kDhcp, kTftp, kHttp };

// How far the machine has come: its firmware asks, or our iPXE does.
enum class Stage : std::uint8_t { kFirmware, kIpxe };

struct BootRequest {
  MacAddress mac;
  const config::InterfaceRecord* interface = nullptr;  // nullptr: unknown machine
  const config::MachineRecord* machine = nullptr;      // nullptr: unknown machine
  const config::VlanRecord* vlan = nullptr;            // where it was heard; nullptr: not served
  Firmware firmware;
  Transport transport = Transport::kDhcp;
  Stage stage = Stage::kFirmware;
  IpAddress server;  // the rack's address towards this machine: goes into URLs
};

enum class PlanKind : std::uint8_t {
  kNothing,  // no boot data
  kLoader,   // `file` is a loader: a TFTP name, or a URL if plan.file_is_url
  kScript,   // `file` is the URL of the script; kernel, initrd and command_line say what it loads
  kLocal,    // the script boots the local disk
  kWait,     // the script sleeps and asks again
};

// Rules are static text: stable ids that `explain` and boot traces show.
struct RuleTried {
  std::string_view rule;
  std::string_view reason;
  bool matched = false;
};

inline constexpr std::size_t kRulesTriedMax = 24;
inline constexpr std::size_t kCommandLineBytesMax = 1023;

using Url = FixedString<limits::kUrlBytesMax>;
using CommandLine = FixedString<kCommandLineBytesMax>;

struct BootPlan {
  PlanKind kind = PlanKind::kNothing;
  // False: DHCP stays silent too (unknown machine under policy `ignore`, or an unserved link).
  bool answer = false;
  std::string_view reason;  // of the kind: static text
  Url file;                 // what DHCP hands out as boot file; empty: none
  bool file_is_url = false;
  const LoaderFile* loader = nullptr;  // kLoader: the one that `file` names
  bool echo_http_client = false;       // option 60 "HTTPClient" goes back
  bool echo_pxe_client = false;        // option 60 "PXEClient" and option 43 discovery control
  // kScript. The command line is without BOOTIF and slipway.*, which WriteScript adds.
  const config::ImageRecord* image = nullptr;
  const config::ImageFile* kernel = nullptr;
  const config::ImageFile* initrd = nullptr;
  CommandLine command_line;
  FixedVector<RuleTried, kRulesTriedMax> rules;

  // As a new one. Only what was used is touched: a plan is 2 KiB, most of it empty.
  void Clear() noexcept;
};

// Pointers in the plan live as long as the snapshot. `plan` may be one that was used before: those
// who decide for each packet keep one.
void Decide(const BootRequest& request, const config::Snapshot& snapshot, BootPlan& plan) noexcept;
[[nodiscard]] BootPlan Decide(const BootRequest& request,
                              const config::Snapshot& snapshot) noexcept;

// Fills interface and machine of a request by MAC: the one rule by which packets find machines.
// An interface that is bound to another VLAN does not count (detail in dataplane/boot/identity.h).
void FindMachine(const config::Snapshot& snapshot, BootRequest& request) noexcept;

// "http://10.77.0.1:5248" + path; "http://[2001:db8::1]:5248" + path (RFC 3986 3.2.2).
[[nodiscard]] Url RackUrl(const IpAddress& server, std::string_view path) noexcept;
// Of a file of the snapshot.
[[nodiscard]] Url FileUrl(const IpAddress& server, std::string_view name) noexcept;
// "tftp://[2001:db8::1]/" + name: DHCPv6 has no names without an address (RFC 5970 3.1).
[[nodiscard]] Url TftpUrl(const IpAddress& server, std::string_view name) noexcept;

[[nodiscard]] std::string_view ToString(PlanKind kind) noexcept;

}  // namespace slipway::boot
