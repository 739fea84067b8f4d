// RegionSession::Send, shared by the files that implement RegionSession. Internal to this folder.
#pragma once

#include "dataplane/link/region_core.h"

namespace slipway::link {

// False: the connection is gone, and so is the session.
template <typename Table>
bool RegionSession::Send(flatbuffers::Offset<Table> body) {
  if (channel_.Send(host_, body)) {
    return true;
  }
  End("send failed");
  return false;
}

}  // namespace slipway::link
