// The TFTP server of a shard: binds dataplane/tftp to the packet interface. Requests come in at the
// listening sockets (port 69); each transfer is answered from one of a small pool of sockets and
// found again by (peer address, peer port).
//
// Policy when full: a request that finds no session, no timer or too many transfers of its address
// is dropped and counted; the client asks again. What the driver cannot take in one turn waits for
// the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/bounded.h"
#include "dataplane/base/counter.h"
#include "dataplane/base/result.h"
#include "dataplane/service/boot_step_sink.h"
#include "dataplane/service/content.h"
#include "dataplane/service/peer_table.h"
#include "dataplane/shard/fd.h"
#include "dataplane/shard/shard.h"
#include "dataplane/tftp/session.h"

namespace slipway::service {

inline constexpr std::size_t kTftpPortsMax = 256;
inline constexpr std::uint32_t kTftpSessionsMax = 4096;

struct TftpOptions {
  std::uint32_t sessions_max = kTftpSessionsMax;  // at most kTftpSessionsMax
  std::uint32_t transfers_per_address_max = 4;
  std::uint32_t generated_buffers = 64;  // of kGeneratedBytesMax
  std::uint16_t windowsize_max = tftp::kWindowsizeMax;
  std::uint64_t hash_seed = 0;  // random
};

struct TftpCounters {
  Counter requests;
  Counter transfers_started;
  Counter transfers_completed;
  Counter transfers_failed;  // given up by the client or timed out
  Counter probes;            // size asked, transfer not wanted: normal
  Counter bytes_sent;        // payload acknowledged
  Counter resends;
  Counter not_found;
  Counter refused;    // answered with another error
  Counter silent;     // got no answer by rule
  Counter dropped;    // too many transfers, or no room
  Counter pending;    // content not there yet; the client asks again
  Counter strays;     // at a transfer port, from a peer without a transfer there
  Counter postponed;  // sends that waited for the next turn
};

// Thread: the shard's. Lives as long as the shard.
class TftpService final : public shard::PacketHandler,
                          public shard::TimerHandler,
                          public shard::TurnHook {
 public:
  // Takes the sockets over (shard::OpenUdp): at least one listener, and at least one transfer
  // socket of each listener's family. `resolver`, `sink` and `read_ahead` (may be null: everything
  // is warm) outlive the service. All memory is taken here. Errors: kOutOfRange, and the driver's.
  [[nodiscard]] static Result<std::unique_ptr<TftpService>> Create(
      const TftpOptions& options, shard::Shard& shard, ContentResolver& resolver,
      BootStepSink& sink, ReadAhead* read_ahead, std::span<shard::OwnedFd> listeners,
      std::span<shard::OwnedFd> transfer_sockets);

  // Transfers that wait for cold content go on.
  void OnContentReady(Instant now) noexcept;

  [[nodiscard]] std::uint32_t sessions_open() const noexcept { return sessions_open_; }

  [[nodiscard]] const TftpCounters& counters() const noexcept { return counters_; }

  // Called by the shard.
  void OnPackets(shard::PortId port, std::span<shard::Packet> packets, Instant now) override;
  void OnTimer(std::uint64_t cookie, Instant now) override;
  void OnTurn(Instant now) override;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Port {
    shard::PortId id = 0;
    bool v4 = true;
  };

  struct Session {
    tftp::TftpSession transfer;
    Content content;
    tftp::Step owed;  // not carried out yet
    IpAddress peer;
    IpAddress local;
    std::uint32_t ifindex = 0;
    std::uint16_t peer_port = 0;
    bool used = false;
    bool data_sent = false;
    bool owes = false;    // `owed` waits for the next turn
    bool queued = false;  // in owing_
    bool parked = false;  // `owed` waits for content
    shard::PortId port = 0;
    std::uint32_t generation = 0;
    std::uint32_t next_free = kNone;
    std::uint32_t buffer = BufferStack::kNone;
    std::uint64_t request_hash = 0;
    std::uint64_t warm_until = 0;
    shard::TimerHandle timer;
    Instant timer_at;
    Instant began;
    FixedString<limits::kFileNameBytesMax> name;
  };

  TftpService(const TftpOptions& options, shard::Shard& shard, ContentResolver& resolver,
              BootStepSink& sink, ReadAhead* read_ahead);
  [[nodiscard]] Result<void> AddPorts(std::span<shard::OwnedFd> sockets, bool listener);

  void OnRequest(const shard::Packet& packet, Instant now);
  void StartTransfer(const shard::Packet& packet, const tftp::Request& request, Instant now);
  void Begin(std::uint32_t index, const shard::Packet& packet, const tftp::Request& request,
             Instant now);
  void OnTransferPacket(shard::PortId port, const shard::Packet& packet, Instant now);
  void Execute(std::uint32_t index, const tftp::Step& step, Instant now);
  [[nodiscard]] bool CarryOut(Session& session, const tftp::Step& step);
  [[nodiscard]] bool SendControl(const Session& session, std::span<const std::byte> packet);
  [[nodiscard]] bool SendWindow(Session& session, const tftp::Step& step);
  [[nodiscard]] bool SendGathered(Session& session, const tftp::Step& step, ByteSpan content);
  [[nodiscard]] bool SendCopied(Session& session, const tftp::Step& step);
  [[nodiscard]] bool SendNetascii(Session& session, const tftp::Step& step);
  void SendErrorTo(const shard::Packet& packet, tftp::WireError error, std::string_view text);
  void Owe(std::uint32_t index);
  void Arm(std::uint32_t index, Instant now);
  void Finish(std::uint32_t index, Instant now);
  void Record(const Session& session, schema::BootStepKind kind, Instant now);
  [[nodiscard]] std::uint32_t FreeSession() noexcept;
  [[nodiscard]] Port NextPort(bool v4) noexcept;

  const TftpOptions options_;
  shard::Shard& shard_;
  ContentResolver& resolver_;
  BootStepSink& sink_;
  ReadAhead* const read_ahead_;
  std::unique_ptr<Session[]> sessions_;
  PeerTable peers_;
  BufferStack generated_;
  FixedVector<Port, kTftpPortsMax> listeners_;
  FixedVector<Port, kTftpPortsMax> transfer_ports_;
  FixedRing<std::uint32_t, kTftpSessionsMax> owing_;
  std::uint32_t free_ = kNone;
  std::uint32_t sessions_open_ = 0;
  std::uint32_t next_port_ = 0;
  TftpCounters counters_;
};

}  // namespace slipway::service
