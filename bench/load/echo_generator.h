// The generator of `slipway-bench echo`: keeps a fixed number of datagrams under way and spins,
// because a generator that sleeps bills its wake-ups to the server.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/base/time.h"
#include "dataplane/shard/socket.h"

namespace slipway::bench {

struct GeneratorOptions {
  std::uint32_t window = 256;        // datagrams under way
  std::uint32_t payload_bytes = 64;  // at least 8
};

struct GeneratorCounts {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t wrong = 0;  // an answer that is no echo of what was sent, or came twice
};

// One thread's.
class EchoGenerator {
 public:
  // `window` is at most kWindowMax, kOutOfRange otherwise.
  [[nodiscard]] static Result<EchoGenerator> Create(const shard::LocalEnd& server,
                                                    const GeneratorOptions& options);

  // Keeps the window full for `time`.
  void Run(Duration time);
  // Sends nothing more; takes answers until all are back or none has come for `quiet`.
  void Drain(Duration quiet);

  [[nodiscard]] const GeneratorCounts& counts() const { return counts_; }

  static constexpr std::uint32_t kWindowMax = 16'384;

 private:
  static constexpr std::size_t kBatch = 64;

  explicit EchoGenerator(shard::OwnedFd fd, const GeneratorOptions& options);

  void SendBatch();
  [[nodiscard]] std::size_t ReceiveBatch();

  shard::OwnedFd fd_;
  GeneratorOptions options_;
  GeneratorCounts counts_;
  std::vector<std::byte> buffers_;
};

}  // namespace slipway::bench
