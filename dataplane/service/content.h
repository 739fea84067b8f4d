// What TFTP and HTTP serve, and who finds it: the seam between the two file services and the
// snapshot, the boot decision and the image cache. The cores know sizes and tags only; bytes go
// from here to the socket by file range or from a mapping.
//
// Thread: everything here is called on the shard that owns the service.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/base/bounded.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/time.h"

namespace slipway::service {

enum class ContentSpace : std::uint8_t {
  kTftp,        // name as a TFTP client asked for it, normalised: no leading slash
  kBootScript,  // HTTP /boot/ipxe: the script for the peer; name is empty
  kFile,        // HTTP /files/...: name is "<image name>/<file name>"
};

struct ContentRequest {
  ContentSpace space = ContentSpace::kTftp;
  std::string_view name;
  std::string_view query;  // after the '?', as sent; empty for TFTP
  IpAddress peer;
  IpAddress local;            // the address that the peer used for us
  std::uint32_t ifindex = 0;  // 0: not known
};

enum class ContentKind : std::uint8_t {
  kNone,         // no such name: TFTP error 1, HTTP 404
  kFile,         // an object: `fd` and, if there is one, `mapping`
  kMemory,       // the first `bytes` of the scratch buffer hold it
  kPending,      // known, and being fetched or opened: asked again after OnContentReady
  kUnavailable,  // known, but not to be had now: TFTP error 0, HTTP 503
};

struct Content {
  ContentKind kind = ContentKind::kNone;
  int fd = -1;                         // kFile; stays the resolver's, open until Release
  std::uint16_t path_mtu_bytes = 0;    // towards the peer; 0: not known (a careful default)
  std::uint64_t bytes = 0;             // the whole size
  const std::byte* mapping = nullptr;  // kFile: all of it, read-only; nullptr: read from fd
  std::uint64_t handle = 0;            // given back by Release; 0: nothing to give back
  WallTime modified{};                 // 0: not known, no Last-Modified
  FixedString<64> etag;                // lower-case hex SHA-256; empty: no ETag, not to be cached
  std::string_view content_type;       // static storage; empty: application/octet-stream
};

// A generated file is at most this long.
inline constexpr std::size_t kGeneratedBytesMax = std::size_t{16} << 10;

class ContentResolver {
 public:
  virtual ~ContentResolver() = default;
  // Never blocks, opens nothing. `scratch` holds kGeneratedBytesMax bytes and is kept by the
  // service while a kMemory content is being sent; it is empty when all such buffers are in use:
  // what would have to be generated is then kUnavailable.
  [[nodiscard]] virtual Content Resolve(const ContentRequest& request, MutableByteSpan scratch,
                                        Instant now) = 0;
  // The transfer ended. Sends that are queued already still read the mapping: unmap it only after
  // the driver's next Turn has ended.
  virtual void Release(std::uint64_t handle) = 0;
};

// Cold pages: called before a range is sent, at most once per MiB of a transfer. The owner may ask
// the read-ahead thread for it; the call returns at once. True: the range is warm enough to send.
// False: the service stops this transfer until OnContentReady.
class ReadAhead {
 public:
  virtual ~ReadAhead() = default;
  [[nodiscard]] virtual bool Want(const Content& content, std::uint64_t offset,
                                  std::uint64_t bytes) = 0;
};

}  // namespace slipway::service
