// How every mutation is run and answered.
#pragma once

#include <cstdint>

#include "controlplane/api/routes.h"
#include "controlplane/model/live_model.h"

namespace slipway::api {

enum class MutationForm : std::uint8_t {
  kCreate,  // 201 with the object, its ETag and its Location
  kPatch,   // 200 with the object and its ETag
  kDelete,  // 204
  kBulk,    // 200 with all objects
};

// Commits what the planner plans, or only plans it with ?dry_run=1, and answers. `subject`: of a
// patch, what to answer with.
void RunMutation(Api& api, Call call, model::LiveModel::Planner planner, MutationForm form,
                 model::EntityRef subject = {});

}  // namespace slipway::api
