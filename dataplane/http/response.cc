#include "dataplane/http/response.h"

#include <array>
#include <charconv>

#include "dataplane/http/date.h"

namespace slipway::http {
namespace {

void WriteNumber(WireWriter& writer, std::uint64_t value) noexcept {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  writer.Text({digits.data(), static_cast<std::size_t>(end - digits.data())});
}

void WriteField(WireWriter& writer, std::string_view name, std::string_view value) noexcept {
  writer.Text(name);
  writer.Text(": ");
  writer.Text(value);
  writer.Text("\r\n");
}

void WriteField(WireWriter& writer, std::string_view name, std::uint64_t value) noexcept {
  writer.Text(name);
  writer.Text(": ");
  WriteNumber(writer, value);
  writer.Text("\r\n");
}

void WriteValidators(WireWriter& writer, const ResponseHead& head) noexcept {
  if (!head.validators.etag.empty()) {
    writer.Text("ETag: \"");
    writer.Text(head.validators.etag);
    writer.Text("\"\r\n");
  }
  if (head.validators.modified.ns != 0) {
    WriteField(writer, "Last-Modified", FormatDate(head.validators.modified).view());
  }
}

void WriteContentRange(WireWriter& writer, const ResponseHead& head) noexcept {
  writer.Text("Content-Range: bytes ");
  if (head.status == Status::kRangeNotSatisfiable) {
    writer.U8('*');
  } else {
    WriteNumber(writer, head.range_offset);
    writer.U8('-');
    WriteNumber(writer, head.range_offset + head.content_length - 1);
  }
  writer.U8('/');
  WriteNumber(writer, head.bytes_total);
  writer.Text("\r\n");
}

void WriteRepresentation(WireWriter& writer, const ResponseHead& head) noexcept {
  WriteField(writer, "Content-Type",
             head.content_type.empty() ? "application/octet-stream" : head.content_type);
  WriteField(writer, "Content-Length", head.content_length);
  WriteField(writer, "Accept-Ranges", "bytes");
  WriteValidators(writer, head);
  if (!head.cacheable) {
    WriteField(writer, "Cache-Control", "no-store");
  }
}

void WriteConnection(WireWriter& writer, const ResponseHead& head) noexcept {
  if (!head.keep_alive) {
    WriteField(writer, "Connection", "close");
  } else if (!head.http11) {
    WriteField(writer, "Connection", "keep-alive");
  }
}

}  // namespace

std::string_view StatusLineText(Status status) noexcept {
  switch (status) {
    case Status::kContinue:
      return "100 Continue";
    case Status::kOk:
      return "200 OK";
    case Status::kAccepted:
      return "202 Accepted";
    case Status::kPartialContent:
      return "206 Partial Content";
    case Status::kNotModified:
      return "304 Not Modified";
    case Status::kBadRequest:
      return "400 Bad Request";
    case Status::kUnauthorized:
      return "401 Unauthorized";
    case Status::kNotFound:
      return "404 Not Found";
    case Status::kMethodNotAllowed:
      return "405 Method Not Allowed";
    case Status::kRequestTimeout:
      return "408 Request Timeout";
    case Status::kLengthRequired:
      return "411 Length Required";
    case Status::kPreconditionFailed:
      return "412 Precondition Failed";
    case Status::kContentTooLarge:
      return "413 Content Too Large";
    case Status::kUriTooLong:
      return "414 URI Too Long";
    case Status::kRangeNotSatisfiable:
      return "416 Range Not Satisfiable";
    case Status::kExpectationFailed:
      return "417 Expectation Failed";
    case Status::kFieldsTooLarge:
      return "431 Request Header Fields Too Large";
    case Status::kInternalError:
      return "500 Internal Server Error";
    case Status::kNotImplemented:
      return "501 Not Implemented";
    case Status::kUnavailable:
      return "503 Service Unavailable";
    case Status::kVersionNotSupported:
      return "505 HTTP Version Not Supported";
  }
  return "500 Internal Server Error";
}

std::size_t WriteResponse(const ResponseHead& head, WallTime now, MutableByteSpan out) noexcept {
  WireWriter writer(out);
  const std::string_view text = StatusLineText(head.status);
  writer.Text("HTTP/1.1 ");
  writer.Text(text);
  writer.Text("\r\n");
  if (head.status == Status::kContinue) {
    writer.Text("\r\n");
    return writer.ok() ? writer.size() : 0;
  }
  WriteField(writer, "Date", FormatDate(now).view());
  WriteConnection(writer, head);
  if (head.status == Status::kPartialContent || head.status == Status::kRangeNotSatisfiable) {
    WriteContentRange(writer, head);
  }
  if (!head.allow.empty()) {
    WriteField(writer, "Allow", head.allow);
  }
  if (head.retry_after_seconds != 0) {
    WriteField(writer, "Retry-After", head.retry_after_seconds);
  }
  if (head.status == Status::kUnauthorized) {
    WriteField(writer, "WWW-Authenticate", "Bearer");
  }
  const bool has_representation =
      head.status == Status::kOk || head.status == Status::kPartialContent;
  const bool has_text = !has_representation && head.status != Status::kNotModified;
  if (has_representation) {
    WriteRepresentation(writer, head);
  } else if (has_text) {
    WriteField(writer, "Content-Type", "text/plain");
    WriteField(writer, "Content-Length", text.size() + 1);
  } else {
    WriteValidators(writer, head);
  }
  writer.Text("\r\n");
  if (has_text && !head.omit_body) {
    writer.Text(text);
    writer.U8('\n');
  }
  return writer.ok() ? writer.size() : 0;
}

}  // namespace slipway::http
