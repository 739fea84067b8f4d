// slipway: the command line. Noun, verb, options; docs/cli.md.
#include <CLI/CLI.hpp>
#include <curl/curl.h>
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <deque>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "controlplane/cli/commands.h"
#include "controlplane/cli/token_file.h"

namespace slipway::cli {
namespace {

struct Globals {
  std::string api = "http://127.0.0.1:5240";
  std::string token_file;
  std::string output = "table";
  long timeout_seconds = 30;
  bool no_headers = false;
  bool dry_run = false;
};

using Action = std::move_only_function<Done(Context&)>;

// What the parser fills for one verb. Kept at one place while CLI11 points into it.
struct Inputs {
  std::string id;
  std::vector<std::string> ids;
  std::vector<std::string> macs;
  std::size_t limit = 0;
  std::size_t boots = 1;
  std::int64_t life_seconds = 86'400;
  ImportRequest import;
  EventRequest event;
  ExplainRequest explain;
  PartnerDownRequest partner_down;
  std::string rack;
  DhcpOptionsRequest dhcp_options;
  std::string mac;
  std::string subnet;
  std::deque<std::pair<const FieldOption*, std::vector<std::string>>> fields;
  std::deque<std::pair<std::string, std::string>> filters;

  [[nodiscard]] GivenFields Given() const {
    GivenFields given;
    for (const auto& [option, values] : fields) {
      if (!values.empty()) {
        given.emplace_back(option, values);
      }
    }
    return given;
  }
};

// The commands, and which of them was chosen.
class Commands {
 public:
  explicit Commands(CLI::App& app) : app_(app) {}

  void AddAll() {
    for (const Noun& noun : Nouns()) {
      CLI::App* const group =
          noun.under.empty()
              ? Group(std::string(noun.name), std::string(noun.summary))
              : app_.get_subcommand(std::string(noun.under))
                    ->add_subcommand(std::string(noun.name), std::string(noun.summary));
      group->require_subcommand(1);
      AddList(*group, noun);
      AddShow(*group, noun);
      if (noun.creates) {
        AddCreate(*group, noun);
        AddSet(*group, noun);
        AddDelete(*group, noun);
      }
      if (noun.name == "rack") {
        AddRackVerbs(*group, noun);
      }
      if (noun.name == "pair") {
        AddPartnerDown(*group, noun);
      }
      if (noun.name == "image") {
        AddImport(*group);
      }
    }
    AddFacts();
  }

  [[nodiscard]] Done Run(Context& context) { return action_(context); }

 private:
  [[nodiscard]] CLI::App* Group(const std::string& name, const std::string& summary) {
    CLI::App* const group = app_.add_subcommand(name, summary);
    group->require_subcommand(1);
    return group;
  }

  [[nodiscard]] Inputs& NewInputs() {
    inputs_.push_back(std::make_unique<Inputs>());
    return *inputs_.back();
  }

  // `make` is called when the verb was chosen and its inputs are filled.
  template <typename F>
  void OnChosen(CLI::App* verb, F make) {
    verb->callback([this, make] { action_ = make; });
  }

  void AddList(CLI::App& group, const Noun& noun) {
    CLI::App* const verb = group.add_subcommand("list", "List them");
    Inputs& in = NewInputs();
    verb->add_option("--limit", in.limit, "At most so many; 0: all");
    std::string_view words = noun.filters;
    while (!words.empty()) {
      const std::size_t space = words.find(' ');
      std::string field(words.substr(0, space));
      words = space == std::string_view::npos ? std::string_view{} : words.substr(space + 1);
      std::string option = "--" + field;
      for (char& c : option) {
        c = c == '_' ? '-' : c;
      }
      auto& filter = in.filters.emplace_back(field, std::string());
      verb->add_option(option, filter.second, "Only those with this " + field);
    }
    OnChosen(verb, [&in, &noun](Context& context) {
      std::vector<std::pair<std::string, std::string>> filters;
      for (const auto& filter : in.filters) {
        if (!filter.second.empty()) {
          filters.push_back(filter);
        }
      }
      return ListCommand(context, noun, in.limit, filters);
    });
  }

  void AddShow(CLI::App& group, const Noun& noun) {
    CLI::App* const verb = group.add_subcommand("show", "Show one, by id or name");
    Inputs& in = NewInputs();
    verb->add_option("ID", in.id, "Id or name")->required();
    OnChosen(verb, [&in, &noun](Context& context) { return ShowCommand(context, noun, in.id); });
  }

