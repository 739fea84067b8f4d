// The command line's HTTP client: one region, one request at a time (libcurl).
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::cli {

// docs/cli.md lists them; scripts rely on them.
enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kNotFound = 3,
  kConflict = 4,
  kAuthentication = 5,
  kTimeout = 6,
  kUnreachable = 7,
};

// What to print on standard error, and how to leave.
struct Failure {
  ExitCode code = ExitCode::kFailed;
  std::string message;
};

struct Reply {
  long status = 0;
  std::string body;
};

struct ClientOptions {
  std::string api = "http://127.0.0.1:5240";
  std::string token;  // a secret: it goes into one header and nowhere else
  long timeout_seconds = 30;
};

class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Any answer of the region is a Reply, an error too; a Failure is kUnreachable or kTimeout.
  [[nodiscard]] std::expected<Reply, Failure> Send(std::string_view method, std::string_view path,
                                                   std::string_view body = {});
  // As Send, but only a 2xx is a Reply; others become what FailureOf makes of them.
  [[nodiscard]] std::expected<std::string, Failure> Get(std::string_view path);
  [[nodiscard]] std::expected<std::string, Failure> Mutate(std::string_view method,
                                                           std::string_view path,
                                                           std::string_view body);

  // Follows server-sent events until `line` returns false or the connection ends (no Failure then).
  // `last_id` is sent if it is not empty.
  [[nodiscard]] std::expected<void, Failure> Follow(
      std::string_view path, std::string_view last_id,
      const std::function<bool(std::string_view line)>& line);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The exit code and text of an answer that is not 2xx: problem details, with the fields and cures.
[[nodiscard]] Failure FailureOf(const Reply& reply);

// For one path segment or query value.
[[nodiscard]] std::string PercentEncode(std::string_view text);

}  // namespace slipway::cli
