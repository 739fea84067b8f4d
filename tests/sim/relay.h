// A DHCP relay (RFC 1542, RFC 3046) and router between the clients' segment and the one with the
// rack. It forwards every broadcast it hears, whoever else does too, and insists on getting its
// option 82 back as it was.
#pragma once

#include <cstddef>
#include <vector>

#include "dataplane/net/frame.h"
#include "tests/sim/judge.h"
#include "tests/sim/segment.h"

namespace slipway::sim {

class RelayAgent {
 public:
  struct Side {
    Segment* segment = nullptr;
    MacAddress mac;
    Ipv4Address address;
  };

  // `far` is where the clients are: its address is the giaddr. It becomes the router of both
  // segments.
  RelayAgent(Judge* judge, const Side& near, const Side& far, std::vector<Ipv4Address> servers);
  ~RelayAgent();
  RelayAgent(const RelayAgent&) = delete;
  RelayAgent& operator=(const RelayAgent&) = delete;

 private:
  class Port final : public Station {
   public:
    Port(RelayAgent* relay, bool is_far) : relay_(relay), is_far_(is_far) {}

    void OnFrame(const Frame& frame) override;

   private:
    RelayAgent* relay_;
    bool is_far_;
  };

  void ToServers(ByteSpan message);
  void ToClient(ByteSpan message);
  static void Route(const net::Udp4View& packet, const Side& out);
  static void Emit(const Side& out, const net::Udp4Endpoint& source,
                   const net::Udp4Endpoint& destination, ByteSpan payload);
  // What this relay adds.
  [[nodiscard]] std::vector<std::byte> Information() const;

  Judge* judge_;
  Side near_;
  Side far_;
  std::vector<Ipv4Address> servers_;
  Port near_port_;
  Port far_port_;
};

}  // namespace slipway::sim
