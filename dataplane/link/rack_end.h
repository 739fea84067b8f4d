// The rack's end of the control link: one thread, its ZeroMQ sockets (DEALER, CURVE client, one
// active), and the RackLink that it drives. The only place on the rack that knows ZeroMQ.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/log.h"
#include "dataplane/base/result.h"
#include "dataplane/link/interfaces.h"
#include "dataplane/link/rack_core.h"

namespace slipway::link {

struct RackEndOptions {
  std::string state_directory;  // link.key (0600) is kept here: keys, regions, rack id
  std::string name;             // proposed at enrolment; the host's name
  std::string software;
  std::string join_token;              // text; empty: enrolled before
  std::vector<std::string> endpoints;  // not empty: used instead of the token's
};

// What the rack does with the link's news. Called on the link thread. The observer's Answer goes
// through RackEnd::Post.
struct RackEndOwners {
  SnapshotSink* snapshots = nullptr;
  FactSource* facts = nullptr;
  RackLinkObserver* observer = nullptr;
  Clock* clock = nullptr;
  LogSink* log = nullptr;  // may be null
};

class RackEnd {
 public:
  using Task = std::move_only_function<void(RackLink&, Instant now)>;

  // Reads or makes the rack's key and takes in the join token. Errors: kNotFound (never enrolled
  // and no token), those of JoinToken::Parse, LoadOrCreateKeyPair. The thread is not started yet.
  [[nodiscard]] static Result<std::unique_ptr<RackEnd>> Create(RackEndOptions options,
                                                               RackEndOwners owners);
  RackEnd(const RackEnd&) = delete;
  RackEnd& operator=(const RackEnd&) = delete;
  // Stops.
  ~RackEnd();

  [[nodiscard]] Result<void> Start();
  // Joins the thread, at most about one second. No call to the owners afterwards.
  void Stop();

  // Runs the task on the link thread, soon. Any thread. False: the queue (kTasksMax) is full; the
  // notices of new facts and generations never need more than one place each (below).
  [[nodiscard]] bool Post(Task task);
  // Any thread, as often as wanted: notices that are already on their way are merged.
  void NotifyFacts() noexcept;
  void NotifyGenerationLive() noexcept;

  [[nodiscard]] const LinkCounters& counters() const noexcept;
  // Any thread; what the link thread last saw.
  [[nodiscard]] bool up() const noexcept;
  [[nodiscard]] RackId rack() const noexcept;
  [[nodiscard]] PublicKey public_key() const;

  static constexpr std::size_t kTasksMax = 1024;

 private:
  class Impl;
  explicit RackEnd(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::link
