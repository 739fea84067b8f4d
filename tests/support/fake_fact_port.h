// A journal for tests of services: keeps what was submitted, durable when the test says so.
#pragma once

#include <string>
#include <vector>

#include "dataplane/service/fact_port.h"

namespace slipway::testing_support {

class FakeFactPort final : public service::FactPort {
 public:
  bool Submit(schema::FactClass fact_class, std::uint64_t key, ByteSpan fact,
              std::uint64_t& position) override {
    if (full_) {
      return false;
    }
    position = facts_.size();
    facts_.push_back({fact_class, key, std::string(AsText(fact))});
    return true;
  }

  bool SubmitBorrowed(schema::FactClass fact_class, std::uint64_t key, ByteSpan fact,
                      std::uint64_t& position) override {
    return Submit(fact_class, key, fact, position);
  }

  bool failing() const noexcept override { return failing_; }

  void SetFull(bool full) { full_ = full; }

  void SetFailing(bool failing) { failing_ = failing; }

  [[nodiscard]] std::uint64_t next_position() const { return facts_.size(); }

  [[nodiscard]] std::vector<std::string> Of(schema::FactClass fact_class) const {
    std::vector<std::string> out;
    for (const Fact& fact : facts_) {
      if (fact.fact_class == fact_class) {
        out.push_back(fact.bytes);
      }
    }
    return out;
  }

 private:
  struct Fact {
    schema::FactClass fact_class{};
    std::uint64_t key = 0;
    std::string bytes;
  };

  std::vector<Fact> facts_;
  bool full_ = false;
  bool failing_ = false;
};

}  // namespace slipway::testing_support
