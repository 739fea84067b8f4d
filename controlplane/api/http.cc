#include "controlplane/api/http.h"

#include <algorithm>
#include <array>

#include "dataplane/base/check.h"

namespace slipway::api {
namespace {

struct MethodName {
  Method method;
  std::string_view name;
};

constexpr std::array kMethods = {
    MethodName{Method::kGet, "GET"},        MethodName{Method::kHead, "HEAD"},
    MethodName{Method::kPost, "POST"},      MethodName{Method::kPut, "PUT"},
    MethodName{Method::kPatch, "PATCH"},    MethodName{Method::kDelete, "DELETE"},
    MethodName{Method::kOptions, "OPTIONS"}};

struct Phrase {
  int status;
  std::string_view text;
};

// RFC 9110 15, RFC 6585: the codes that we send.
constexpr std::array kPhrases = {Phrase{200, "OK"},
                                 Phrase{201, "Created"},
                                 Phrase{202, "Accepted"},
                                 Phrase{204, "No Content"},
                                 Phrase{304, "Not Modified"},
                                 Phrase{400, "Bad Request"},
                                 Phrase{401, "Unauthorized"},
                                 Phrase{403, "Forbidden"},
                                 Phrase{404, "Not Found"},
                                 Phrase{405, "Method Not Allowed"},
                                 Phrase{406, "Not Acceptable"},
                                 Phrase{408, "Request Timeout"},
                                 Phrase{409, "Conflict"},
                                 Phrase{410, "Gone"},
                                 Phrase{411, "Length Required"},
                                 Phrase{412, "Precondition Failed"},
                                 Phrase{413, "Content Too Large"},
                                 Phrase{414, "URI Too Long"},
                                 Phrase{415, "Unsupported Media Type"},
                                 Phrase{417, "Expectation Failed"},
                                 Phrase{422, "Unprocessable Content"},
                                 Phrase{428, "Precondition Required"},
                                 Phrase{429, "Too Many Requests"},
                                 Phrase{431, "Request Header Fields Too Large"},
                                 Phrase{500, "Internal Server Error"},
                                 Phrase{501, "Not Implemented"},
                                 Phrase{503, "Service Unavailable"},
                                 Phrase{504, "Gateway Timeout"},
                                 Phrase{505, "HTTP Version Not Supported"},
                                 Phrase{507, "Insufficient Storage"}};

[[nodiscard]] std::string_view Find(const std::vector<Header>& headers,
                                    std::string_view name) noexcept {
  const auto same = [](char a, char b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(a) == lower(b);
  };
  for (const Header& header : headers) {
    if (std::equal(header.name.begin(), header.name.end(), name.begin(), name.end(), same)) {
      return header.value;
    }
  }
  return {};
}

}  // namespace

std::string_view ToString(Method method) noexcept {
  for (const MethodName& known : kMethods) {
    if (known.method == method) {
      return known.name;
    }
  }
  return "?";
}

Result<Method> ParseMethod(std::string_view text) noexcept {
  for (const MethodName& known : kMethods) {
    if (known.name == text) {
      return known.method;
    }
  }
  return Fail(ErrorCode::kUnsupported);
}

std::string_view Request::header(std::string_view name) const noexcept {
  return Find(headers, name);
}

std::string_view Response::header(std::string_view name) const noexcept {
  return Find(headers, name);
}

std::string_view ReasonPhrase(int status) noexcept {
  for (const Phrase& phrase : kPhrases) {
    if (phrase.status == status) {
      return phrase.text;
    }
  }
  return "Unknown";
}

Responder::~Responder() {
  if (exchange_ != nullptr) {
    exchange_->Respond({.status = 500,
                        .content_type = "application/problem+json",
                        .body = R"({"type":"about:blank","title":"Internal Server Error",)"
                                R"("status":500,"detail":"the request was not answered"})",
                        .headers = {}});
  }
}

void Responder::Send(Response response) {
  SLIP_CHECK(exchange_ != nullptr);
  std::exchange(exchange_, nullptr)->Respond(std::move(response));
}

std::shared_ptr<Stream> Responder::OpenStream(Response head) {
  SLIP_CHECK(exchange_ != nullptr);
  return std::exchange(exchange_, nullptr)->OpenStream(std::move(head));
}

}  // namespace slipway::api
