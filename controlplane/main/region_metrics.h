// The counters of server and link as metrics.
#pragma once

#include "controlplane/api/http_server.h"
#include "controlplane/api/metrics.h"
#include "controlplane/link/region_end.h"
#include "controlplane/main/link_owners.h"

namespace slipway::region {

class RegionMetrics final : public api::MetricsSource {
 public:
  RegionMetrics(const api::ServerCounters& http, const region_link::RegionEndCounters& link,
                RackBoard& board)
      : http_(http), link_(link), board_(board) {}

  void Collect(api::MetricsWriter& out) override;

 private:
  void CollectHttp(api::MetricsWriter& out) const;
  void CollectLink(api::MetricsWriter& out) const;

  const api::ServerCounters& http_;
  const region_link::RegionEndCounters& link_;
  RackBoard& board_;
};

}  // namespace slipway::region
