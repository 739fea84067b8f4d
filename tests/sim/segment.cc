#include "tests/sim/segment.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "tests/sim/dhcp_bytes.h"
#include "tests/sim/sealed.h"

namespace slipway::sim {
namespace {

[[nodiscard]] MacAddress DestinationOf(const Frame& frame) {
  MacAddress mac;
  WireReader in{ByteSpan(frame)};
  in.Copy(std::as_writable_bytes(std::span(mac.octets)));
  return mac;
}

}  // namespace

void Segment::Send(MacAddress from, Frame frame) {
  const MacAddress to = DestinationOf(frame);
  if (!to.is_multicast()) {
    Deliver(to, frame);
    return;
  }
  const auto view = net::ParseUdp4Frame(frame);
  if (view && view->destination.port == kServerPort) {
    for (const MacAddress mac : servers_) {
      if (mac != from) {
        Deliver(mac, frame);
      }
    }
    return;
  }
  for (const auto& [mac, station] : stations_) {
    if (mac != from) {
      Deliver(mac, frame);
    }
  }
}

void Segment::Deliver(MacAddress to, const Frame& frame) {
  if (world_->OneIn(faults_.lose_one_in)) {
    return;
  }
  const int copies = world_->OneIn(faults_.double_one_in) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    const auto delay = static_cast<std::int64_t>(
        world_->random().Below(static_cast<std::uint64_t>(faults_.delay_max.ns) + 1));
    world_->After(Duration::Nanos(delay), [this, to, frame] {
      const auto station = stations_.find(to);
      if (station != stations_.end()) {
        station->second->OnFrame(frame);
      }
    });
  }
}

MacAddress Segment::MacOf(Ipv4Address address) const {
  const auto found = addresses_.find(address);
  return found != addresses_.end() ? found->second : router_;
}

SimDriver::SimDriver(World* world, Clock* clock, Segment* segment, MacAddress mac,
                     Ipv4Address address, std::uint32_t ifindex)
    : world_(world),
      clock_(clock),
      segment_(segment),
      mac_(mac),
      address_(address),
      ifindex_(ifindex) {
  segment_->Attach(mac_, this);
  segment_->SetAddress(address_, mac_);
}

SimDriver::~SimDriver() { segment_->Detach(mac_); }

void SimDriver::OnFrame(const Frame& frame) {
  received_.push_back(frame);
  if (received_.size() == 1 && waker_) {
    waker_();
  }
}

void SimDriver::Emit(Frame frame) {
  if (tap_) {
    tap_(frame);
  }
  segment_->Send(mac_, std::move(frame));
}

bool SimDriver::pending() const {
  if (!received_.empty()) {
    return true;
  }
  return std::any_of(watches_.begin(), watches_.end(), [](const auto& entry) {
    pollfd watched{
        .fd = entry.second.fd, .events = static_cast<short>(entry.second.events), .revents = 0};
    return poll(&watched, 1, 0) > 0;
  });
}

shard::PortId SimDriver::BindUdp(std::uint16_t port, shard::PacketHandler* handler) {
  ports_.push_back({port, handler});
  return static_cast<shard::PortId>(ports_.size() - 1);
}

shard::PortId SimDriver::BindRaw() { return BindUdp(0, nullptr); }

Result<shard::PortId> SimDriver::AddUdp(int /*fd*/, shard::PacketHandler* /*handler*/) {
  return Fail(ErrorCode::kUnsupported);
}

Result<shard::PortId> SimDriver::AddRaw(int /*fd*/) { return Fail(ErrorCode::kUnsupported); }

Result<shard::WatchId> SimDriver::AddWatch(int fd, std::uint32_t events,
                                           shard::WatchHandler* handler) {
  watches_[++next_watch_] = {fd, events, handler};
  return next_watch_;
}

Result<void> SimDriver::ChangeWatch(shard::WatchId watch, std::uint32_t events) {
  watches_.at(watch).events = events;
  return {};
}

void SimDriver::RemoveWatch(shard::WatchId watch) { watches_.erase(watch); }

MutableByteSpan SimDriver::AllocateTx() {
  const Unsealed simulator;
  transmit_.emplace_back(shard::kTxBufferBytes);
  return transmit_.back();
}

bool SimDriver::Send(shard::PortId port, const shard::Outgoing& out) {
  const Unsealed simulator;
  counters_.packets_sent.Add();
  if (ports_.at(port).number == 0) {
    Emit(Frame(out.data.begin(), out.data.end()));
    return true;
  }
  const Ipv4Address to = out.destination.v4();
  const MacAddress mac = to.is_broadcast() ? kBroadcastMac : segment_->MacOf(to);
  Frame frame(out.data.size() + net::kUdp4FrameHeaderBytes);
  const auto size =
      net::BuildUdp4Frame(frame, {.mac = mac_, .address = address_, .port = ports_.at(port).number},
                          {.mac = mac, .address = to, .port = out.destination_port}, out.data);
  SLIP_CHECK(size.has_value());
  Emit(std::move(frame));
  return true;
}

void SimDriver::DeliverPackets(Instant now) {
  std::deque<Frame> frames;
  std::swap(frames, received_);
  for (Frame& frame : frames) {
    const auto view = net::ParseUdp4Frame(frame);
    if (!view) {
      continue;
    }
    for (shard::PortId id = 0; id < ports_.size(); ++id) {
      if (ports_[id].handler == nullptr || ports_[id].number != view->destination.port) {
        continue;
      }
      const auto at = static_cast<std::size_t>(view->payload.data() - frame.data());
      shard::Packet packet{.data = MutableByteSpan(frame).subspan(at, view->payload.size()),
                           .buffer = frame,
                           .source = view->source.address,
                           .destination = view->destination.address,
                           .ifindex = ifindex_,
                           .source_port = view->source.port};
      counters_.packets_received.Add();
      const Sealed shard;
      ports_[id].handler->OnPackets(id, {&packet, 1}, now);
    }
  }
}

Result<Instant> SimDriver::Turn(Instant /*deadline*/) {
  const Unsealed simulator;
  const Instant now = clock_->Now();
  counters_.turns.Add();
  transmit_.clear();
  DeliverPackets(now);
  std::vector<std::pair<shard::WatchId, std::uint32_t>> ready;
  for (const auto& [id, watch] : watches_) {
    pollfd watched{.fd = watch.fd, .events = static_cast<short>(watch.events), .revents = 0};
    if (poll(&watched, 1, 0) > 0) {
      ready.emplace_back(id, static_cast<std::uint32_t>(watched.revents));
    }
  }
  for (const auto& [id, events] : ready) {
    const auto watch = watches_.find(id);
    if (watch != watches_.end()) {
      const Sealed shard;
      watch->second.handler->OnReady(id, events, now);
    }
  }
  return now;
}

}  // namespace slipway::sim
