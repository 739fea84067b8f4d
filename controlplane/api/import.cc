#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/api/api.h"
#include "controlplane/api/body.h"
#include "controlplane/api/mutate.h"
#include "controlplane/api/problem.h"
#include "controlplane/api/routes.h"
#include "controlplane/images/object_store.h"

namespace slipway::api {
namespace {

namespace json = boost::json;
using model::BootImage;

struct ImportItem {
  std::string path;
  std::string name;  // within the image
  model::FileRole role = model::FileRole::kOther;
};

struct ImportPlan {
  json::object image;  // the fields of the image, but its files
  std::string name;
  std::vector<ImportItem> items;
};

[[nodiscard]] Response Invalid(std::string field, std::string problem, std::string cure) {
  return ToResponse(
      {.status = 422,
       .type = "invalid",
       .detail = "the import cannot be done as asked",
       .cure = "see 'errors'; nothing was changed",
       .fields = {
           {.field = std::move(field), .problem = std::move(problem), .cure = std::move(cure)}}});
}

[[nodiscard]] std::string_view TextOf(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string()
             ? std::string_view(value->get_string().data(), value->get_string().size())
             : std::string_view{};
}

// Names that distributions and boot loaders use: a guess that "role" overrides.
[[nodiscard]] model::FileRole GuessRole(std::string_view name, std::string_view kind) {
  using model::FileRole;
  if (name.starts_with("vmlinuz") || name.starts_with("bzImage") || name == "linux") {
    return FileRole::kKernel;
  }
  if (name.starts_with("initrd") || name.starts_with("initramfs")) {
    return FileRole::kInitrd;
  }
  const bool loader = kind == "loader" || name.ends_with(".efi") || name.ends_with(".kpxe");
  return loader ? FileRole::kLoader : FileRole::kOther;
}

[[nodiscard]] std::optional<model::FileRole> ParseRole(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, model::FileRole>, 4> kRoles = {
      {{"other", model::FileRole::kOther},
       {"kernel", model::FileRole::kKernel},
       {"initrd", model::FileRole::kInitrd},
       {"loader", model::FileRole::kLoader}}};
  for (const auto& [name, role] : kRoles) {
    if (name == text) {
      return role;
    }
  }
  return std::nullopt;
}

[[nodiscard]] std::expected<std::vector<ImportItem>, Response> ListDirectory(
    const std::string& directory, std::string_view kind) {
  std::vector<ImportItem> items;
  std::error_code error;
  if (!directory.starts_with('/')) {
    return std::unexpected(Invalid("directory", "must be an absolute path", "begin it with '/'"));
  }
  auto it = std::filesystem::directory_iterator(directory, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!it->is_regular_file(error) || name.starts_with('.')) {
      continue;
    }
    if (items.size() == config::kFilesPerImageMax) {
      return std::unexpected(Invalid("directory",
                                     fmt::format("{} holds more than 16 files", directory),
                                     "give a list of files instead"));
    }
    items.push_back({.path = it->path().string(), .name = name, .role = GuessRole(name, kind)});
  }
  if (error) {
    return std::unexpected(Invalid("directory",
                                   fmt::format("cannot list {}: {}", directory, error.message()),
                                   "it must be a directory of the region's host"));
  }
  std::sort(items.begin(), items.end(),
            [](const ImportItem& a, const ImportItem& b) { return a.name < b.name; });
  return items;
}

[[nodiscard]] std::expected<std::vector<ImportItem>, Response> ListFiles(const json::value& files,
                                                                         std::string_view kind) {
  static constexpr std::array<std::string_view, 3> kMembers = {"path", "name", "role"};
  std::vector<ImportItem> items;
  const json::array* array = files.if_array();
  if (array == nullptr || array->size() > config::kFilesPerImageMax) {
    return std::unexpected(Invalid("files", "must be an array of at most 16 files",
                                   "give objects with path, name and role"));
  }
  for (const json::value& value : *array) {
    const json::object* object = value.if_object();
    if (object == nullptr || TextOf(*object, "path").empty()) {
      return std::unexpected(Invalid("files", "an item has no path", "give an absolute path"));
    }
    if (auto unknown = UnknownMembers(*object, kMembers); !unknown.empty()) {
      return std::unexpected(UnknownFieldResponse(std::move(unknown)));
    }
    ImportItem item;
    item.path = TextOf(*object, "path");
    item.name = TextOf(*object, "name");
    if (item.name.empty()) {
      item.name = std::filesystem::path(item.path).filename().string();
    }
    item.role = GuessRole(item.name, kind);
    if (const std::string_view text = TextOf(*object, "role"); !text.empty()) {
      const auto role = ParseRole(text);
      if (!role) {
        return std::unexpected(
            Invalid("files.role", "is not a role", "other, kernel, initrd or loader"));
      }
      item.role = *role;
    }
    items.push_back(std::move(item));
  }
  return items;
}

[[nodiscard]] std::expected<ImportPlan, Response> ParseImport(json::object body) {
  static constexpr std::array<std::string_view, 7> kMembers = {
      "name", "kind", "description", "architecture", "command_line", "directory", "files"};
  if (auto unknown = UnknownMembers(body, kMembers); !unknown.empty()) {
    return std::unexpected(UnknownFieldResponse(std::move(unknown)));
  }
  ImportPlan plan;
  plan.name = TextOf(body, "name");
  const std::string kind(TextOf(body, "kind"));
  const std::string directory(TextOf(body, "directory"));
  const json::value* files = body.if_contains("files");
  if (plan.name.empty()) {
    return std::unexpected(Invalid("name", "is missing", "files are served as <name>/<file>"));
  }
  if (directory.empty() == (files == nullptr)) {
    return std::unexpected(
        Invalid("directory", "either directory or files is needed", "give one of them"));
  }
  auto items = files == nullptr ? ListDirectory(directory, kind) : ListFiles(*files, kind);
  if (!items) {
    return std::unexpected(std::move(items.error()));
  }
  if (items->empty()) {
    return std::unexpected(Invalid("directory", "there are no files in it", "put some there"));
  }
  plan.items = *std::move(items);
  (void)body.erase("directory");
  (void)body.erase("files");
  plan.image = std::move(body);
  return plan;
}

[[nodiscard]] json::array FilesJson(const std::vector<ImportItem>& items,
                                    const std::vector<images::StoredObject>& objects) {
  constexpr std::array<std::string_view, 4> kRoles = {"other", "kernel", "initrd", "loader"};
  json::array files;
  for (std::size_t i = 0; i < items.size(); ++i) {
    json::object file;
    file["name"] = items[i].name;
    file["role"] = kRoles[static_cast<std::size_t>(items[i].role)];
    file["sha256"] = images::HexOf(objects[i].sha256);
    file["bytes"] = objects[i].bytes;
    files.push_back(std::move(file));
  }
  return files;
}

// Creates the image, or gives the one of that name its new files.
[[nodiscard]] model::LiveModel::Planner PlanImport(std::string name, json::object body) {
  return [image_name = std::move(name),
          fields = std::move(body)](model::Plan& plan) -> model::Outcome {
    const model::Row* row = plan.index().FindByName(model::Kind::kImage, image_name);
    model::Operation operation{
        .verb = row == nullptr ? model::Operation::Verb::kCreate : model::Operation::Verb::kPatch,
        .kind = model::Kind::kImage,
        .id = row == nullptr ? model::EntityId{} : row->id,
        .body = &fields,
        .if_modified = 0};
    const auto done = plan.Run(operation);
    if (!done) {
      return std::unexpected(done.error());
    }
    return {};
  };
}

// On the background thread. The objects stay if the image is refused: they are complete, and the
// next import finds them.
void RunImport(Api& api, Call call, ImportPlan plan) {
  std::vector<images::StoredObject> objects;
  for (const ImportItem& item : plan.items) {
    auto object = images::ImportFile(api.parts().images_dir, item.path);
    if (!object) {
      const ErrorCode code = object.error().error.code;
      const bool ours = code == ErrorCode::kNoSpace || code == ErrorCode::kReadOnly;
      call.responder.Send(ours ? StoreProblem(object.error().error)
                               : Invalid("files", object.error().reason,
                                         "give files of the region's host that anybody may read"));
      return;
    }
    objects.push_back(*object);
  }
  plan.image["files"] = FilesJson(plan.items, objects);
  RunMutation(api, std::move(call), PlanImport(plan.name, std::move(plan.image)),
              MutationForm::kCreate);
}

}  // namespace

void HandleImport(Api& api, Call call) {
  auto body = ParseObject(call.request.body);
  if (!body) {
    call.responder.Send(std::move(body.error()));
    return;
  }
  if (api.parts().background == nullptr) {
    call.responder.Send(StoreProblem({.code = ErrorCode::kUnavailable, .detail = 0}));
    return;
  }
  // Listing a directory blocks as well: all of it happens on the background thread.
  auto work = std::make_shared<std::pair<Call, json::object>>(std::move(call), *std::move(body));
  const bool taken = api.parts().background->Submit([&api, work] {
    auto plan = ParseImport(std::move(work->second));
    if (!plan) {
      work->first.responder.Send(std::move(plan.error()));
      return;
    }
    RunImport(api, std::move(work->first), *std::move(plan));
  });
  if (!taken) {
    work->first.responder.Send(StoreProblem({.code = ErrorCode::kFull, .detail = 0}));
  }
}

}  // namespace slipway::api
