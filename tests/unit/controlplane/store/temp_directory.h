// A directory of a test's own, removed when it goes.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "dataplane/base/check.h"

namespace slipway::store {

class TempDirectory {
 public:
  TempDirectory() {
    const char* root = std::getenv("TMPDIR");
    path_ = std::string(root != nullptr ? root : "/tmp") + "/slipway-test-XXXXXX";
    SLIP_CHECK(mkdtemp(path_.data()) != nullptr);
  }

  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace slipway::store
