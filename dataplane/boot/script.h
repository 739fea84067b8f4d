// The generated iPXE script of a plan.
#pragma once

#include <cstddef>
#include <string_view>

#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/boot/decide.h"

namespace slipway::boot {

inline constexpr std::size_t kScriptBytesMax = 4096;
// Between two questions of a waiting machine; well below every lease.
inline constexpr int kWaitSeconds = 15;
// Before the other rack is asked for what this one could not give: two that fail do not spin.
inline constexpr int kPartnerWaitSeconds = 3;

struct ScriptContext {
  MacAddress mac;
  IpAddress server;
  IpAddress partner;          // the other rack of a pair; not set: none
  std::string_view token;     // goes to the launcher only: plain [A-Za-z0-9_.-]+
  std::string_view hostname;  // shown on the console; may be empty
};

// Writes the script for kScript, kLocal and kWait plans made with Transport::kHttp and
// Stage::kIpxe; for any other plan a script that gives the machine back to its firmware. Returns
// the length. Errors: kTooLarge (REQUIRES kScriptBytesMax to be sure), kMalformed if the command
// line or a name holds what iPXE would not take as text (see IsScriptText).
[[nodiscard]] Result<std::size_t> WriteScript(MutableByteSpan out, const BootPlan& plan,
                                              const ScriptContext& context) noexcept;

// Printable ASCII, no "${", and none of the words that iPXE's command line gives a meaning to
// ("||", "&&", ";", words that begin with '#'). For command lines and kernel options.
[[nodiscard]] bool IsScriptText(std::string_view text) noexcept;

}  // namespace slipway::boot
