// What firmware and boot loaders ask over HTTP, and the head of the answer for 1,000 bytes.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "dataplane/http/connection.h"
#include "tests/support/vector_files.h"

namespace slipway::http {
namespace {

constexpr std::array<Route, 1> kRoutes = {{{.path = "/", .prefix = true}}};
constexpr WallTime kWall{784'111'777'000'000'000};

std::string Answer(const std::string& bytes) {
  HttpConnection connection;
  connection.Start(kRoutes, Instant{});
  std::array<std::byte, kResponseHeadBytesMax> out;
  Step step = connection.OnInput(AsBytes(bytes), kWall, Instant{}, out);
  std::string text;
  if (step.kind == StepKind::kResolve) {
    text += "name " + std::string(connection.name()) + "\n";
    text += "host " + std::string(connection.request().host) + "\n\n";
    step = connection.OnContent({.outcome = ContentOutcome::kFound,
                                 .bytes = 1000,
                                 .validators = {.etag = "cafe", .modified = {}},
                                 .content_type = {}},
                                kWall, Instant{}, out);
  }
  text += vectors::Printable(std::string(AsText(ByteSpan(out).first(step.head_bytes))));
  text += "body " + std::to_string(step.body.bytes) + ", left " +
          std::to_string(bytes.size() - step.consumed) + "\n";
  text += connection.OnSent(Instant{}).kind == StepKind::kNeedInput ? "stays open\n" : "closes\n";
  return text;
}

TEST(HttpVectorsTest, RequestsOfRealFirmware) {
  vectors::CheckFolder(SLIPWAY_SOURCE_DIR "/tests/vectors/dataplane/http", 10, Answer);
}

}  // namespace
}  // namespace slipway::http
