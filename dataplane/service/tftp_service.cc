#include "dataplane/service/tftp_service.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "dataplane/base/check.h"
#include "dataplane/base/random.h"

namespace slipway::service {
namespace {

constexpr std::uint64_t kReadAheadBytes = std::uint64_t{1} << 20;
constexpr std::size_t kDatagramBytesMax = 65'507;  // of UDP over IPv4, a segmented send included

std::uint64_t Cookie(std::uint32_t index, std::uint32_t generation) noexcept {
  return std::uint64_t{generation} << 32 | index;
}

std::uint64_t HashOf(ByteSpan bytes) noexcept {
  std::uint64_t hash = bytes.size();
  for (const std::byte b : bytes) {
    hash = Mix64(hash ^ std::to_integer<std::uint64_t>(b));
  }
  return hash;
}

// Only one host is answered, and only where a reply can come from.
bool IsUnicast(const IpAddress& address) noexcept {
  if (address.is_v4()) {
    return !address.v4().is_any() && !address.v4().is_broadcast() && !address.v4().is_multicast();
  }
  return !address.v6().is_any() && !address.v6().is_multicast();
}

shard::Outgoing ReplyTo(const IpAddress& peer, std::uint16_t port, const IpAddress& local,
                        std::uint32_t ifindex) noexcept {
  shard::Outgoing out;
  out.destination = peer;
  out.destination_port = port;
  if (IsUnicast(local)) {
    out.source = local;
  }
  if (!peer.is_v4() && peer.v6().is_link_local()) {
    out.ifindex = ifindex;
  }
  return out;
}

}  // namespace

TftpService::TftpService(const TftpOptions& options, shard::Shard& shard, ContentResolver& resolver,
                         BootStepSink& sink, ReadAhead* read_ahead)
    : options_(options),
      shard_(shard),
      resolver_(resolver),
      sink_(sink),
      read_ahead_(read_ahead),
      sessions_(std::make_unique<Session[]>(options.sessions_max)),
      peers_(options.sessions_max, options.hash_seed),
      generated_(options.generated_buffers, kGeneratedBytesMax) {
  for (std::uint32_t i = options.sessions_max; i > 0; --i) {
    sessions_[i - 1].next_free = free_;
    free_ = i - 1;
  }
}

Result<std::unique_ptr<TftpService>> TftpService::Create(
    const TftpOptions& options, shard::Shard& shard, ContentResolver& resolver, BootStepSink& sink,
    ReadAhead* read_ahead, std::span<shard::OwnedFd> listeners,
    std::span<shard::OwnedFd> transfer_sockets) {
  if (options.sessions_max == 0 || options.sessions_max > kTftpSessionsMax || listeners.empty() ||
      transfer_sockets.empty() || listeners.size() + transfer_sockets.size() > kTftpPortsMax) {
    return Fail(ErrorCode::kOutOfRange);
  }
  std::unique_ptr<TftpService> service(new TftpService(options, shard, resolver, sink, read_ahead));
  SLIP_TRY(service->AddPorts(listeners, true));
  SLIP_TRY(service->AddPorts(transfer_sockets, false));
  for (const Port& listener : service->listeners_) {
    if (std::ranges::none_of(service->transfer_ports_,
                             [&](const Port& port) { return port.v4 == listener.v4; })) {
      return Fail(ErrorCode::kOutOfRange);
    }
  }
  SLIP_TRY(shard.AddHook(service.get()));
  return service;
}

Result<void> TftpService::AddPorts(std::span<shard::OwnedFd> sockets, bool listener) {
  for (shard::OwnedFd& fd : sockets) {
    int family = 0;
    socklen_t bytes = sizeof(family);
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_DOMAIN, &family, &bytes) != 0) {
      return FailErrno(errno);
    }
    const Port port{.id = SLIP_TRY(shard_.driver().AddUdp(fd.Release(), this)),
                    .v4 = family == AF_INET};
    SLIP_CHECK((listener ? listeners_ : transfer_ports_).push_back(port));
  }
  return {};
}

void TftpService::OnPackets(shard::PortId port, std::span<shard::Packet> packets, Instant now) {
  const bool listening =
      std::ranges::any_of(listeners_, [port](const Port& listener) { return listener.id == port; });
  for (const shard::Packet& packet : packets) {
    if (!IsUnicast(packet.source)) {
      counters_.silent.Add();
    } else if (listening) {
      OnRequest(packet, now);
    } else {
      OnTransferPacket(port, packet, now);
    }
  }
}

