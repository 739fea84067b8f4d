// What a rack knows of its place in the link, kept in two 0600 files of its state directory:
// link.key (the rack's own pair) and link.state (the region it belongs to).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/link/interfaces.h"
#include "dataplane/link/join_token.h"

namespace slipway::link {

struct RackIdentity {
  KeyPair key;
  RackId rack = 0;  // 0: not enrolled
  TokenId token = 0;
  PublicKey region_key;
  std::vector<std::string> endpoints;

  // Reads both files; makes the key at the first start. Without link.state: rack is 0 and there are
  // no endpoints. kCorrupt: link.state is not ours.
  [[nodiscard]] static Result<RackIdentity> Load(const std::string& directory);
  // Writes link.state, durable on return.
  [[nodiscard]] Result<void> Save(const std::string& directory) const;
};

}  // namespace slipway::link
