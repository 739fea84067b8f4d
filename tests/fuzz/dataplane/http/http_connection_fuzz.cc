// A connection fed with any bytes, in pieces, as a shell would. Input: 1 byte of choices, then what
// the peer sends.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/check.h"
#include "dataplane/http/connection.h"

namespace {

using namespace slipway;  // NOLINT(google-build-using-namespace): a fuzz target

constexpr std::array<http::Route, 3> kRoutes = {{
    {.path = "/boot/ipxe", .id = 1},
    {.path = "/files/", .prefix = true, .id = 2},
    {.path = "/machine/inventory",
     .action = http::RouteAction::kUpload,
     .id = 3,
     .body_bytes_max = 1000},
}};

// The shell's loop in small.
class Shell {
 public:
  Shell(ByteSpan all, std::uint8_t choices) : all_(all), choices_(choices) {
    connection_.Start(kRoutes, now_);
  }

  void Run() {
    http::Step step{.kind = http::StepKind::kNeedInput, .body = {}};
    while (!done_) {
      now_ = now_ + Duration::Millis(choices_);
      step = One(step);
      SLIP_CHECK(step.consumed <= end_ - begin_);
      begin_ += step.consumed;
      SLIP_CHECK(step.head_bytes <= out_.size());
    }
  }

 private:
  http::Step One(const http::Step& step) {
    switch (step.kind) {
      case http::StepKind::kNone:
      case http::StepKind::kNeedInput:
        return More();
      case http::StepKind::kResolve:
        return connection_.OnContent({.outcome = http::ContentOutcome::kFound,
                                      .bytes = std::uint64_t{choices_} * 7,
                                      .validators = {.etag = "cafe", .modified = {}},
                                      .content_type = {}},
                                     wall_, now_, out_);
      case http::StepKind::kNeedBody:
        return Body();
      case http::StepKind::kSubmit:
        return connection_.OnSubmitted(static_cast<http::UploadOutcome>(choices_ % 4), wall_, now_,
                                       out_);
      case http::StepKind::kRespond:
        SLIP_CHECK(step.head_bytes > 0);
        SLIP_CHECK(step.body.offset + step.body.bytes <= std::uint64_t{choices_} * 7);
        return connection_.OnSent(now_);
      case http::StepKind::kLinger:
      case http::StepKind::kClose:
        break;
    }
    done_ = true;
    return {};
  }

  // A piece more, or the end.
  http::Step More() {
    const std::size_t piece = std::min<std::size_t>(choices_ % 32 + 1, all_.size() - end_);
    end_ += piece;
    if (piece == 0) {
      if (++idle_ > 2) {
        done_ = true;
      }
      return connection_.OnInputEnd();
    }
    return connection_.OnInput(all_.subspan(begin_, end_ - begin_), wall_, now_, out_);
  }

  http::Step Body() {
    if (begin_ == end_ && end_ < all_.size()) {
      ++end_;
    }
    const auto bytes = static_cast<std::size_t>(
        std::min<std::uint64_t>(end_ - begin_, connection_.body_bytes_left()));
    begin_ += bytes;
    if (bytes == 0 && connection_.body_bytes_left() > 0) {
      return connection_.OnInputEnd();
    }
    return connection_.OnBody(bytes, now_);
  }

  ByteSpan all_;
  std::uint8_t choices_ = 0;
  http::HttpConnection connection_;
  std::array<std::byte, http::kResponseHeadBytesMax> out_{};
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  int idle_ = 0;
  bool done_ = false;
  Instant now_{1};
  WallTime wall_{1};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0) {
    Shell(std::as_bytes(std::span(data, size)).subspan(1), data[0]).Run();
  }
  return 0;
}
