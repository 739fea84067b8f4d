// How each C++ member type becomes JSON and back: used by the field tables (fields.cc) only.
#pragma once

#include <boost/json.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "controlplane/model/fields.h"

namespace slipway::model::codec {

namespace json = boost::json;

inline bool Wrong(Problem& problem, std::string what, std::string cure) {
  problem.problem = std::move(what);
  problem.cure = std::move(cure);
  return false;
}

// Each sets `out` or fills `problem` and returns false.
bool SetText(const Field& field, std::string& out, const json::value& value, Problem& problem);
bool SetNumber(const Field& field, std::uint64_t& out, const json::value& value, Problem& problem);
bool SetEnum(const Field& field, std::size_t& out, const json::value& value, Problem& problem);
// Bytes from hexadecimal text; hyphens are allowed in between (UUIDs).
bool SetHex(const Field& field, std::span<std::uint8_t> out, const json::value& value,
            Problem& problem);
[[nodiscard]] std::string ToHex(std::span<const std::uint8_t> bytes);
bool SetRecord(const Field& field, void* record, const json::value& value, Problem& problem);
[[nodiscard]] json::object GetRecord(std::span<const Field> fields, const void* record,
                                     bool with_defaults);

template <typename T>
struct Codec;

template <>
struct Codec<std::string> {
  static void Get(const Field&, const std::string& member, json::value& out) { out = member; }

  static bool Set(const Field& field, std::string& member, const json::value& value, Problem& p) {
    return SetText(field, member, value, p);
  }
};

template <>
struct Codec<bool> {
  static void Get(const Field&, bool member, json::value& out) { out = member; }

  static bool Set(const Field&, bool& member, const json::value& value, Problem& problem) {
    if (!value.is_bool()) {
      return Wrong(problem, "is not true or false", "send true or false");
    }
    member = value.get_bool();
    return true;
  }
};

template <std::unsigned_integral T>
struct Codec<T> {
  static void Get(const Field&, T member, json::value& out) { out = std::uint64_t{member}; }

  static bool Set(const Field& field, T& member, const json::value& value, Problem& problem) {
    std::uint64_t number = 0;
    if (!SetNumber(field, number, value, problem)) {
      return false;
    }
    member = static_cast<T>(number);
    return true;
  }
};

template <typename T>
requires std::is_enum_v<T>

struct Codec<T> {
  static void Get(const Field& field, T member, json::value& out) {
    out = field.values[static_cast<std::size_t>(member)];
  }

  static bool Set(const Field& field, T& member, const json::value& value, Problem& problem) {
    std::size_t number = 0;
    if (!SetEnum(field, number, value, problem)) {
      return false;
    }
    member = static_cast<T>(number);
    return true;
  }
};

template <>
struct Codec<EntityId> {
  static void Get(const Field& field, EntityId member, json::value& out);
  static bool Set(const Field& field, EntityId& member, const json::value& value, Problem& problem);
};

template <>
struct Codec<MacAddress> {
  static void Get(const Field&, const MacAddress& member, json::value& out);
  static bool Set(const Field&, MacAddress& member, const json::value& value, Problem& problem);
};

template <>
struct Codec<IpAddress> {
  static void Get(const Field&, const IpAddress& member, json::value& out);
  static bool Set(const Field&, IpAddress& member, const json::value& value, Problem& problem);
};

template <>
struct Codec<IpPrefix> {
  static void Get(const Field&, const IpPrefix& member, json::value& out);
  static bool Set(const Field&, IpPrefix& member, const json::value& value, Problem& problem);
};

template <>
struct Codec<std::vector<IpAddress>> {
  static void Get(const Field&, const std::vector<IpAddress>& member, json::value& out);
  static bool Set(const Field& field, std::vector<IpAddress>& member, const json::value& value,
                  Problem& problem);
};

// field.minimum bounds the numbers, field.maximum how many there may be.
template <>
struct Codec<std::vector<std::uint16_t>> {
  static void Get(const Field&, const std::vector<std::uint16_t>& member, json::value& out);
  static bool Set(const Field& field, std::vector<std::uint16_t>& member, const json::value& value,
                  Problem& problem);
};

template <>
struct Codec<Uuid> {
  static void Get(const Field&, const Uuid& member, json::value& out);
  static bool Set(const Field& field, Uuid& member, const json::value& value, Problem& problem);
};

template <>
struct Codec<Sha256> {
  static void Get(const Field&, const Sha256& member, json::value& out);
  static bool Set(const Field& field, Sha256& member, const json::value& value, Problem& problem);
};

// A nested record.
template <typename T>
struct Codec<std::optional<T>> {
  static void Get(const Field& field, const std::optional<T>& member, json::value& out) {
    if (member) {
      out = GetRecord(field.record, &*member, true);
    } else {
      out = nullptr;
    }
  }

  static bool Set(const Field& field, std::optional<T>& member, const json::value& value,
                  Problem& problem) {
    return SetRecord(field, &member.emplace(), value, problem);
  }
};

template <typename T>
struct Codec<std::vector<T>> {
  static void Get(const Field& field, const std::vector<T>& member, json::value& out) {
    json::array array;
    array.reserve(member.size());
    for (const T& item : member) {
      array.emplace_back(GetRecord(field.record, &item, true));
    }
    out = std::move(array);
  }

  static bool Set(const Field& field, std::vector<T>& member, const json::value& value,
                  Problem& problem) {
    if (!value.is_array() || value.get_array().size() > field.maximum) {
      return Wrong(problem,
                   "is not a list of at most " + std::to_string(field.maximum) + " objects",
                   "send a shorter JSON array");
    }
    std::vector<T> items;
    for (const json::value& item : value.get_array()) {
      if (!SetRecord(field, &items.emplace_back(), item, problem)) {
        return false;
      }
    }
    member = std::move(items);
    return true;
  }
};

template <auto Member>
struct MemberAccess;

template <typename C, typename T, T C::*Member>
struct MemberAccess<Member> {
  static void Get(const Field& field, const void* object, json::value& out) {
    Codec<T>::Get(field, static_cast<const C*>(object)->*Member, out);
  }

  static bool Set(const Field& field, void* object, const json::value& value, Problem& problem) {
    if (value.is_null()) {
      static_cast<C*>(object)->*Member = C{}.*Member;
      return true;
    }
    return Codec<T>::Set(field, static_cast<C*>(object)->*Member, value, problem);
  }

  static bool IsDefault(const Field&, const void* object) {
    static const C kDefault{};
    return static_cast<const C*>(object)->*Member == kDefault.*Member;
  }

  static constexpr FieldAccess kAccess{.get = &Get, .set = &Set, .is_default = &IsDefault};
};

}  // namespace slipway::model::codec
