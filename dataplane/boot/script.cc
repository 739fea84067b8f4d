#include "dataplane/boot/script.h"

#include <algorithm>
#include <charconv>

#include "dataplane/boot/paths.h"

namespace slipway::boot {
namespace {

constexpr std::string_view kHeader = "#!ipxe\n";

// Ends with the machine's own disk. UEFI firmware goes to its next boot entry only after `exit 1`
// (0 would leave it in the menu); a BIOS is given its first disk.
constexpr std::string_view kLocalBoot =
    "iseq ${platform} efi && exit 1 ||\n"
    "sanboot --no-describe --drive 0x80 ||\n"
    "exit 1\n";

void WriteNumber(WireWriter& writer, int value) {
  std::array<char, 12> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  (void)error;
  writer.Text({text.data(), static_cast<std::size_t>(end - text.data())});
}

bool IsToken(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '.' || c == '-' || c == '=';
  });
}

// "01-aa-bb-cc-dd-ee-ff" without the "01-": pxelinux's form, which initrds know.
MacText DashedMac(MacAddress mac) {
  MacText dashed;
  const MacText text = ToText(mac);  // named: a range over a part of a temporary dangles
  for (const char c : text.view()) {
    (void)dashed.push_back(c == ':' ? '-' : c);
  }
  return dashed;
}

void WriteFileUrl(WireWriter& writer, const ScriptContext& context, const BootPlan& plan,
                  const config::ImageFile& file) {
  writer.Text(RackUrl(context.server, kFilesPrefix));
  writer.Text(plan.image->name);
  writer.Text("/");
  writer.Text(file.name);
}

// `kernel ... || goto failed`: a fetch that fails must not end in a half-loaded boot.
void WriteKernel(WireWriter& writer, const BootPlan& plan, const ScriptContext& context) {
  writer.Text("kernel ");
  WriteFileUrl(writer, context, plan, *plan.kernel);
  if (plan.initrd != nullptr) {
    // UEFI kernels find the initrd by this name.
    writer.Text(" initrd=");
    writer.Text(plan.initrd->name);
  }
  writer.Text(" ");
  writer.Text(kArgumentBootInterface);
  writer.Text(DashedMac(context.mac));
  writer.Text(" ");
  writer.Text(kArgumentRack);
  writer.Text(RackUrl(context.server, ""));
  if (!context.token.empty()) {
    writer.Text(" ");
    writer.Text(kArgumentToken);
    writer.Text(context.token);
  }
  if (!plan.command_line.empty()) {
    // Last, so that what follows "---" is the installed system's.
    writer.Text(" ");
    writer.Text(plan.command_line);
  }
  writer.Text(" || goto failed\n");
  if (plan.initrd != nullptr) {
    writer.Text("initrd --name ");
    writer.Text(plan.initrd->name);
    writer.Text(" ");
    WriteFileUrl(writer, context, plan, *plan.initrd);
    writer.Text(" || goto failed\n");
  }
  writer.Text("boot || goto failed\n");
}

// Asks again after a while; a new DHCP exchange keeps the address, which iPXE does not renew.
void WriteRetry(WireWriter& writer, const ScriptContext& context) {
  writer.Text(":retry\nsleep ");
  WriteNumber(writer, kWaitSeconds);
  writer.Text("\ndhcp netX || goto retry\nchain --replace ");
  writer.Text(RackUrl(context.server, kIpxeScriptPath));
  if (context.partner.is_set()) {
    writer.Text(" || chain --replace ");
    writer.Text(RackUrl(context.partner, kIpxeScriptPath));
  }
  writer.Text(" || goto retry\n");
}

// What a fetch that failed leads to: the partner's script, which names its own files and has its
// own token, and then everything anew.
void WriteFailed(WireWriter& writer, const ScriptContext& context) {
  writer.Text(":failed\n");
  if (context.partner.is_set()) {
    writer.Text("echo Slipway: could not load, trying the other rack\nsleep ");
    WriteNumber(writer, kPartnerWaitSeconds);
    writer.Text("\nchain --replace ");
    writer.Text(RackUrl(context.partner, kIpxeScriptPath));
    writer.Text(" ||\n");
  }
  writer.Text("echo Slipway: could not load, trying again\n");
  WriteRetry(writer, context);
}

}  // namespace

Result<std::size_t> WriteScript(MutableByteSpan out, const BootPlan& plan,
                                const ScriptContext& context) noexcept {
  if (!IsScriptText(plan.command_line) || !IsScriptText(context.hostname) ||
      !IsToken(context.token)) {
    return Fail(ErrorCode::kMalformed);
  }
  WireWriter writer(out);
  writer.Text(kHeader);
  writer.Text("echo Slipway: ");
  writer.Text(ToString(plan.kind));
  writer.Text(" (");
  writer.Text(plan.reason);
  writer.Text(")");
  if (!context.hostname.empty()) {
    writer.Text(" for ");
    writer.Text(context.hostname);
  }
  writer.Text("\n");
  if (plan.kind == PlanKind::kScript && plan.kernel != nullptr) {
    if (!IsScriptText(plan.image->name) || !IsScriptText(plan.kernel->name) ||
        (plan.initrd != nullptr && !IsScriptText(plan.initrd->name))) {
      return Fail(ErrorCode::kMalformed);
    }
    WriteKernel(writer, plan, context);
    WriteFailed(writer, context);
  } else if (plan.kind == PlanKind::kWait) {
    WriteRetry(writer, context);
  } else {
    writer.Text(kLocalBoot);
  }
  if (!writer.ok()) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(out.size()));
  }
  return writer.size();
}

bool IsScriptText(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    if (word == "||" || word == "&&" || word == ";" || word.starts_with('#') ||
        word.find("${") != std::string_view::npos) {
      return false;
    }
    if (!std::ranges::all_of(word, [](char c) { return c > ' ' && c < '\x7F'; })) {
      return false;
    }
    at = end + 1;
  }
  return true;
}

}  // namespace slipway::boot
