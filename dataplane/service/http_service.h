// The HTTP server of a shard: binds dataplane/http to TCP sockets that the driver watches. Files
// leave by sendfile(2) from the page cache; generated content and answers from memory.
//
// Policy when full: a connection that finds no slot, no timer or too many of its address is closed
// at once and counted; an upload that finds no buffer gets 503.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/bounded.h"
#include "dataplane/base/counter.h"
#include "dataplane/base/result.h"
#include "dataplane/base/seams.h"
#include "dataplane/http/connection.h"
#include "dataplane/service/boot_step_sink.h"
#include "dataplane/service/content.h"
#include "dataplane/service/inventory_sink.h"
#include "dataplane/service/peer_table.h"
#include "dataplane/shard/fd.h"
#include "dataplane/shard/shard.h"

namespace slipway::service {

inline constexpr std::uint32_t kHttpConnectionsMax = 4096;
inline constexpr std::size_t kHttpListenersMax = 8;
inline constexpr std::size_t kHttpAcceptsPerTurnMax = 64;
inline constexpr std::uint64_t kHttpPieceBytesMax = std::uint64_t{1} << 20;  // one sendfile
inline constexpr std::uint64_t kHttpTurnBytesMax = std::uint64_t{2} << 20;   // files, per turn
inline constexpr std::size_t kHttpStepsPerVisitMax = 64;  // pipelined requests of one peer
inline constexpr std::size_t kHttpLingerBytesMax = std::size_t{256} << 10;

// Ids of the route table: what a request's path means. The rows are in http_service.cc.
enum class HttpRoute : std::uint8_t { kBootScript, kFile, kInventory };

struct HttpOptions {
  std::uint32_t connections_max = kHttpConnectionsMax;  // at most kHttpConnectionsMax
  std::uint32_t connections_per_address_max = 32;
  std::uint32_t generated_buffers = 256;  // of kGeneratedBytesMax
  std::uint32_t upload_buffers = 32;      // of limits::kInventoryBytesMax
  std::uint64_t hash_seed = 0;            // random
};

struct HttpCounters {
  Counter accepted;
  Counter refused_full;  // no slot, timer or watch
  Counter refused_per_address;
  Counter accept_errors;  // out of descriptors: accepting pauses
  Counter requests;       // answered, whatever the status
  Counter responses_ok;   // 2xx and 3xx
  Counter responses_client_error;
  Counter responses_server_error;
  Counter bytes_sent;  // of contents
  Counter uploads_stored;
  Counter uploads_refused;  // 503 for want of a buffer, or by the owner
  Counter cut_off;          // connections ended by a time-out
  Counter aborted;          // peers that left in the middle of a response
  Counter deferred;         // transfers that waited for the next turn's share
};

struct HttpEnvironment {
  shard::Shard& shard;
  Clock& clock;  // for Date only
  ContentResolver& resolver;
  BootStepSink& steps;
  InventorySink& inventories;
  ReadAhead* read_ahead = nullptr;  // null: everything is warm
};

// Thread: the shard's. Lives as long as the shard, and as what `environment` refers to.
class HttpService final : public shard::TimerHandler, public shard::TurnHook {
 public:
  // Takes the listeners over (shard::OpenTcpListener). All memory is taken here: see memory_bytes.
  // Turns SIGPIPE off for the process: sendfile(2) has no flag for it. Errors: kOutOfRange, and the
  // driver's.
  [[nodiscard]] static Result<std::unique_ptr<HttpService>> Create(
      const HttpOptions& options, const HttpEnvironment& environment,
      std::span<shard::OwnedFd> listeners);
  // Closes all connections.
  ~HttpService() override;

  HttpService(const HttpService&) = delete;
  HttpService& operator=(const HttpService&) = delete;

  // A post that InventorySink::Submit accepted is durable (answered 202) or is not (503). Its body
  // is free from here on. A handle whose peer has left is fine.
  void CompleteInventory(std::uint64_t handle, bool durable, Instant now);

  // Requests that wait for content (kPending, or cold) are looked at again.
  void OnContentReady(Instant now);

  [[nodiscard]] std::uint32_t connections_open() const noexcept { return connections_open_; }

  [[nodiscard]] const HttpCounters& counters() const noexcept { return counters_; }

  // Called by the shard.
  void OnTimer(std::uint64_t cookie, Instant now) override;
  void OnTurn(Instant now) override;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  enum class Mode : std::uint8_t {
    kFree,
    kReading,    // a head
    kBody,       // an upload
    kWaiting,    // for content or for the owner of an upload
    kSending,    // blocked by the peer
    kDeferred,   // has used its share of the turn
    kCold,       // for the read-ahead
    kLingering,  // discards input
  };

  struct Connection final : shard::WatchHandler {
    void OnReady(shard::WatchId watch, std::uint32_t events, Instant now) override;

