// The messages of a pair and the core that reads them. The input is a row of steps: what (below),
// length (2 bytes, little-endian), flatbuffer. Session and sequence are made right, so that the
// bytes get as far as a message of a partner with a good key can.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/lease/pair_core.h"
#include "tests/support/boot_lab.h"

namespace slipway::lease {
namespace {

constexpr int kStepsMax = 32;

enum Step : unsigned {
  kToFirst = 0,
  kToSecond = 1,
  kRaw = 2,
  kClient = 3,
  kWait = 4,
  kRestart = 5
};

// A rack whose disk is fast and never full.
struct Rack final : PairPort {
  explicit Rack(unsigned at) : side(at), random(at + 1) {
    table.Rebuild(*snapshot);
    core.Start({.pair = 7, .side = side, .founder = 0},
               {.store = side + 10, .incarnation = random.U64()}, {}, {.instant = {1}});
  }

  void SendToPartner(ByteSpan message) override {
    out.emplace_back(message.begin(), message.end());
  }

  bool Log(const Lease& /*lease*/, std::uint64_t& position) override {
    position = records++;
    return true;
  }

  void RememberPartner(std::uint64_t store) override { partner = store; }

  void OnPairState(PairState /*from*/, PairState /*to*/) override {}

  void OnPairConflict(const Lease& /*kept*/) override {}

  void Run(const Now& now) {
    if (core.next_deadline() <= now.instant) {
      core.OnTimer(now);
    }
    if (partner != 0) {
      core.OnRemembered(partner, now);
    }
    core.OnDurable(records);
    core.Flush(now);
  }

  void Client(std::uint64_t number, const Now& now) {
    const MacAddress mac = MacAddress::FromU64(0x0200'0000'0000 + number % 32);
    const lease::Client client{
        .key = ClientKey::FromMac(mac), .mac = mac, .vlan = test::kVlan, .machine = 9};
    const auto offer =
        table.Offer({.client = client, .subnet = test::kSubnet}, *snapshot, now.instant);
    if (offer) {
      const auto bound =
          table.Bind(client, (*offer)->address, Duration::Seconds(60), now.instant, {});
      if (bound && bound->needs_log) {
        (void)core.OnChanged(*bound->lease, records++);
      }
    }
  }

  unsigned side;
  SeededRandom random;
  config::SnapshotRef snapshot = test::BootLab::Standard();
  LeaseTable table{{.leases_max = 64,
                    .pools_max = 4,
                    .ranges_max = 16,
                    .pool_addresses_max = 512,
                    .hash_seed = 5}};
  PairRules rules{64};
  PairCore core{&table, &rules, this, &random};
  std::deque<std::vector<std::byte>> out;
  std::vector<std::byte> last;  // of `out`, already delivered
  std::uint64_t records = 0;
  std::uint64_t partner = 0;
};

class Two {
 public:
  void RunFor(int steps) {
    for (int i = 0; i < steps; ++i) {
      now_.instant = now_.instant + Duration::Millis(50);
      for (unsigned from = 0; from < 2; ++from) {
        Rack& sender = *racks_[from];
        while (!sender.out.empty()) {
          sender.last = std::move(sender.out.front());
          sender.out.pop_front();
          racks_[1 - from]->core.OnMessage(sender.last, now_);
        }
        sender.Run(now_);
      }
    }
    racks_[0]->table.CheckInvariants();
    racks_[1]->table.CheckInvariants();
  }

  void Do(unsigned what, ByteSpan bytes) {
    switch (what % 6) {
      case kToFirst:
      case kToSecond:
        return racks_[what % 6]->core.OnMessage(Dress(bytes, racks_[1 - what % 6]->last), now_);
      case kRaw:
        return racks_[0]->core.OnMessage(bytes, now_);
      case kClient:
        return racks_[bytes.size() % 2]->Client(bytes.size() / 2, now_);
      case kWait:
        return RunFor(static_cast<int>(bytes.size() % 128));
      default:
        racks_[0]->core.OnLinkDown(now_);
        return;
    }
  }

 private:
  // The message as the partner would send it next, or as it is if it is no message at all.
  static std::vector<std::byte> Dress(ByteSpan body, ByteSpan last) {
    std::vector<std::uint64_t> aligned(body.size() / 8 + 1);
    std::vector<std::uint64_t> before(last.size() / 8 + 1);
    std::ranges::copy(body, std::as_writable_bytes(std::span(aligned)).begin());
    std::ranges::copy(last, std::as_writable_bytes(std::span(before)).begin());
    auto* raw = reinterpret_cast<std::uint8_t*>(aligned.data());
    flatbuffers::Verifier verifier(raw, body.size());
    if (schema::VerifyPairMessageBuffer(verifier) && !last.empty()) {
      const schema::PairMessage* real = schema::GetPairMessage(before.data());
      auto* table = flatbuffers::GetMutableRoot<flatbuffers::Table>(raw);
      table->SetField<std::uint64_t>(schema::PairMessage::VT_SESSION, real->session(), 0);
      table->SetField<std::uint64_t>(schema::PairMessage::VT_SEQUENCE, real->sequence() + 1, 0);
    }
    const ByteSpan dressed = std::as_bytes(std::span(aligned)).first(body.size());
    return {dressed.begin(), dressed.end()};
  }

  Now now_{.instant = {1}};
  std::array<std::unique_ptr<Rack>, 2> racks_{std::make_unique<Rack>(0), std::make_unique<Rack>(1)};
};

void Run(ByteSpan input) {
  Two two;
  two.RunFor(100);
  for (int i = 0; i < kStepsMax && input.size() >= 3; ++i) {
    const unsigned what = std::to_integer<unsigned>(input[0]);
    const std::size_t size =
        std::min<std::size_t>(LoadLittle<std::uint16_t>(input.data() + 1), input.size() - 3);
    two.Do(what, input.subspan(3, size));
    input = input.subspan(3 + size);
    two.RunFor(1);
  }
  two.RunFor(20);
}

}  // namespace
}  // namespace slipway::lease

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  slipway::lease::Run(std::as_bytes(std::span(data, size)));
  return 0;
}
