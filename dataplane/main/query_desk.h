// The rack's side of the link's questions: reads the argument on the link thread, passes a plain
// value to the shard that knows, writes the answer on the control thread. Topics: docs/link.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/base/seams.h"
#include "dataplane/link/rack_end.h"
#include "dataplane/service/dhcp_desk.h"
#include "dataplane/service/pair_box.h"

namespace slipway::rack {

class QueryDesk final : public link::RackLinkObserver {
 public:
  // Both outlive this.
  QueryDesk(service::DhcpDesk* dhcp, Clock* clock) noexcept : dhcp_(dhcp), clock_(clock) {}

  // Before the link starts.
  void SetEnd(link::RackEnd* end) noexcept { end_ = end; }

  // Likewise; told what the region says of the present.
  void SetPairBox(service::PairBox* box) noexcept { pair_box_ = box; }

  // The link's end logs its own ups and downs.
  void OnEnrolled(link::RackId /*rack*/) override {}

  void OnUp(std::size_t /*endpoint*/) override { ++session_; }

  void OnDown(std::string_view /*reason*/) override {}

  void OnCurrent(Instant now) override;
  void OnQuery(std::uint64_t id, std::string_view topic, std::string_view argument) override;

  // Control thread: when answers_fd is readable.
  void PassAnswers();

 private:
  void Refuse(std::uint64_t id, std::uint64_t session, ErrorCode code, std::string_view problem);
  void Post(std::uint64_t id, std::uint64_t session, bool ok, std::string json);

  service::DhcpDesk* dhcp_;
  Clock* clock_;
  link::RackEnd* end_ = nullptr;
  service::PairBox* pair_box_ = nullptr;
  // Link thread. Ids of questions begin anew with each connection: what an older one asked is not
  // answered on this one.
  std::uint64_t session_ = 0;
};

}  // namespace slipway::rack
