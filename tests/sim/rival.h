// Another DHCP server on the segment, as somebody's forgotten appliance: it offers addresses of its
// own and refuses those it does not know.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "dataplane/net/frame.h"
#include "tests/sim/segment.h"

namespace slipway::sim {

class RivalServer final : public Station {
 public:
  RivalServer(World* world, Segment* segment, Ipv4Address address)
      : world_(world), segment_(segment), address_(address) {}

  ~RivalServer() override { SetOn(false); }

  RivalServer(const RivalServer&) = delete;
  RivalServer& operator=(const RivalServer&) = delete;

  void SetOn(bool on);

  void OnFrame(const Frame& frame) override;

  [[nodiscard]] std::uint64_t answers() const { return answers_; }

 private:
  static constexpr MacAddress kMac{{0x52, 0x54, 0, 9, 0, 1}};
  static constexpr std::uint32_t kLeaseSeconds = 20;
  static constexpr std::uint32_t kFirst = 0x0A4D'FA00;  // 10.77.250.0

  void Answer(ByteSpan request, std::uint8_t type, Ipv4Address address);
  // One address for each client, for ever.
  [[nodiscard]] Ipv4Address AddressOf(ByteSpan request);

  World* world_;
  Segment* segment_;
  Ipv4Address address_;
  bool on_ = false;
  std::map<std::vector<std::byte>, Ipv4Address> given_;
  std::uint64_t answers_ = 0;
};

}  // namespace slipway::sim