  static void AddFields(CLI::App* verb, const Noun& noun, Inputs& in, bool creating) {
    for (const FieldOption& option : noun.options) {
      if (!creating && !option.settable) {
        continue;
      }
      auto& field = in.fields.emplace_back(&option, std::vector<std::string>());
      CLI::Option* const added =
          verb->add_option(std::string(option.option), field.second, std::string(option.help));
      added->expected(
          1, option.kind == ValueKind::kList || option.kind == ValueKind::kNumberList ? 16 : 1);
      if (creating && option.required) {
        added->required();
      }
    }
  }

  void AddCreate(CLI::App& group, const Noun& noun) {
    CLI::App* const verb = group.add_subcommand("create", "Create one");
    Inputs& in = NewInputs();
    if (!noun.name_field.empty()) {
      CLI::Option* const name = verb->add_option("NAME", in.id, "Its name; the id if left out");
      if (noun.name == "image") {
        name->required();
      }
    }
    AddFields(verb, noun, in, true);
    const bool machine = noun.name == "machine";
    if (machine) {
      verb->add_option("--mac", in.macs, "MACs of its interfaces, made with it")->expected(1, 16);
    }
    OnChosen(verb, [&in, &noun, machine](Context& context) {
      return machine ? CreateMachine(context, noun, in.id, in.Given(), in.macs)
                     : CreateCommand(context, noun, in.id, in.Given());
    });
  }

  void AddSet(CLI::App& group, const Noun& noun) {
    CLI::App* const verb = group.add_subcommand("set", "Change fields of one");
    Inputs& in = NewInputs();
    verb->add_option("ID", in.id, "Id or name")->required();
    AddFields(verb, noun, in, false);
    OnChosen(verb, [&in, &noun](Context& context) {
      return SetCommand(context, noun, in.id, in.Given());
    });
  }

  void AddDelete(CLI::App& group, const Noun& noun) {
    CLI::App* const verb = group.add_subcommand("delete", "Delete, all of them or none");
    Inputs& in = NewInputs();
    verb->add_option("ID", in.ids, "Ids or names")->required();
    OnChosen(verb, [&in, &noun](Context& context) { return DeleteCommand(context, noun, in.ids); });
  }

  void AddRackVerbs(CLI::App& group, const Noun& noun) {
    CLI::App* const token = group.add_subcommand("token", "Make a one-time join token");
    Inputs& made = NewInputs();
    token->add_option("--life", made.life_seconds, "Seconds until it expires")
        ->check(CLI::Range(std::int64_t{60}, std::int64_t{2'592'000}));
    OnChosen(token,
             [&made](Context& context) { return MintTokenCommand(context, made.life_seconds); });
    CLI::App* const revoke = group.add_subcommand("revoke", "Refuse a rack from now on");
    Inputs& in = NewInputs();
    revoke->add_option("ID", in.id, "Id or name")->required();
    OnChosen(revoke,
             [&in, &noun](Context& context) { return RevokeCommand(context, noun, in.id); });
    CLI::App* const remove = group.add_subcommand("delete", "Forget racks, all of them or none");
    Inputs& gone = NewInputs();
    remove->add_option("ID", gone.ids, "Ids or names")->required();
    OnChosen(remove,
             [&gone, &noun](Context& context) { return DeleteCommand(context, noun, gone.ids); });
  }

  void AddPartnerDown(CLI::App& group, const Noun& noun) {
    CLI::App* const verb = group.add_subcommand(
        "partner-down", "Declare a rack of a pair down: its partner goes on for both");
    PartnerDownRequest& request = NewInputs().partner_down;
    verb->add_option("PAIR", request.pair, "Id or name")->required();
    verb->add_option("--down", request.down, "The rack that is down, id or name")->required();
    verb->add_option("--reason", request.reason, "How you know")->required();
    verb->add_flag("--yes", request.confirmed, "Do not ask");
    OnChosen(verb, [&request, &noun](Context& context) {
      return PartnerDownCommand(context, noun, request);
    });
  }

  void AddImport(CLI::App& group) {
    CLI::App* const verb =
        group.add_subcommand("import", "Take files of the region's host as an image");
    ImportRequest& import = NewInputs().import;
    verb->add_option("NAME", import.name, "Its name; files are served as NAME/FILE")->required();
    verb->add_option("--kind", import.kind, "loader, launcher or kernel");
    verb->add_option("--architecture", import.architecture, "amd64, arm64, ...");
    verb->add_option("--command-line", import.command_line, "Of its kernel");
    verb->add_option("--description", import.description, "For people");
    auto* const directory =
        verb->add_option("--directory", import.directory, "All files of this directory");
    auto* const files = verb->add_option("--file", import.files, "These files: PATH or NAME=PATH");
    directory->excludes(files);
    OnChosen(verb, [&import](Context& context) { return ImportCommand(context, import); });
  }

