#include "dataplane/service/lease_log.h"

namespace slipway::service {

bool LeaseLog::Log(const IpAddress& address, ByteSpan record, std::uint64_t& position) {
  const bool logged =
      facts_->Submit(schema::FactClass::Lease, lease::JournalKey(address), record, position);
  if (!IsPaired()) [[likely]] {
    return logged;
  }
  const lease::Lease* const lease = leases_->ByAddress(address);
  if (lease == nullptr) {
    return logged;
  }
  if (!logged) {
    pair_->OnUnlogged(*lease);
    return false;
  }
  return pair_->OnChanged(*lease, position);
}

}  // namespace slipway::service