void TftpService::OnRequest(const shard::Packet& packet, Instant now) {
  const tftp::Admission admission = tftp::Admit(packet.data, packet.source_port);
  if (admission.verdict == tftp::Verdict::kSilent) {
    counters_.silent.Add();
    return;
  }
  counters_.requests.Add();
  if (admission.verdict == tftp::Verdict::kError) {
    counters_.refused.Add();
    SendErrorTo(packet, admission.error, admission.text);
    return;
  }
  const std::uint32_t known = peers_.Find(packet.source, packet.source_port);
  if (known != PeerTable::kNone) {
    Session& session = sessions_[known];
    const bool same = session.request_hash == HashOf(packet.data);
    Execute(known, session.transfer.OnRequestAgain(same, now), now);
    if (session.used) {
      return;
    }
  }
  if (peers_.CountOf(packet.source) >= options_.transfers_per_address_max) {
    counters_.dropped.Add();
    return;
  }
  StartTransfer(packet, admission.request, now);
}

void TftpService::StartTransfer(const shard::Packet& packet, const tftp::Request& request,
                                Instant now) {
  const std::uint32_t index = FreeSession();
  if (index == kNone) {
    counters_.dropped.Add();
    return;
  }
  Session& session = sessions_[index];
  session.buffer = generated_.Take();
  session.content = resolver_.Resolve({.space = ContentSpace::kTftp,
                                       .name = request.name.view(),
                                       .query = {},
                                       .peer = packet.source,
                                       .local = packet.destination,
                                       .ifindex = packet.ifindex},
                                      generated_.At(session.buffer), now);
  session.name = request.name;
  session.peer = packet.source;
  if (session.content.kind != ContentKind::kMemory && session.buffer != BufferStack::kNone) {
    generated_.Give(std::exchange(session.buffer, BufferStack::kNone));
  }
  switch (session.content.kind) {
    case ContentKind::kFile:
    case ContentKind::kMemory:
      Begin(index, packet, request, now);
      return;
    case ContentKind::kNone:
      if (tftp::MissingIsEmpty(request.name.view())) {
        session.content.bytes = 0;
        Begin(index, packet, request, now);
        return;
      }
      counters_.not_found.Add();
      SendErrorTo(packet, tftp::WireError::kFileNotFound, "no such file");
      sink_.Record({.kind = schema::BootStepKind::TftpEnd,
                    .mac = {},
                    .peer = packet.source,
                    .name = request.name.view(),
                    .ok = false},
                   now);
      break;
    case ContentKind::kPending:
      counters_.pending.Add();
      break;
    case ContentKind::kUnavailable:
      counters_.refused.Add();
      SendErrorTo(packet, tftp::WireError::kNotDefined, "not available now");
      break;
  }
  session.next_free = free_;
  free_ = index;
}

void TftpService::Begin(std::uint32_t index, const shard::Packet& packet,
                        const tftp::Request& request, Instant now) {
  Session& session = sessions_[index];
  const bool v4 = packet.source.is_v4();
  session.used = true;
  session.data_sent = false;
  session.owes = false;
  session.parked = false;
  session.local = packet.destination;
  session.ifindex = packet.ifindex;
  session.peer_port = packet.source_port;
  session.port = NextPort(v4).id;
  session.request_hash = HashOf(packet.data);
  session.warm_until = 0;
  session.began = now;
  session.timer = {};
  ++session.generation;
  ++sessions_open_;
  peers_.Insert(index, packet.source, packet.source_port);
  tftp::SessionOptions limits{
      .blksize_max = tftp::BlksizeForPath(session.content.path_mtu_bytes, v4),
      .windowsize_max = options_.windowsize_max};
  // Blocks that are copied must fit a transmit buffer.
  constexpr std::size_t kCopiedMax = shard::kTxBufferBytes - tftp::kHeaderBytes;
  const bool gathers =
      session.content.kind == ContentKind::kMemory || session.content.mapping != nullptr;
  if (!gathers || request.mode == tftp::Mode::kNetascii) {
    limits.blksize_max =
        static_cast<std::uint16_t>(std::min<std::size_t>(limits.blksize_max, kCopiedMax));
  }
  counters_.transfers_started.Add();
  Execute(index, session.transfer.Start(request, session.content.bytes, limits, now), now);
}

