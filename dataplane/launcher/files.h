// Small files of /proc and /sys, read whole. Cold code: allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::launcher {

inline constexpr std::size_t kFileBytesMax = std::size_t{4} << 20;  // modules.alias is the largest

// The bytes of a file, at most kFileBytesMax; "" if it cannot be read (a device without a serial
// has no such file, so that is no error).
[[nodiscard]] std::string ReadFile(const std::string& path);

// The same without white space and NULs at both ends.
[[nodiscard]] std::string ReadText(const std::string& path);

// The file as a decimal number; 0 if it is none ("speed" reads as -1 on a link that is down).
[[nodiscard]] std::uint64_t ReadNumber(const std::string& path);

// Names in a folder, sorted, without "." and ".."; empty if there is no such folder.
[[nodiscard]] std::vector<std::string> ListFolder(const std::string& path);

// The path with all links resolved; "" if it does not exist.
[[nodiscard]] std::string Resolve(const std::string& path);

// The last part of what a link points to ("driver" -> "e1000e"); "" if it is no link.
[[nodiscard]] std::string LinkName(const std::string& path);

[[nodiscard]] bool Exists(const std::string& path);

[[nodiscard]] std::string_view Trim(std::string_view text);

}  // namespace slipway::launcher
