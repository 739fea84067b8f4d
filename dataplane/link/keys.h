// CURVE keys as values, and the file in which an end keeps its own pair.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"

namespace slipway::link {

inline constexpr std::size_t kKeyBytes = 32;
inline constexpr std::size_t kKeyTextBytes = 40;  // Z85, as ZeroMQ writes keys

struct PublicKey {
  std::array<std::byte, kKeyBytes> bytes{};

  // From ZeroMQ's 40 characters. kMalformed otherwise.
  [[nodiscard]] static Result<PublicKey> FromText(std::string_view text);
  // REQUIRES: nothing; kMalformed unless there are 32 bytes.
  [[nodiscard]] static Result<PublicKey> FromBytes(ByteSpan bytes);
  [[nodiscard]] std::string Text() const;

  [[nodiscard]] bool is_zero() const noexcept { return *this == PublicKey{}; }

  friend auto operator<=>(const PublicKey&, const PublicKey&) = default;
};

// Never printed, never compared in logs; wiped when it goes.
class SecretKey {
 public:
  SecretKey() = default;
  explicit SecretKey(std::span<const std::byte, kKeyBytes> bytes) noexcept;
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey();

  [[nodiscard]] std::span<const std::byte, kKeyBytes> Reveal() const noexcept { return bytes_; }

  // The public half.
  [[nodiscard]] PublicKey Public() const;

 private:
  std::array<std::byte, kKeyBytes> bytes_{};
};

struct KeyPair {
  PublicKey public_key;
  SecretKey secret_key;

  // From the system's random source (libsodium).
  [[nodiscard]] static KeyPair Generate();
};

// Reads the pair from `path`, or makes one and writes it with mode 0600 (temporary file, fsync,
// rename, fsync of the directory). A file that others may read is refused: kDenied. kCorrupt: not
// ours. Otherwise errors of the system.
[[nodiscard]] Result<KeyPair> LoadOrCreateKeyPair(const std::string& path);

// The same writing, for small secret files: replaces `path` durably, mode 0600.
[[nodiscard]] Result<void> WriteSecretFile(const std::string& path, std::string_view text);
// Reads a small file of at most 64 KiB. kNotFound, kDenied (others may read it), kTooLarge.
[[nodiscard]] Result<std::string> ReadSecretFile(const std::string& path);

}  // namespace slipway::link