void TftpService::OnTransferPacket(shard::PortId port, const shard::Packet& packet, Instant now) {
  const std::uint32_t index = peers_.Find(packet.source, packet.source_port);
  if (index == PeerTable::kNone || sessions_[index].port != port) {
    counters_.strays.Add();  // Silence: an error here could be answered for ever.
    return;
  }
  Execute(index, sessions_[index].transfer.OnPacket(packet.data, now), now);
}

void TftpService::Execute(std::uint32_t index, const tftp::Step& step, Instant now) {
  Session& session = sessions_[index];
  if (step.kind == tftp::StepKind::kSilent) {
    return;
  }
  session.parked = false;
  if (step.kind == tftp::StepKind::kDone) {
    Finish(index, now);
    return;
  }
  if (step.resend) {
    counters_.resends.Add();
  }
  if (step.kind == tftp::StepKind::kSendWindow && step.first_data && !session.data_sent) {
    session.data_sent = true;
    session.began = now;
    Record(session, schema::BootStepKind::TftpStart, now);
  }
  if (!CarryOut(session, step)) {
    // A newer step takes the place of one that still waits: it covers it.
    session.owed = step;
    if (!session.parked && !session.owes) {
      counters_.postponed.Add();
      Owe(index);
    }
  }
  if (session.transfer.end() != tftp::EndReason::kOpen) {
    Finish(index, now);
    return;
  }
  Arm(index, now);
}

// False: the driver has no room in this turn, or the content is cold (session.parked).
bool TftpService::CarryOut(Session& session, const tftp::Step& step) {
  std::array<std::byte, tftp::kControlPacketBytesMax> packet;
  switch (step.kind) {
    case tftp::StepKind::kSendOack:
      return SendControl(session, std::span(packet).first(session.transfer.EncodeOack(packet)));
    case tftp::StepKind::kSendError:
      return SendControl(session,
                         std::span(packet).first(tftp::EncodeError(step.error, step.text, packet)));
    case tftp::StepKind::kSendWindow:
      return SendWindow(session, step);
    case tftp::StepKind::kSilent:
    case tftp::StepKind::kDone:
      break;
  }
  return true;
}

bool TftpService::SendControl(const Session& session, std::span<const std::byte> packet) {
  const MutableByteSpan buffer = shard_.driver().AllocateTx();
  if (buffer.empty()) {
    return false;
  }
  std::ranges::copy(packet, buffer.begin());
  shard::Outgoing out = ReplyTo(session.peer, session.peer_port, session.local, session.ifindex);
  out.data = buffer.first(packet.size());
  return shard_.driver().Send(session.port, out);
}

bool TftpService::SendWindow(Session& session, const tftp::Step& step) {
  const Content& content = session.content;
  if (content.kind == ContentKind::kFile && read_ahead_ != nullptr &&
      step.offset + step.bytes > session.warm_until) {
    const std::uint64_t bytes =
        std::min(content.bytes - step.offset, std::max(kReadAheadBytes, step.bytes));
    if (!read_ahead_->Want(content, step.offset, bytes)) {
      session.parked = true;
      return false;
    }
    session.warm_until = step.offset + bytes;
  }
  if (session.transfer.netascii()) {
    return SendNetascii(session, step);
  }
  if (content.kind == ContentKind::kMemory) {
    return SendGathered(
        session, step,
        generated_.At(session.buffer).first(static_cast<std::size_t>(content.bytes)));
  }
  if (content.mapping != nullptr || step.bytes == 0) {
    return SendGathered(session, step, {content.mapping, static_cast<std::size_t>(content.bytes)});
  }
  return SendCopied(session, step);
}

// Headers from one transmit buffer, payload straight from the content: header, block, header, ...
bool TftpService::SendGathered(Session& session, const tftp::Step& step, ByteSpan content) {
  const std::size_t blksize = session.transfer.blksize();
  const std::size_t datagram = blksize + tftp::kHeaderBytes;
  const std::size_t blocks_per_send = std::max<std::size_t>(
      1, std::min<std::size_t>(kDatagramBytesMax / datagram, shard::kGatherPartsMax / 2));
  MutableByteSpan headers = shard_.driver().AllocateTx();
  if (headers.empty()) {
    return false;
  }
  std::size_t block = 0;
  while (block < step.count) {
    const std::size_t count = std::min(blocks_per_send, step.count - block);
    std::array<ByteSpan, shard::kGatherPartsMax> parts;
    std::size_t parts_used = 0;
    shard::Outgoing out = ReplyTo(session.peer, session.peer_port, session.local, session.ifindex);
    for (std::size_t i = 0; i < count; ++i, ++block) {
      const std::uint64_t done = block * blksize;
      const MutableByteSpan header = headers.first(tftp::kHeaderBytes);
      headers = headers.subspan(tftp::kHeaderBytes);
      (void)tftp::EncodeDataHeader(static_cast<std::uint16_t>(step.first_block + block), header);
      const auto bytes =
          static_cast<std::size_t>(std::min<std::uint64_t>(blksize, step.bytes - done));
      if (i == 0) {
        out.data = header;
      } else {
        parts[parts_used++] = header;
      }
      if (bytes > 0) {
        parts[parts_used++] = content.subspan(step.offset + done, bytes);
      }
    }
    out.parts = std::span(parts).first(parts_used);
    out.segment_bytes = count > 1 ? static_cast<std::uint16_t>(datagram) : std::uint16_t{0};
    if (!shard_.driver().Send(session.port, out)) {
      return false;
    }
  }
  return true;
}

