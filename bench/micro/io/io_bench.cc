// What a shard's own machinery costs: timers, mailboxes, pools, and packets between the two
// interfaces.
#include <benchmark/benchmark.h>
#include <sys/socket.h>

#include <memory>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/shard/mailbox.h"
#include "dataplane/shard/message.h"
#include "dataplane/shard/pool.h"
#include "dataplane/shard/timer_wheel.h"

namespace slipway::shard {

namespace {

class Ignore final : public TimerHandler {
 public:
  void OnTimer(std::uint64_t /*cookie*/, Instant /*now*/) override {}
};

// A lease timer that is moved before it fires, as renewals do, among as many others as `range`.
void BM_TimerCancelAndAdd(benchmark::State& state) {
  const auto timers = static_cast<std::uint32_t>(state.range(0));
  const Instant now{1'000'000'000'000};
  TimerWheel wheel(timers, now);
  Ignore ignore;
  SeededRandom random(1);
  std::vector<TimerHandle> handles;
  for (std::uint32_t i = 0; i < timers; ++i) {
    handles.push_back(
        *wheel.Add(now + Duration::Millis(1 + static_cast<std::int64_t>(random.Below(3'600'000))),
                   &ignore, i));
  }
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(wheel.Cancel(handles[next]));
    handles[next] =
        *wheel.Add(now + Duration::Millis(1 + static_cast<std::int64_t>(random.Below(3'600'000))),
                   &ignore, next);
    next = next + 1 == handles.size() ? 0 : next + 1;
  }
}

BENCHMARK(BM_TimerCancelAndAdd)->Arg(1000)->Arg(100'000);

// Each timer fires and is added again: the cost per expiry with its moves between levels.
void BM_TimerExpire(benchmark::State& state) {
  Instant now{1'000'000'000'000};
  TimerWheel wheel(10'000, now);
  Ignore ignore;
  SeededRandom random(1);
  std::size_t fired = 0;
  for (auto _ : state) {
    while (wheel.size() < wheel.capacity()) {
      (void)wheel.Add(now + Duration::Millis(1 + static_cast<std::int64_t>(random.Below(100'000))),
                      &ignore, 0);
    }
    now = now + Duration::Millis(1000);
    fired += wheel.Advance(now, 1'000'000);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(fired));
}

BENCHMARK(BM_TimerExpire);

void BM_MailboxPushDrain(benchmark::State& state) {
  const auto mailbox = std::move(*Mailbox<std::uint64_t>::Create(64));
  std::uint64_t sum = 0;
  for (auto _ : state) {
    for (std::uint64_t i = 0; i < 64; ++i) {
      (void)mailbox->Push(i);
    }
    mailbox->Notify();
    (void)mailbox->Drain(64, [&](std::uint64_t& value) { sum += value; });
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(state.iterations() * 64);
}

BENCHMARK(BM_MailboxPushDrain);

void BM_PoolAcquireRelease(benchmark::State& state) {
  Pool<std::uint64_t> pool(1024);
  for (auto _ : state) {
    const PoolHandle handle = pool.Acquire();
    benchmark::DoNotOptimize(pool.Get(handle));
    (void)pool.Release(handle);
  }
}

BENCHMARK(BM_PoolAcquireRelease);

// Encoding a reply and decoding a request: what a driver adds to the kernel's work.
void BM_EnvelopeEncodeDecode(benchmark::State& state) {
  const std::vector<std::byte> data(300);
  Outgoing out;
  out.data = data;
  out.destination = Ipv4Address{0x0A00'0001};
  out.source = Ipv4Address{0x0A00'0002};
  out.destination_port = 68;
  TxEnvelope envelope{};
  msghdr header{};
  for (auto _ : state) {
    benchmark::DoNotOptimize(EncodeEnvelope(AF_INET, out, envelope, {}, header));
    Packet packet;
    std::uint32_t drops = 0;
    DecodeEnvelope({static_cast<std::byte*>(header.msg_name), header.msg_namelen},
                   {static_cast<std::byte*>(header.msg_control), header.msg_controllen}, packet,
                   drops);
    benchmark::DoNotOptimize(packet);
  }
}

BENCHMARK(BM_EnvelopeEncodeDecode);

}  // namespace
}  // namespace slipway::shard
