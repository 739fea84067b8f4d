// A small model in a memory store, changed through the same planners as the API.
#pragma once

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "controlplane/model/live_model.h"
#include "controlplane/store/memory_store.h"
#include "dataplane/base/random.h"

namespace slipway::model {

class ModelFixture : public testing::Test {
 protected:
  ModelFixture() { EXPECT_TRUE(model_.Start()); }

  std::expected<MutateResult, Refusal> Mutate(LiveModel::Planner planner) {
    std::expected<MutateResult, Refusal> out;
    model_.Mutate(std::move(planner),
                  [&](std::expected<MutateResult, Refusal> result) { out = std::move(result); });
    return out;
  }

  std::expected<MutateResult, Refusal> Create(Kind kind, std::string_view body) {
    return Mutate(PlanCreate(kind, Parse(body)));
  }

  // The id of a creation that must work.
  EntityId Make(Kind kind, std::string_view body) {
    const auto result = Create(kind, body);
    EXPECT_TRUE(result) << body << ": " << Text(result);
    return result ? result->touched.front().id : EntityId{};
  }

  std::expected<MutateResult, Refusal> Patch(Kind kind, EntityId id, std::string_view body,
                                             store::Revision if_modified = 0) {
    return Mutate(PlanPatch({.kind = kind, .id = id}, Parse(body), if_modified));
  }

  std::expected<MutateResult, Refusal> Delete(Kind kind, EntityId id) {
    return Mutate(PlanDelete({.kind = kind, .id = id}, 0));
  }

  static boost::json::object Parse(std::string_view body) {
    return boost::json::parse(boost::json::string_view(body.data(), body.size())).as_object();
  }

  static std::string Text(const std::expected<MutateResult, Refusal>& result) {
    std::string text;
    if (!result) {
      for (const Problem& problem : result.error().problems) {
        text += problem.field + " " + problem.problem + " (" + problem.cure + ") ";
      }
    }
    return text;
  }

  // Fails unless the result is a refusal of the kind whose text holds `part`.
  static void ExpectRefusal(const std::expected<MutateResult, Refusal>& result, RefusalKind kind,
                            std::string_view part) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, kind) << Text(result);
    EXPECT_NE(Text(result).find(part), std::string::npos) << Text(result);
  }

  template <typename T>
  T Get(Kind kind, EntityId id) {
    return model_.Read([&](const ModelIndex& index) {
      const T* found = index.Get<T>(kind, id);
      return found == nullptr ? T{} : *found;
    });
  }

  void MakeLab() {
    fabric_ = Make(Kind::kFabric, R"({"name":"lab"})");
    vlan_ = Make(Kind::kVlan, R"({"name":"boot","fabric":"lab","unknown_policy":"enlist"})");
    subnet_ = Make(Kind::kSubnet,
                   R"({"name":"ten","vlan":"boot","cidr":"10.0.0.0/24","gateway":"10.0.0.1"})");
    machine_ = Make(Kind::kMachine, R"({"hostname":"node-1"})");
  }

  SeededRandom random_{1};
  store::MemoryStore store_;
  LiveModel model_{store_, random_};
  EntityId fabric_;
  EntityId vlan_;
  EntityId subnet_;
  EntityId machine_;
};

}  // namespace slipway::model
