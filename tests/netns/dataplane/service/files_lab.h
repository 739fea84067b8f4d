// A shard with the file services on loopback, its content in memory, and small clients of its own.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "dataplane/base/posix_disk.h"
#include "dataplane/service/http_service.h"
#include "dataplane/service/tftp_service.h"
#include "dataplane/shard/shard.h"

namespace slipway::service {

// `bytes` of a pattern that has no short period.
[[nodiscard]] std::string Pattern(std::size_t bytes);

// Names to objects in memfds. Filled before the shard starts; looked up without allocation.
class LabContent final : public ContentResolver {
 public:
  ~LabContent() override;
  void Add(std::string name, const std::string& data, bool mapped);
  [[nodiscard]] Content Resolve(const ContentRequest& request, MutableByteSpan scratch,
                                Instant now) override;
  void Release(std::uint64_t handle) override;

  std::atomic<std::int64_t> held{0};  // contents given out and not released
  std::atomic<bool> pending{false};   // answer kPending for everything

 private:
  struct Object {
    int fd = -1;
    const std::byte* mapping = nullptr;
    std::uint64_t bytes = 0;
  };

  std::map<std::string, Object, std::less<>> objects_;
};

class LabSink final : public BootStepSink {
 public:
  void Record(const BootStep& step, Instant now) override;

  std::array<std::atomic<std::uint32_t>, 32> kinds{};
  std::atomic<std::uint32_t> failed{0};
};

// Answers a post in the turn after it came; the token "bad" is denied, "lost" is never durable.
class LabInventories final : public InventorySink, public shard::TurnHook {
 public:
  [[nodiscard]] InventoryVerdict Submit(const InventoryPost& post, Instant now) override;
  void OnTurn(Instant now) override;

  HttpService* service = nullptr;
  shard::Shard* shard = nullptr;
  std::atomic<std::uint64_t> bytes{0};

 private:
  struct Waiting {
    std::uint64_t handle = 0;
    bool durable = true;
  };

  FixedRing<Waiting, 64> waiting_;
};

class FilesLab {
 public:
  // `io` is "epoll" or "ring". Without io_uring in this place available() is false.
  FilesLab(std::string_view io, const TftpOptions& tftp_options, const HttpOptions& http_options);
  ~FilesLab();
  void Start();

  [[nodiscard]] bool available() const noexcept { return shard != nullptr; }

  void Stop();

  PosixClock clock;
  LabContent content;
  LabSink sink;
  LabInventories inventories;
  std::unique_ptr<shard::Shard> shard;
  std::unique_ptr<TftpService> tftp;
  std::unique_ptr<HttpService> http;
  std::uint16_t tftp_port = 0;
  std::uint16_t http_port = 0;

 private:
  std::thread thread_;
};

// One TFTP read, as a careful client does it. Blocking, bounded by a receive time-out.
struct TftpResult {
  std::string data;
  int error = -1;          // the code of an ERROR packet
  bool timed_out = false;  // no answer within the time-out
  std::string oack;
};

struct TftpWish {
  std::string name;
  std::string mode = "octet";
  std::string options;  // as on the wire: "blksize\0" "1428\0"
  std::uint16_t opcode = 1;
  std::size_t blksize = 512;
  std::uint64_t windowsize = 1;
  int timeout_ms = 3000;
  bool lose_first_window = false;
  bool abort_after_oack = false;
};

[[nodiscard]] TftpResult FetchTftp(std::uint16_t port, const TftpWish& wish);

// A TCP connection to loopback from `source` (127.x.y.z; 0: any).
class TcpPeer {
 public:
  TcpPeer(std::uint16_t port, std::uint32_t source = 0, int receive_buffer_bytes = 0);
  ~TcpPeer();
  TcpPeer(const TcpPeer&) = delete;
  TcpPeer& operator=(const TcpPeer&) = delete;

  void Send(std::string_view text) const;

  struct Response {
    std::string head;
    std::string body;
  };

  // Reads a head and, unless it was a HEAD request, its Content-Length bytes. Empty at the end.
  [[nodiscard]] Response Receive(bool head_request = false);
  // True if the peer has closed and nothing is left.
  [[nodiscard]] bool AtEnd();

 private:
  [[nodiscard]] bool Fill();

  int fd_ = -1;
  std::string received_;
};

}  // namespace slipway::service
