// Where the command line finds its token. Never in an argument, a variable or a log: only names of
// files are.
#pragma once

#include <expected>
#include <string>

#include "controlplane/cli/client.h"

namespace slipway::cli {

// `given` (from --token-file), else the file that SLIPWAY_TOKEN_FILE names, else
// $XDG_CONFIG_HOME/slipway/token (~/.config), else /var/lib/slipway/region/admin-token: the first
// that there is. None: an empty token, so that open routes can still be asked; the region says 401.
// kAuthentication: a file was named and cannot be read, or it holds no token.
[[nodiscard]] std::expected<std::string, Failure> LoadToken(const std::string& given);

}  // namespace slipway::cli
