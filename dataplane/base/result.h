// Errors as values. Error is trivially copyable and carries no text: a code, and the offset or
// errno that goes with it.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>
#include <type_traits>

namespace slipway {

enum class ErrorCode : std::uint16_t {
  kNone = 0,
  // Input.
  kTruncated,    // fewer bytes than the format needs; detail = offset
  kMalformed,    // bytes that the format forbids; detail = offset
  kTooLarge,     // more than a named limit allows; detail = the size seen
  kUnsupported,  // well formed, but nothing that we do; detail = the value
  kBadChecksum,  // detail = offset
  kBadVersion,   // detail = the version seen
  kOutOfRange,   // a value outside its documented bounds
  // State.
  kNotFound,
  kExists,    // the key, name or address is taken already
  kConflict,  // a compare failed, or the state changed meanwhile
  kFull,      // a fixed capacity is used up
  kClosed,    // the object was shut down
  kBusy,      // somebody else holds it (a lock, a port)
  kDenied,    // authentication or authorisation
  kExpired,
  kCorrupt,  // stored data that breaks its own rules
  // Environment.
  kSystem,    // a system call failed; detail = errno
  kNoSpace,   // ENOSPC or EDQUOT; detail = errno
  kReadOnly,  // EROFS; detail = errno
  kTimeout,
  kUnavailable,  // a feature of the kernel or a peer is not there
};

// The enumerator's name in words, for messages: "not found".
[[nodiscard]] std::string_view ToString(ErrorCode code) noexcept;

struct [[nodiscard]] Error {
  ErrorCode code = ErrorCode::kNone;
  std::uint32_t detail = 0;  // offset, size, value or errno: see the code

  friend constexpr bool operator==(const Error&, const Error&) = default;
};

static_assert(std::is_trivially_copyable_v<Error>);

template <typename T = void>
using Result = std::expected<T, Error>;

[[nodiscard]] constexpr std::unexpected<Error> Fail(ErrorCode code, std::uint32_t detail = 0) {
  return std::unexpected<Error>(Error{.code = code, .detail = detail});
}

// Turns errno into kNoSpace, kReadOnly or kSystem.
[[nodiscard]] std::unexpected<Error> FailErrno(int error_number) noexcept;

}  // namespace slipway

// Yields the value of a Result, or returns its error from the enclosing function.
#define SLIP_TRY(...)                                  \
  __extension__({                                      \
    auto slip_try_result = (__VA_ARGS__);              \
    if (!slip_try_result) [[unlikely]] {               \
      return std::unexpected(slip_try_result.error()); \
    }                                                  \
    *std::move(slip_try_result);                       \
  })
