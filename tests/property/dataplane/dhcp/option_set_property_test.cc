// The effective set against a plain reference: of all that applies, the strongest by (scope, class
// priority).
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/config/option_table.h"
#include "dataplane/dhcp/option_set.h"
#include "tests/support/boot_lab.h"
#include "tests/support/seed.h"

namespace slipway::dhcp {
namespace {

struct Made {
  config::DhcpOptionRecord record;
  std::string value;
};

struct Model {
  std::map<config::RecordId, Made> options;
  std::vector<config::DhcpClassRecord> classes;  // by falling priority, then id
};

// 0 does not apply.
int Rank(const Model& model, const config::DhcpOptionRecord& option, const OptionPlace& place,
         const OptionClient& client) {
  switch (option.scope) {
    case OptionScope::kGlobal:
      return 1;
    case OptionScope::kVlan:
      return option.of == place.vlan ? 2 : 0;
    case OptionScope::kSubnet:
      return option.of == place.subnet ? 3 : 0;
    case OptionScope::kRange:
      return option.of == place.range ? 4 : 0;
    case OptionScope::kMachine:
      return option.of == place.machine ? 1000 : 0;
    case OptionScope::kClass:
      for (std::size_t i = 0; i < model.classes.size(); ++i) {
        if (model.classes[i].id == option.of) {
          return Matches(model.classes[i], client) ? 900 - static_cast<int>(i) : 0;
        }
      }
      return 0;
  }
  return 0;
}

void Check(const Model& model, const config::Snapshot& snapshot, const OptionPlace& place,
           const OptionClient& client, OptionSet& set) {
  std::map<std::uint16_t, std::pair<int, const Made*>> wanted;
  for (const auto& [id, made] : model.options) {
    const int rank = Rank(model, made.record, place, client);
    auto& best = wanted[made.record.code];
    if (made.record.family == client.family && rank > best.first) {
      best = {rank, &made};
    }
  }
  std::erase_if(wanted, [](const auto& item) { return item.second.first == 0; });
  set.Collect(snapshot, place, client);
  ASSERT_EQ(set.options().size(), wanted.size());
  EXPECT_EQ(set.left_out(), 0U);
  for (const auto& [code, best] : wanted) {
    const EffectiveOption* found = set.Find(code);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->id, best.second->record.id);
    EXPECT_EQ(found->scope, best.second->record.scope);
    EXPECT_EQ(found->of, best.second->record.of);
    EXPECT_EQ(AsText(found->value), best.second->value);
    EXPECT_EQ(found->always, best.second->record.always);
    EXPECT_EQ(found->suppress, best.second->record.suppress);
  }
}

TEST(OptionSetPropertyTest, StrongestScopeWins) {
  SeededRandom random(test::TestSeed(5));
  test::BootLab lab;
  Model model;
  for (config::RecordId id = 1; id <= 4; ++id) {
    config::DhcpClassRecord record;
    record.id = id;
    record.priority = static_cast<std::uint16_t>(100 - id / 2);
    record.vendor_class = std::string_view(id % 2 == 0 ? "PXE" : "PXEClient");
    model.classes.push_back(record);
    lab.Put(record);
  }
  OptionSet set;
  for (int round = 0; round < 400; ++round) {
    for (std::uint64_t i = random.Below(12); i > 0; --i) {
      const config::RecordId id = 1 + random.Below(300);
      if (const auto found = model.options.find(id);
          found != model.options.end() && random.Below(3) == 0) {
        model.options.erase(found);
        lab.Remove(config::Table::kDhcpOption, id);
        continue;
      }
      Made made;
      made.record.id = id;
      made.record.scope = static_cast<OptionScope>(random.Below(config::kOptionScopes));
      made.record.of = made.record.scope == OptionScope::kGlobal ? 0 : 1 + random.Below(4);
      made.record.family = random.Below(3) == 0 ? Family::kV6 : Family::kV4;
      made.record.code = static_cast<std::uint16_t>(
          1 + random.Below(20) + (made.record.family == Family::kV6 ? random.Below(2) * 400 : 0));
      made.record.always = random.Below(4) == 0;
      made.record.suppress = random.Below(4) == 0;
      made.value = std::string(random.Below(20), static_cast<char>('a' + random.Below(26)));
      // The model allows one of a code in a scope.
      const bool there =
          std::any_of(model.options.begin(), model.options.end(), [&](const auto& item) {
            const config::DhcpOptionRecord& other = item.second.record;
            return other.id != id && other.scope == made.record.scope &&
                   other.of == made.record.of && other.family == made.record.family &&
                   other.code == made.record.code;
          });
      if (there) {
        continue;
      }
      config::DhcpOptionRecord put = made.record;
      put.value = AsBytes(made.value);
      lab.Put(put);
      model.options[id] = made;
    }
    const config::SnapshotRef snapshot = lab.Finish();
    ASSERT_EQ(snapshot->dhcp_options().size(), model.options.size());
    for (int i = 0; i < 8; ++i) {
      const OptionPlace place{.machine = random.Below(5),
                              .range = random.Below(5),
                              .subnet = random.Below(5),
                              .vlan = random.Below(5)};
      OptionClient client;
      client.family = random.Below(2) == 0 ? Family::kV6 : Family::kV4;
      client.vendor_class = random.Below(2) == 0 ? "PXEClient:Arch" : "other";
      Check(model, *snapshot, place, client, set);
      if (testing::Test::HasFatalFailure()) {
        FAIL() << "round " << round;
      }
    }
  }
}

}  // namespace
}  // namespace slipway::dhcp
