// A DHCP client as firmware and operating systems have it (RFC 2131 4.4): takes an address, renews
// it, starts anew at any time, and insists.
#pragma once

#include <functional>
#include <string>

#include "dataplane/boot/firmware.h"
#include "dataplane/dhcp/client.h"
#include "tests/sim/judge.h"
#include "tests/sim/segment.h"

namespace slipway::sim {

// What a client says it is, by its MAC.
enum class ClientKind : std::uint8_t { kPlain, kPxe, kIpxe };
[[nodiscard]] ClientKind KindOf(MacAddress mac) noexcept;
// Its option values, as the boot decision reads them.
[[nodiscard]] boot::Firmware FirmwareOf(MacAddress mac) noexcept;

class SimClient final : public Station {
 public:
  SimClient(World* world, Segment* segment, Judge* judge, MacAddress mac);
  ~SimClient() override;

  // Power on, or reset: whatever it did is forgotten. `keeps_address`: INIT-REBOOT with the last
  // address, if there is one.
  void Boot(bool keeps_address = false);
  // Gives the address back and goes off.
  void Release();
  void PowerOff();

  void OnFrame(const Frame& frame) override;

  // Called with each address that it gets after a boot.
  void SetOnBound(std::function<void(SimClient&)> on_bound) { on_bound_ = std::move(on_bound); }

  [[nodiscard]] MacAddress mac() const { return mac_; }

  [[nodiscard]] bool bound() const { return state_ >= State::kBound; }

  [[nodiscard]] bool off() const { return state_ == State::kOff; }

  [[nodiscard]] Ipv4Address address() const { return address_; }

  // Who gave it.
  [[nodiscard]] Ipv4Address server() const { return server_; }

  [[nodiscard]] const Segment* segment() const { return segment_; }

 private:
  enum class State : std::uint8_t {
    kOff,
    kSelecting,
    kRequesting,
    kRebooting,
    kBound,
    kRenewing,
    kRebinding,
  };

  void Discover();
  void SendRequest();
  void OnTimer();
  void OnOffer(const dhcp::ClientLease& offer);
  void OnAck(const dhcp::ClientLease& ack);
  void OnNak(Ipv4Address server);
  void Enter(State state);
  void Arm(Duration delay);
  void Send(dhcp::ClientRequest request, bool unicast);
  void Log(std::string_view what) const;
  [[nodiscard]] Duration Jittered(Duration delay);

  World* world_;
  Segment* segment_;
  Judge* judge_;
  MacAddress mac_;
  std::function<void(SimClient&)> on_bound_;
  State state_ = State::kOff;
  std::uint64_t timer_ = 0;  // the one that counts
  std::uint32_t xid_ = 0;
  int tries_ = 0;
  bool told_ = false;
  Instant sent_;  // the first message of this exchange
  Ipv4Address address_;
  Ipv4Address offered_;
  Ipv4Address server_;
  Instant renews_;
  Instant rebinds_;
  Instant ends_;
};

}  // namespace slipway::sim
