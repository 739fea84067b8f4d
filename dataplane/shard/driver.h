// The one packet interface. A service sees batches of received packets and sends replies; a driver
// (dataplane/ring, dataplane/epoll, later xdp and dpdk) moves them. Services never see a socket
// call; drivers never see a protocol.
//
// Thread: everything here belongs to one shard thread, but AddX before the loop starts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/base/counter.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/limits.h"
#include "dataplane/base/result.h"
#include "dataplane/base/time.h"

namespace slipway::shard {

using PortId = std::uint32_t;   // a packet socket of this driver
using WatchId = std::uint32_t;  // a watched descriptor of this driver

struct Packet {
  // The payload. kPacketHeadroomBytes before it and the rest of the buffer after it belong to the
  // packet too: a service may build its reply over the request. Valid until OnPackets returns.
  MutableByteSpan data;
  MutableByteSpan buffer;
  IpAddress source;
  IpAddress destination;  // local address, by PKTINFO; a broadcast stays one
  std::uint32_t ifindex = 0;
  std::uint16_t source_port = 0;
  bool truncated = false;  // longer than the buffer: the rest is lost
};

// A datagram or frame to send. `data` (and every part) must stay valid until the driver's next
// Turn has ended; buffers from AllocateTx do, and so does the Packet that OnPackets is looking at:
// a reply may be sent from the request's own buffer.
struct Outgoing {
  ByteSpan data;
  // Appended to data, for file contents straight from a mapping; at most kGatherPartsMax.
  std::span<const ByteSpan> parts;
  IpAddress destination;
  IpAddress source;           // not set: the kernel chooses
  std::uint32_t ifindex = 0;  // 0: by route. For raw frames: the interface to send on
  std::uint16_t destination_port = 0;
  // Not 0: UDP_SEGMENT, the whole is cut into datagrams of this size.
  std::uint16_t segment_bytes = 0;
  // May leave in one UDP_SEGMENT send with those queued right before it, if they have the same
  // size and ends: a third of the cost.
  bool join = false;
};

inline constexpr std::size_t kGatherPartsMax = 32;
inline constexpr std::size_t kTxBufferBytes = limits::kPacketBytesMax;

class PacketHandler {
 public:
  virtual ~PacketHandler() = default;
  // At most limits::kPacketBatchMax packets of one port, in the order of arrival.
  virtual void OnPackets(PortId port, std::span<Packet> packets, Instant now) = 0;

  // Its packets may wait for others while they come thick (dataplane/shard/gather.h).
  [[nodiscard]] virtual bool gathers() const noexcept { return false; }
};

enum WatchEvents : std::uint32_t { kReadable = 1, kWritable = 4, kHangup = 16 };  // as in poll(2)

class WatchHandler {
 public:
  virtual ~WatchHandler() = default;
  // `events` is a set of WatchEvents. May be spurious: the handler does non-blocking calls.
  virtual void OnReady(WatchId watch, std::uint32_t events, Instant now) = 0;
};

struct DriverCounters {
  Counter packets_received;
  Counter packets_sent;  // taken by the kernel; one with `segment_bytes` counts as one
  Counter bytes_received;
  Counter bytes_sent;
  Counter send_errors;   // refused by the kernel, or addressed to the wrong family
  Counter send_dropped;  // no free buffer or slot
  Counter sends_joined;  // datagrams that left in one send with others
  Counter sends_apart;   // joined ones that the kernel refused together: sent one by one
  Counter kernel_drops;  // SO_RXQ_OVFL
  Counter truncated;
  Counter turns;
  Counter rearms;           // ring: multishot ended and was started again
  Counter rx_buffers_free;  // now: buffers that wait for packets; all of them when it is quiet
};

class Driver {
 public:
  virtual ~Driver() = default;

  // "ring" or "epoll".
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;

  // Takes over a bound, non-blocking UDP socket (see OpenUdp in dataplane/shard/socket.h, which
  // sets PKTINFO and buffers), an ICMPv6 one (OpenRawIcmpv6) or one that receives frames
  // (OpenArpReceive: data is the frame, addresses are not set); closed with the driver, also if
  // this fails. kFull past shard::kPortsMax. REQUIRES: before the shard is sealed; `handler`
  // outlives the driver.
  [[nodiscard]] virtual Result<PortId> AddUdp(int fd, PacketHandler* handler) = 0;
  // Takes over an AF_PACKET socket for sending frames (Ethernet header included in data).
  [[nodiscard]] virtual Result<PortId> AddRaw(int fd) = 0;

  // Level-triggered readiness of a descriptor that stays the caller's: a handler that leaves work
  // behind is called again in the next turn. kHangup (with errors) is reported without being asked
  // for; with `events` 0 nothing else is. kFull at a fixed capacity (shard::kWatchesMax).
  [[nodiscard]] virtual Result<WatchId> AddWatch(int fd, std::uint32_t events,
                                                 WatchHandler* handler) = 0;
  [[nodiscard]] virtual Result<void> ChangeWatch(WatchId watch, std::uint32_t events) = 0;
  // After this OnReady is not called for it any more; the descriptor may be closed at once (a
  // driver may hold the open file until its next Turn).
  virtual void RemoveWatch(WatchId watch) = 0;

  // A free transmit buffer of kTxBufferBytes, to be given to Send in this turn; empty if all are in
  // flight (counted in send_dropped).
  [[nodiscard]] virtual MutableByteSpan AllocateTx() = 0;
  // Queues; sent in batches at the end of the turn. False if the queue is full (counted).
  [[nodiscard]] virtual bool Send(PortId port, const Outgoing& out) = 0;

  // One turn: sends what is queued, waits at most until `deadline` for something to do, calls
  // handlers for at most limits::kCompletionsPerTurnMax completions. `now` is read once after
  // waiting and passed to all handlers. Fails only if the driver can not go on.
  [[nodiscard]] virtual Result<Instant> Turn(Instant deadline) = 0;

  [[nodiscard]] virtual const DriverCounters& counters() const noexcept = 0;
};

}  // namespace slipway::shard
