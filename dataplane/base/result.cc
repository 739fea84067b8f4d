#include "dataplane/base/result.h"

#include <cerrno>

namespace slipway {

std::string_view ToString(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kNone:
      return "no error";
    case ErrorCode::kTruncated:
      return "truncated";
    case ErrorCode::kMalformed:
      return "malformed";
    case ErrorCode::kTooLarge:
      return "too large";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kBadChecksum:
      return "bad checksum";
    case ErrorCode::kBadVersion:
      return "bad version";
    case ErrorCode::kOutOfRange:
      return "out of range";
    case ErrorCode::kNotFound:
      return "not found";
    case ErrorCode::kExists:
      return "exists already";
    case ErrorCode::kConflict:
      return "conflict";
    case ErrorCode::kFull:
      return "full";
    case ErrorCode::kClosed:
      return "closed";
    case ErrorCode::kBusy:
      return "busy";
    case ErrorCode::kDenied:
      return "denied";
    case ErrorCode::kExpired:
      return "expired";
    case ErrorCode::kCorrupt:
      return "corrupt";
    case ErrorCode::kSystem:
      return "system error";
    case ErrorCode::kNoSpace:
      return "no space left";
    case ErrorCode::kReadOnly:
      return "read-only file system";
    case ErrorCode::kTimeout:
      return "timed out";
    case ErrorCode::kUnavailable:
      return "unavailable";
  }
  return "unknown error";
}

std::unexpected<Error> FailErrno(int error_number) noexcept {
  const auto detail = static_cast<std::uint32_t>(error_number);
  if (error_number == ENOSPC || error_number == EDQUOT) {
    return Fail(ErrorCode::kNoSpace, detail);
  }
  if (error_number == EROFS) {
    return Fail(ErrorCode::kReadOnly, detail);
  }
  return Fail(ErrorCode::kSystem, detail);
}

}  // namespace slipway
