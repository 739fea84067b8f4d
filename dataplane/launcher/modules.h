// Which kernel modules a device wants and in what order they are loaded: what modprobe does, over
// the index files of depmod. Pure: text in, names out.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dataplane/base/result.h"

namespace slipway::launcher {

// Shell-like match of a whole string: '*', '?', '[a-f0-9]'. Takes time in proportion to
// pattern x text at worst; no recursion.
[[nodiscard]] bool GlobMatch(std::string_view pattern, std::string_view text) noexcept;

// Holds views into the texts given: they must outlive it. One thread.
class ModuleIndex {
 public:
  // `alias_text` is modules.alias ("alias PATTERN MODULE" a line), `dep_text` is modules.dep
  // ("PATH: PATH PATH" a line). Lines of another form are skipped.
  ModuleIndex(std::string_view alias_text, std::string_view dep_text);

  // Appends the modules whose aliases match, in the order of the file; a name may come twice.
  void Match(std::string_view modalias, std::vector<std::string_view>& names) const;

  // Paths below /lib/modules/VERSION, each after those that it depends on. kNotFound: no such
  // module (it may be built in).
  [[nodiscard]] Result<std::vector<std::string_view>> LoadOrder(std::string_view name) const;

  [[nodiscard]] std::size_t module_count() const noexcept { return dependencies_.size(); }

 private:
  struct Alias {
    std::string_view pattern;
    std::string_view module;
  };

  struct Entry {
    std::string_view path;
    std::string_view needs;  // paths, separated by spaces; the last one is loaded first
  };

  std::vector<Alias> aliases_;
  std::unordered_map<std::string, Entry> dependencies_;  // by module name with '_'
};

// "kernel/drivers/net/virtio-net.ko" -> "virtio_net".
[[nodiscard]] std::string ModuleName(std::string_view path);

}  // namespace slipway::launcher
