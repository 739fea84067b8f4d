#include "controlplane/api/metrics.h"

namespace slipway::api {

void MetricsWriter::Family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_.append("# HELP ").append(name).append(" ").append(help);
  text_.append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
}

void MetricsWriter::Sample(std::uint64_t value) {
  text_.append(name_).append(" ").append(std::to_string(value)).append("\n");
}

void MetricsWriter::Sample(std::string_view label, std::string_view label_value,
                           std::uint64_t value) {
  text_.append(name_).append("{").append(label).append("=\"");
  for (const char c : label_value) {
    if (c == '"' || c == '\\') {
      text_.push_back('\\');
    }
    text_.push_back(c);
  }
  text_.append("\"} ").append(std::to_string(value)).append("\n");
}

void MetricsWriter::Counter(std::string_view name, std::string_view help, std::uint64_t value) {
  Family(name, "counter", help);
  Sample(value);
}

void MetricsWriter::Gauge(std::string_view name, std::string_view help, std::uint64_t value) {
  Family(name, "gauge", help);
  Sample(value);
}

}  // namespace slipway::api