  void AddFacts() {
    CLI::App* const group = Group("lease", "Addresses that machines hold");
    AddLeaseVerbs(*group);
    AddPool();
    CLI::App* const dhcp = Group("dhcp", "Answers of the racks");
    AddExplain(*dhcp);
    AddOptions(*dhcp);
    CLI::App* const leases = group->add_subcommand("list", "List them");
    Inputs& lease = NewInputs();
    leases->add_option("--mac", lease.mac, "Only of this MAC");
    leases->add_option("--subnet", lease.subnet, "Only of this subnet, id or name");
    OnChosen(leases, [&lease](Context& context) {
      return LeaseListCommand(context, lease.mac, lease.subnet);
    });
    CLI::App* const trace =
        Group("boot", "Boots of machines")->add_subcommand("trace", "Show the steps of a boot");
    Inputs& boot = NewInputs();
    trace->add_option("MACHINE", boot.id, "Id, name or MAC")->required();
    trace->add_option("--boots", boot.boots, "How many boots, newest last");
    OnChosen(trace,
             [&boot](Context& context) { return BootTraceCommand(context, boot.id, boot.boots); });
    CLI::App* const events =
        Group("event", "What has happened")->add_subcommand("list", "List or follow events");
    EventRequest& event = NewInputs().event;
    events->add_flag("--watch,-w", event.watch, "Follow, and resume when the connection is lost");
    events->add_option("--since", event.since, "From this position on; 0: from the beginning");
    events->add_option("--topics", event.topics, "Of change, event, boot: separated by commas");
    events->add_option("--limit", event.limit, "At most so many of each topic");
    OnChosen(events, [&event](Context& context) { return EventCommand(context, event); });
  }

  void AddLeaseVerbs(CLI::App& group) {
    CLI::App* const show =
        group.add_subcommand("show", "Show the lease of an address as its rack has it now");
    Inputs& in = NewInputs();
    show->add_option("ADDRESS", in.id, "The address")->required();
    show->add_option("--rack", in.rack, "The rack to ask, id or name");
    OnChosen(show, [&in](Context& context) { return LeaseShowCommand(context, in.id, in.rack); });
    CLI::App* const release =
        group.add_subcommand("release", "End the lease of an address, on its rack");
    Inputs& out = NewInputs();
    release->add_option("ADDRESS", out.id, "The address")->required();
    release->add_option("--rack", out.rack, "The rack to ask, id or name");
    OnChosen(release,
             [&out](Context& context) { return LeaseReleaseCommand(context, out.id, out.rack); });
  }

  void AddPool() {
    CLI::App* const usage =
        Group("pool", "Dynamic ranges of subnets")->add_subcommand("usage", "How full they are");
    Inputs& in = NewInputs();
    usage->add_option("--subnet", in.subnet, "Only of this subnet, id or name");
    usage->add_option("--rack", in.rack, "Only of this rack, id or name");
    OnChosen(usage,
             [&in](Context& context) { return PoolUsageCommand(context, in.subnet, in.rack); });
  }

  void AddExplain(CLI::App& group) {
    CLI::App* const verb =
        group.add_subcommand("explain", "What a rack would answer to a client, and why");
    ExplainRequest& request = NewInputs().explain;
    const std::pair<const char*, const char*> fields[] = {
        {"mac", "MAC of the client"},
        {"family", "v4 (default) or v6"},
        {"duid", "DUID of a DHCPv6 client in hex, instead of the MAC or beside it"},
        {"type",
         "discover (default), request, inform, release, decline or bootp; of v6 solicit (default), "
         "request, renew, rebind, confirm, release, decline or information-request"},
        {"arch", "Architecture: a code of option 93, or a name such as x64-uefi"},
        {"vendor-class", "Option 60; without it, what firmware of the architecture says"},
        {"user-class", "Option 77, such as iPXE"},
        {"client-id", "Option 61 in hex, its type byte included"},
        {"ciaddr", "The address that the client has already"},
        {"requested", "The address that it asks for (option 50; of v6: or has)"},
        {"server", "The server that it names (option 54)"},
        {"relay", "The relay that it came through (giaddr; of v6 its link-address)"},
        {"link-selection", "The link that the relay names (option 82.5)"},
        {"interface", "The rack's interface on which it is heard"},
        {"vlan", "The VLAN on which it is heard, id or name"},
        {"rack", "The rack to ask, id or name"}};
    for (const auto& [name, help] : fields) {
      std::string parameter(name);
      for (char& c : parameter) {
        c = c == '-' ? '_' : c;
      }
      auto& field = request.fields.emplace_back(std::move(parameter), std::string());
      verb->add_option(std::string("--") + name, field.second, std::string(help));
    }
    verb->add_flag("--last", request.last, "The last packet of the MAC as it came");
    verb->add_flag("--without-leases", request.without_leases,
                   "By the region from what it has published, without asking the rack");
    OnChosen(verb, [&request](Context& context) { return ExplainCommand(context, request); });
  }