// Without a mapping: one transmit buffer and one read of the page cache per block.
bool TftpService::SendCopied(Session& session, const tftp::Step& step) {
  const std::size_t blksize = session.transfer.blksize();
  for (std::size_t block = 0; block < step.count; ++block) {
    const MutableByteSpan buffer = shard_.driver().AllocateTx();
    if (buffer.empty()) {
      return false;
    }
    const std::uint64_t done = block * blksize;
    const auto bytes =
        static_cast<std::size_t>(std::min<std::uint64_t>(blksize, step.bytes - done));
    (void)tftp::EncodeDataHeader(static_cast<std::uint16_t>(step.first_block + block), buffer);
    const ssize_t got = ::pread(session.content.fd, buffer.data() + tftp::kHeaderBytes, bytes,
                                static_cast<off_t>(step.offset + done));
    if (got != static_cast<ssize_t>(bytes)) {
      const tftp::Step failed = session.transfer.Abort(tftp::WireError::kNotDefined, "read failed");
      return CarryOut(session, failed);
    }
    shard::Outgoing out = ReplyTo(session.peer, session.peer_port, session.local, session.ifindex);
    out.data = buffer.first(tftp::kHeaderBytes + bytes);
    if (!shard_.driver().Send(session.port, out)) {
      return false;
    }
  }
  return true;
}

bool TftpService::SendNetascii(Session& session, const tftp::Step& step) {
  const MutableByteSpan buffer = shard_.driver().AllocateTx();
  if (buffer.empty()) {
    return false;
  }
  const Content& content = session.content;
  const auto offset = static_cast<std::size_t>(step.offset);
  const auto bytes = static_cast<std::size_t>(step.bytes);
  std::array<std::byte, shard::kTxBufferBytes> read;
  ByteSpan source;
  if (content.kind == ContentKind::kMemory) {
    source = ByteSpan(generated_.At(session.buffer)).subspan(offset, bytes);
  } else if (content.mapping != nullptr || bytes == 0) {
    source = {content.mapping + offset, bytes};
  } else {
    const ssize_t got = ::pread(content.fd, read.data(), bytes, static_cast<off_t>(offset));
    if (got != static_cast<ssize_t>(bytes)) {
      return CarryOut(session, session.transfer.Abort(tftp::WireError::kNotDefined, "read failed"));
    }
    source = ByteSpan(read).first(bytes);
  }
  (void)tftp::EncodeDataHeader(step.first_block, buffer);
  const std::size_t size =
      session.transfer.EncodeNetasciiBlock(source, buffer.subspan(tftp::kHeaderBytes));
  shard::Outgoing out = ReplyTo(session.peer, session.peer_port, session.local, session.ifindex);
  out.data = buffer.first(tftp::kHeaderBytes + size);
  return shard_.driver().Send(session.port, out);
}

// An error outside any transfer leaves from a transfer port too: clients expect a new port there.
void TftpService::SendErrorTo(const shard::Packet& packet, tftp::WireError error,
                              std::string_view text) {
  const MutableByteSpan buffer = shard_.driver().AllocateTx();
  if (buffer.empty()) {
    return;  // The driver has counted it.
  }
  shard::Outgoing out =
      ReplyTo(packet.source, packet.source_port, packet.destination, packet.ifindex);
  out.data = buffer.first(tftp::EncodeError(error, text, buffer));
  (void)shard_.driver().Send(NextPort(packet.source.is_v4()).id, out);
}

