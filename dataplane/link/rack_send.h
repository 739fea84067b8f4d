// RackLink::Send, shared by the files that implement RackLink. Internal to this folder.
#pragma once

#include "dataplane/link/rack_core.h"

namespace slipway::link {

// False: the connection is gone, and so is the session.
template <typename Table>
bool RackLink::Send(flatbuffers::Offset<Table> body, Instant now) {
  if (channel_.Send(transport_, body)) {
    return true;
  }
  Down("send failed", now);
  return false;
}

}  // namespace slipway::link
