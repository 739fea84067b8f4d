// Making of join tokens, and a RackDirectory in memory for tests and the simulator.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/base/time.h"
#include "dataplane/link/interfaces.h"
#include "dataplane/link/join_token.h"

namespace slipway::region_link {

inline constexpr Duration kTokenLife = Duration::Seconds(24 * 3600);

struct NewToken {
  std::string text;          // for the operator, shown once
  link::TokenRecord record;  // for RackDirectory::AddToken; holds no secret
};

// A fresh one-time pair for the region's endpoints and key. `id` is not 0 and never used before.
// Errors: those of JoinToken::Encode.
[[nodiscard]] Result<NewToken> MakeToken(link::TokenId id, const link::PublicKey& region_key,
                                         std::vector<std::string> endpoints, WallTime now,
                                         Duration life = kTokenLife);

// Thread-safe. Results come at once, inside the calls.
class MemoryDirectory final : public link::RackDirectory {
 public:
  [[nodiscard]] link::PeerStatus StatusOfKey(const link::PublicKey& key, WallTime now) override;
  [[nodiscard]] link::PeerStatus StatusOfRack(link::RackId rack) override;
  [[nodiscard]] link::PeerStatus StatusOfToken(link::TokenId token, WallTime now) override;
  void EnrolRack(link::TokenId token, std::string_view name, const link::PublicKey& key,
                 WallTime now, link::EnrolDone done) override;
  void AddToken(const link::TokenRecord& token, link::StoreDone done) override;

  // A rack that is known from the start.
  void AddRack(link::RackId rack, std::string_view name, const link::PublicKey& key);
  void Revoke(link::RackId rack);

 private:
  struct Rack {
    std::string name;
    link::PublicKey key;
    bool revoked = false;
  };

  [[nodiscard]] static link::PeerKind KindOf(const link::TokenRecord& token, WallTime now);
  [[nodiscard]] Result<link::RackId> Enrol(link::TokenId token, std::string_view name,
                                           const link::PublicKey& key, WallTime now);

  std::mutex mutex_;
  std::map<link::RackId, Rack> racks_;
  std::map<link::TokenId, link::TokenRecord> tokens_;
};

}  // namespace slipway::region_link
