// Assertions on our own invariants. Never on input, files or kernel return codes.
#pragma once

namespace slipway {

// Prints the location and the text to stderr without allocating, then aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* what) noexcept;

}  // namespace slipway

// Always on, cheap.
#define SLIP_CHECK(condition)                                 \
  do {                                                        \
    if (!(condition)) [[unlikely]] {                          \
      ::slipway::CheckFailed(__FILE__, __LINE__, #condition); \
    }                                                         \
  } while (false)

// On in dev, sanitizer, fuzz and sim builds.
#if defined(SLIPWAY_DCHECK)
#define SLIP_DCHECK(condition) SLIP_CHECK(condition)
#else
#define SLIP_DCHECK(condition)  \
  do {                          \
    (void)sizeof(!(condition)); \
  } while (false)
#endif
