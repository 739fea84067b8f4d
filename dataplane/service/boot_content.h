// Finds what TFTP and HTTP clients ask for: files of the snapshot's images, and the boot script of
// the machine that has the peer's address. Names are looked up in tables; nothing is opened here.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/base/counter.h"
#include "dataplane/base/seams.h"
#include "dataplane/boot/decide.h"
#include "dataplane/boot/loop_guard.h"
#include "dataplane/boot/paths.h"
#include "dataplane/boot/script.h"
#include "dataplane/service/address_book.h"
#include "dataplane/service/boot_step_sink.h"
#include "dataplane/service/content.h"
#include "dataplane/service/machine_token.h"
#include "dataplane/service/rack_event.h"
#include "dataplane/service/serving.h"

namespace slipway::service {

inline constexpr Duration kTokenLife = Duration::Seconds(3600);
// Transfers that may hold an object open at one time; more are told to come again.
inline constexpr std::uint32_t kTransfersMax = 16'384;

struct BootContentCounters {
  Counter files;
  Counter scripts;
  Counter unknown_names;
  Counter unknown_peers;    // a script was asked for by an address that we gave to nobody
  Counter objects_missing;  // the snapshot has the file, the rack has not its content
  Counter busy;
  Counter loops_found;
};

// Thread: the shard that serves files.
class BootContent final : public ContentResolver {
 public:
  struct Parts {
    const ServingView* serving = nullptr;
    const PeerBook* peers = nullptr;
    const MachineTokens* tokens = nullptr;
    BootStepSink* steps = nullptr;
    EventSink* events = nullptr;
    boot::LoopGuard* loops = nullptr;  // InventoryService tells it of progress
    Random* random = nullptr;          // nonces
  };

  explicit BootContent(const Parts& parts);

  [[nodiscard]] Content Resolve(const ContentRequest& request, MutableByteSpan scratch,
                                Instant now) override;
  void Release(std::uint64_t handle) override;

  [[nodiscard]] const BootContentCounters& counters() const noexcept { return counters_; }

 private:
  struct Transfer {
    images::ObjectTableRef objects;  // keeps the object open
    std::uint32_t next_free = 0;
  };

  [[nodiscard]] Content ResolveFile(const ContentRequest& request, const Serving& serving);
  [[nodiscard]] std::uint16_t PathMtu(const IpAddress& peer, const Serving& serving) const;
  [[nodiscard]] Content ResolveScript(const ContentRequest& request, const Serving& serving,
                                      MutableByteSpan scratch, Instant now);
  void GuardLoop(const boot::BootRequest& ask, const IpAddress& peer, boot::BootPlan& plan,
                 Instant now);

  Parts parts_;
  std::uint32_t scripts_asked_ = 0;  // tells one attempt from the next
  std::unique_ptr<Transfer[]> transfers_;
  std::uint32_t free_ = 0;
  BootContentCounters counters_;
};

}  // namespace slipway::service