// The timer is moved only when it would come too late: one that comes early is set again.
void TftpService::Arm(std::uint32_t index, Instant now) {
  Session& session = sessions_[index];
  const Instant deadline = session.transfer.next_deadline();
  if (session.timer.is_set() && session.timer_at <= deadline) {
    return;
  }
  (void)shard_.timers().Cancel(session.timer);
  const auto timer = shard_.timers().Add(deadline, this, Cookie(index, session.generation));
  if (!timer) {
    counters_.dropped.Add();
    session.timer = {};
    Finish(index, now);
    return;
  }
  session.timer = *timer;
  session.timer_at = deadline;
}

void TftpService::OnTimer(std::uint64_t cookie, Instant now) {
  const auto index = static_cast<std::uint32_t>(cookie);
  Session& session = sessions_[index];
  if (!session.used || Cookie(index, session.generation) != cookie) {
    return;
  }
  session.timer = {};
  const tftp::Step step = session.transfer.OnTimer(now);
  if (step.kind == tftp::StepKind::kSilent) {
    Arm(index, now);
  } else {
    Execute(index, step, now);
  }
}

// A place is in the queue once at most, also when its session ends and another begins in it: so the
// queue cannot overflow.
void TftpService::Owe(std::uint32_t index) {
  Session& session = sessions_[index];
  session.owes = true;
  if (!session.queued) {
    session.queued = true;
    SLIP_CHECK(owing_.Push(index));
  }
  shard_.RequestTurn();
}

void TftpService::OnTurn(Instant now) {
  for (std::size_t left = owing_.size(); left > 0; --left) {
    const std::uint32_t index = owing_.Pop();
    Session& session = sessions_[index];
    session.queued = false;
    if (!session.owes) {
      continue;  // Ended meanwhile.
    }
    session.owes = false;
    if (!CarryOut(session, session.owed) && !session.parked) {
      Owe(index);
      return;
    }
    if (session.transfer.end() != tftp::EndReason::kOpen) {
      Finish(index, now);
    }
  }
}

void TftpService::OnContentReady(Instant now) noexcept {
  for (std::uint32_t i = 0; i < options_.sessions_max; ++i) {
    Session& session = sessions_[i];
    if (session.used && std::exchange(session.parked, false)) {
      Execute(i, session.owed, now);
    }
  }
}

void TftpService::Finish(std::uint32_t index, Instant now) {
  Session& session = sessions_[index];
  SLIP_CHECK(session.used);
  switch (session.transfer.end()) {
    case tftp::EndReason::kComplete:
      counters_.transfers_completed.Add();
      break;
    case tftp::EndReason::kProbe:
      counters_.probes.Add();
      break;
    default:
      counters_.transfers_failed.Add();
      break;
  }
  counters_.bytes_sent.Add(session.transfer.acknowledged_bytes());
  if (session.data_sent) {
    Record(session, schema::BootStepKind::TftpEnd, now);
  }
  (void)shard_.timers().Cancel(session.timer);
  if (session.content.handle != 0) {
    resolver_.Release(session.content.handle);
  }
  if (session.buffer != BufferStack::kNone) {
    generated_.Give(std::exchange(session.buffer, BufferStack::kNone));
  }
  peers_.Erase(index);
  session.used = false;
  session.owes = false;
  session.parked = false;
  session.content = Content();
  session.next_free = free_;
  free_ = index;
  --sessions_open_;
}

void TftpService::Record(const Session& session, schema::BootStepKind kind, Instant now) {
  BootStep step{.kind = kind, .mac = {}, .peer = session.peer, .name = session.name.view()};
  if (kind == schema::BootStepKind::TftpEnd) {
    step.bytes = session.transfer.acknowledged_bytes();
    step.duration = now - session.began;
    step.ok = session.transfer.end() == tftp::EndReason::kComplete;
  }
  sink_.Record(step, now);
}

std::uint32_t TftpService::FreeSession() noexcept {
  const std::uint32_t index = free_;
  if (index != kNone) {
    SLIP_CHECK(!sessions_[index].used);
    free_ = sessions_[index].next_free;
  }
  return index;
}

TftpService::Port TftpService::NextPort(bool v4) noexcept {
  // In turn: a peer that guesses our port has a pool to guess from.
  for (std::size_t tries = 0; tries < transfer_ports_.size(); ++tries) {
    next_port_ = static_cast<std::uint32_t>((next_port_ + 1) % transfer_ports_.size());
    if (transfer_ports_[next_port_].v4 == v4) {
      return transfer_ports_[next_port_];
    }
  }
  return transfer_ports_[0];
}

}  // namespace slipway::service
