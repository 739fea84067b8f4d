// What the commands do. Data goes to standard output, everything else to standard error.
#pragma once

#include <boost/json/object.hpp>

#include <cstddef>
#include <deque>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controlplane/cli/client.h"
#include "controlplane/cli/nouns.h"

namespace slipway::cli {

struct Settings {
  Format format = Format::kTable;
  bool headers = true;
  bool dry_run = false;
};

struct Context {
  Client* client = nullptr;
  Settings settings;
};

using Done = std::expected<void, Failure>;
// Field and text, as given on the command line.
using GivenFields = std::vector<std::pair<const FieldOption*, std::vector<std::string>>>;

// "limit" 0: all pages. `filters` are query parameters.
[[nodiscard]] Done ListCommand(Context& context, const Noun& noun, std::size_t limit,
                               const std::vector<std::pair<std::string, std::string>>& filters);
[[nodiscard]] Done ShowCommand(Context& context, const Noun& noun, const std::string& id);
[[nodiscard]] Done CreateCommand(Context& context, const Noun& noun, const std::string& name,
                                 const GivenFields& fields);
[[nodiscard]] Done SetCommand(Context& context, const Noun& noun, const std::string& id,
                              const GivenFields& fields);
[[nodiscard]] Done DeleteCommand(Context& context, const Noun& noun,
                                 const std::vector<std::string>& ids);

// A machine with its interfaces, all or nothing.
[[nodiscard]] Done CreateMachine(Context& context, const Noun& noun, const std::string& name,
                                 const GivenFields& fields, const std::vector<std::string>& macs);

[[nodiscard]] Done MintTokenCommand(Context& context, std::int64_t life_seconds);

struct PartnerDownRequest {
  std::string pair;
  std::string down;
  std::string reason;
  bool confirmed = false;  // else the name of the rack is asked for, at a terminal
};

[[nodiscard]] Done PartnerDownCommand(Context& context, const Noun& noun,
                                      const PartnerDownRequest& request);
[[nodiscard]] Done RevokeCommand(Context& context, const Noun& noun, const std::string& id);

struct ImportRequest {
  std::string name;
  std::string kind;
  std::string architecture;
  std::string command_line;
  std::string description;
  std::string directory;
  std::vector<std::string> files;  // PATH or NAME=PATH
};

[[nodiscard]] Done ImportCommand(Context& context, const ImportRequest& request);
[[nodiscard]] Done LeaseListCommand(Context& context, const std::string& mac,
                                    const std::string& subnet);
// dhcp.cc: what only racks know. `rack` empty: the region finds it.
[[nodiscard]] Done LeaseShowCommand(Context& context, const std::string& address,
                                    const std::string& rack);
[[nodiscard]] Done LeaseReleaseCommand(Context& context, const std::string& address,
                                       const std::string& rack);
[[nodiscard]] Done PoolUsageCommand(Context& context, const std::string& subnet,
                                    const std::string& rack);

struct ExplainRequest {
  // Query parameters of /v1/dhcp/explain; an empty value is not sent. A deque: the parser points
  // into it.
  std::deque<std::pair<std::string, std::string>> fields;
  bool last = false;
  bool without_leases = false;
};

[[nodiscard]] Done ExplainCommand(Context& context, const ExplainRequest& request);

[[nodiscard]] Done BootTraceCommand(Context& context, const std::string& machine,
                                    std::size_t boots);

struct DhcpOptionsRequest {
  std::string machine;
  std::deque<std::pair<std::string, std::string>> parameters;  // of the query; empty: not given
};

[[nodiscard]] Done DhcpOptionsCommand(Context& context, const DhcpOptionsRequest& request);

struct EventRequest {
  bool watch = false;
  std::string since;
  std::string topics;
  std::size_t limit = 100;
};

// With `watch` it goes on until it is interrupted, and resumes when the connection was lost.
[[nodiscard]] Done EventCommand(Context& context, const EventRequest& request);

// ---- for tests ----
// One line of text for an event of `topic` (see docs/cli.md).
[[nodiscard]] std::string EventLine(const boost::json::object& event);
// The lines above the rules of an explanation.
[[nodiscard]] std::string ExplainHead(const boost::json::object& answer);
// The fields as JSON by their kinds; kUsage for what is no number.
[[nodiscard]] std::expected<boost::json::object, Failure> FieldsJson(const GivenFields& fields);

}  // namespace slipway::cli
