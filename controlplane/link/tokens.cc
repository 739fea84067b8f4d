#include "controlplane/link/tokens.h"

#include <algorithm>
#include <utility>

namespace slipway::region_link {

using link::PeerKind;
using link::PeerStatus;

Result<NewToken> MakeToken(link::TokenId id, const link::PublicKey& region_key,
                           std::vector<std::string> endpoints, WallTime now, Duration life) {
  const link::KeyPair pair = link::KeyPair::Generate();
  link::JoinToken token;
  token.id = id;
  token.expires = WallTime{now.ns + life.ns};
  token.region_key = region_key;
  token.one_time_secret = pair.secret_key;
  token.endpoints = std::move(endpoints);
  NewToken made;
  made.text = SLIP_TRY(token.Encode());
  made.record = {.id = id, .key = pair.public_key, .expires = token.expires};
  return made;
}

PeerStatus MemoryDirectory::StatusOfKey(const link::PublicKey& key, WallTime now) {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, rack] : racks_) {
    if (rack.key == key) {
      return {.kind = rack.revoked ? PeerKind::kRevoked : PeerKind::kRack, .id = id};
    }
  }
  for (const auto& [id, token] : tokens_) {
    if (token.key == key) {
      return {.kind = KindOf(token, now), .id = id};
    }
  }
  return {};
}

PeerKind MemoryDirectory::KindOf(const link::TokenRecord& token, WallTime now) {
  if (token.used) {
    return PeerKind::kTokenUsed;
  }
  return now >= token.expires ? PeerKind::kTokenExpired : PeerKind::kToken;
}

PeerStatus MemoryDirectory::StatusOfRack(link::RackId rack) {
  const std::lock_guard lock(mutex_);
  const auto found = racks_.find(rack);
  if (found == racks_.end()) {
    return {};
  }
  return {.kind = found->second.revoked ? PeerKind::kRevoked : PeerKind::kRack, .id = rack};
}

PeerStatus MemoryDirectory::StatusOfToken(link::TokenId token, WallTime now) {
  const std::lock_guard lock(mutex_);
  const auto found = tokens_.find(token);
  if (found == tokens_.end()) {
    return {};
  }
  return {.kind = KindOf(found->second, now), .id = token};
}

Result<link::RackId> MemoryDirectory::Enrol(link::TokenId token, std::string_view name,
                                            const link::PublicKey& key, WallTime now) {
  const std::lock_guard lock(mutex_);
  const auto found = tokens_.find(token);
  if (found == tokens_.end()) {
    return Fail(ErrorCode::kNotFound);
  }
  link::TokenRecord& record = found->second;
  if (record.used) {
    const auto rack = racks_.find(record.rack);
    const bool same = rack != racks_.end() && rack->second.key == key;
    return same ? Result<link::RackId>(record.rack) : Fail(ErrorCode::kConflict);
  }
  if (now >= record.expires) {
    return Fail(ErrorCode::kExpired);
  }
  const bool taken = std::any_of(racks_.begin(), racks_.end(), [&](const auto& entry) {
    return entry.second.name == name || entry.second.key == key;
  });
  if (taken) {
    return Fail(ErrorCode::kExists);
  }
  const link::RackId rack = racks_.empty() ? 1 : racks_.rbegin()->first + 1;
  racks_[rack] = {.name = std::string(name), .key = key};
  record.used = true;
  record.rack = rack;
  return rack;
}

void MemoryDirectory::EnrolRack(link::TokenId token, std::string_view name,
                                const link::PublicKey& key, WallTime now, link::EnrolDone done) {
  done(Enrol(token, name, key, now));
}

void MemoryDirectory::AddToken(const link::TokenRecord& token, link::StoreDone done) {
  bool added = false;
  {
    const std::lock_guard lock(mutex_);
    added = tokens_.emplace(token.id, token).second;
  }
  done(added ? Result<void>() : Fail(ErrorCode::kExists));
}

void MemoryDirectory::AddRack(link::RackId rack, std::string_view name,
                              const link::PublicKey& key) {
  const std::lock_guard lock(mutex_);
  racks_[rack] = {.name = std::string(name), .key = key};
}

void MemoryDirectory::Revoke(link::RackId rack) {
  const std::lock_guard lock(mutex_);
  if (const auto found = racks_.find(rack); found != racks_.end()) {
    found->second.revoked = true;
  }
}

}  // namespace slipway::region_link