    HttpService* service = nullptr;
    http::HttpConnection http;
    Content content;
    http::Step owed;  // kDeferred: what was not carried out yet
    shard::OwnedFd fd;
    shard::WatchId watch = 0;
    std::uint32_t interest = 0;
    Mode mode = Mode::kFree;
    bool queued = false;    // in deferred_
    bool head_only = true;  // of the response: nothing is recorded
    std::uint32_t generation = 0;
    std::uint32_t next_free = kNone;
    std::uint32_t buffer = BufferStack::kNone;  // generated content
    std::uint32_t upload = kNone;
    std::uint32_t input_bytes = 0;
    std::uint32_t output_bytes = 0;
    std::uint32_t output_sent = 0;
    std::size_t lingered_bytes = 0;
    http::ByteRange body;  // of the response, what is left
    std::uint64_t body_sent = 0;
    std::uint64_t warm_until = 0;
    IpAddress peer;
    IpAddress local;
    shard::TimerHandle timer;
    Instant timer_at;
    Instant response_began;
  };

  struct Listener final : shard::WatchHandler {
    void OnReady(shard::WatchId watch, std::uint32_t events, Instant now) override;

    HttpService* service = nullptr;
    shard::OwnedFd fd;
    shard::WatchId watch = 0;
    bool paused = false;
  };

  // An upload buffer in use. It outlives its connection while the owner reads it.
  struct Upload {
    std::uint32_t connection = kNone;
    std::uint32_t connection_generation = 0;
    std::uint32_t generation = 0;
    std::uint32_t filled = 0;
    bool submitted = false;
  };

  enum class Sent : std::uint8_t { kAll, kBlocked, kDeferred, kCold, kBroken };

  HttpService(const HttpOptions& options, const HttpEnvironment& environment);

  void Accept(Listener& listener, Instant now);
  void Pause(Listener& listener, Instant now);
  void Open(shard::OwnedFd fd, const IpAddress& peer, Instant now);
  void OnConnectionReady(Connection& connection, std::uint32_t events, Instant now);
  void OnReadable(Connection& connection, Instant now);
  void Run(Connection& connection, http::Step step, Instant now);
  [[nodiscard]] bool RunOne(Connection& connection, http::Step& step, Instant now);
  [[nodiscard]] http::Step Resolve(Connection& connection, Instant now);
  [[nodiscard]] http::Step TakeBody(Connection& connection, const http::Step& step, Instant now);
  [[nodiscard]] http::Step Submit(Connection& connection, Instant now);
  void BeginResponse(Connection& connection, const http::Step& step, Instant now);
  [[nodiscard]] bool ContinueResponse(Connection& connection, http::Step& step, Instant now);
  [[nodiscard]] Sent SendSome(Connection& connection);
  [[nodiscard]] Sent SendOutput(Connection& connection);
  [[nodiscard]] Sent SendFile(Connection& connection);
  void EndResponse(Connection& connection, bool ok, Instant now);
  void ReleaseContent(Connection& connection);
  void ReleaseUpload(Connection& connection);
  void Defer(Connection& connection);
  void Settle(Connection& connection, Instant now);
  void Close(Connection& connection, Instant now);
  void Record(const Connection& connection, schema::BootStepKind kind, bool ok, Instant now);
  void ConsumeInput(Connection& connection, std::size_t bytes) noexcept;
  [[nodiscard]] std::uint32_t IndexOf(const Connection& connection) const noexcept;
  [[nodiscard]] MutableByteSpan InputOf(const Connection& connection) noexcept;
  [[nodiscard]] MutableByteSpan OutputOf(const Connection& connection) noexcept;

  const HttpOptions options_;
  shard::Shard& shard_;
  Clock& clock_;
  ContentResolver& resolver_;
  BootStepSink& steps_;
  InventorySink& inventories_;
  ReadAhead* const read_ahead_;
  std::unique_ptr<Connection[]> connections_;
  std::unique_ptr<std::byte[]> inputs_;   // kHeadBytesMax each
  std::unique_ptr<std::byte[]> outputs_;  // kResponseHeadBytesMax each
  std::unique_ptr<Upload[]> uploads_;
  std::array<Listener, kHttpListenersMax> listeners_;
  std::size_t listeners_used_ = 0;
  PeerTable peers_;
  BufferStack generated_;
  BufferStack upload_buffers_;
  FixedRing<std::uint32_t, kHttpConnectionsMax> deferred_;
  std::uint64_t turn_bytes_left_ = kHttpTurnBytesMax;
  std::size_t turn_accepts_left_ = kHttpAcceptsPerTurnMax;
  std::uint32_t free_ = kNone;
  std::uint32_t connections_open_ = 0;
  HttpCounters counters_;
};

}  // namespace slipway::service