  void AddOptions(CLI::App& group) {
    CLI::App* const verb =
        group.add_subcommand("options", "Show the options of a machine and where they come from");
    DhcpOptionsRequest& request = NewInputs().dhcp_options;
    verb->add_option("MACHINE", request.machine, "Id, name or MAC")->required();
    for (const auto& [option, parameter, help] :
         {std::tuple("--family", "family", "v4 (the default) or v6"),
          std::tuple("--mac", "mac", "Which of its interfaces"),
          std::tuple("--subnet", "subnet", "As if it were in this subnet, id or name"),
          std::tuple("--arch", "arch", "As if option 93 were this code"),
          std::tuple("--vendor-class", "vendor_class", "As if option 60 were this"),
          std::tuple("--user-class", "user_class", "As if option 77 were this"),
          std::tuple("--relay-circuit", "relay_circuit",
                     "As if option 82.1 were this: text or 0x..."),
          std::tuple("--relay-remote", "relay_remote",
                     "As if option 82.2 were this: text or 0x...")}) {
      auto& given = request.parameters.emplace_back(parameter, std::string());
      verb->add_option(option, given.second, help);
    }
    OnChosen(verb, [&request](Context& context) { return DhcpOptionsCommand(context, request); });
  }

  CLI::App& app_;
  std::vector<std::unique_ptr<Inputs>> inputs_;
  Action action_;
};

void AddGlobals(CLI::App& app, Globals& globals) {
  app.add_option("--api", globals.api, "The region's API")->capture_default_str();
  app.add_option("--token-file", globals.token_file,
                 "File with the token (default: the file named by SLIPWAY_TOKEN_FILE, "
                 "~/.config/slipway/token, /var/lib/slipway/region/admin-token)");
  app.add_option("-o,--output", globals.output, "table, json or name")
      ->check(CLI::IsMember({"table", "json", "name"}))
      ->capture_default_str();
  app.add_option("--timeout", globals.timeout_seconds, "Seconds to wait for an answer")
      ->check(CLI::Range(1L, 3600L))
      ->capture_default_str();
  app.add_flag("--no-headers", globals.no_headers, "Tables without their first line");
  app.add_flag("--dry-run", globals.dry_run, "Check and say what would change; change nothing");
  app.set_version_flag("--version", std::string(SLIPWAY_VERSION));
  app.footer(
      "Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 conflict, 5 authentication, "
      "6 time-out, 7 unreachable");
}

[[nodiscard]] int Leave(const Failure& failure) {
  (void)std::fprintf(stderr, "slipway: %s\n", failure.message.c_str());
  return static_cast<int>(failure.code);
}

[[nodiscard]] int Main(int argc, char** argv) {
  // `slipway ... | head` ends quietly.
  (void)std::signal(SIGPIPE, SIG_DFL);
  CLI::App app("Slipway: ask and tell the region controller");
  Globals globals;
  AddGlobals(app, globals);
  app.require_subcommand(1);
  app.fallthrough();
  Commands commands(app);
  commands.AddAll();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
  }
  auto token = LoadToken(globals.token_file);
  if (!token) {
    return Leave(token.error());
  }
  (void)curl_global_init(CURL_GLOBAL_DEFAULT);
  Client client(
      {.api = globals.api, .token = *std::move(token), .timeout_seconds = globals.timeout_seconds});
  Context context{.client = &client,
                  .settings = {.format = globals.output == "json"   ? Format::kJson
                                         : globals.output == "name" ? Format::kName
                                                                    : Format::kTable,
                               .headers = !globals.no_headers,
                               .dry_run = globals.dry_run}};
  if (const Done done = commands.Run(context); !done) {
    return Leave(done.error());
  }
  if (std::fflush(stdout) != 0) {
    return Leave({.code = ExitCode::kFailed, .message = "cannot write to standard output"});
  }
  return static_cast<int>(ExitCode::kOk);
}

}  // namespace
}  // namespace slipway::cli

int main(int argc, char** argv) { return slipway::cli::Main(argc, argv); }
