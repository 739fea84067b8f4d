#include "controlplane/model/field_codec.h"

#include <algorithm>

#include "dataplane/base/hex.h"

namespace slipway::model::codec {

namespace {

std::string Quoted(std::string_view text) {
  constexpr std::size_t kShown = 40;
  return "\"" + std::string(text.substr(0, kShown)) + (text.size() > kShown ? "...\"" : "\"");
}

bool IsLdhLabel(std::string_view text) {
  const auto ldh = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !text.empty() && text.size() <= 63 && text.front() != '-' && text.back() != '-' &&
         std::ranges::all_of(text, ldh);
}

bool NotText(Problem& problem) { return Wrong(problem, "is not text", "send a JSON string"); }

}  // namespace

bool SetText(const Field& field, std::string& out, const json::value& value, Problem& problem) {
  if (!value.is_string()) {
    return NotText(problem);
  }
  const std::string_view text(value.get_string().data(), value.get_string().size());
  // An optional name that is empty becomes the id's text (validate.h, Complete).
  const bool may_be_empty = text.empty() && !field.required();
  if (field.type == FieldType::kName && !may_be_empty && !IsLdhLabel(text)) {
    return Wrong(problem, Quoted(text) + " is not a name",
                 "use 1 to 63 lower-case letters, digits and hyphens, no hyphen at either end");
  }
  if (text.size() > field.maximum && field.maximum != 0) {
    return Wrong(problem, "is longer than " + std::to_string(field.maximum) + " bytes",
                 "shorten it");
  }
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (std::ranges::any_of(text, control)) {
    return Wrong(problem, "holds control characters", "remove line breaks and the like");
  }
  out.assign(text);
  return true;
}

bool SetNumber(const Field& field, std::uint64_t& out, const json::value& value, Problem& problem) {
  const std::string cure = "send a whole number from " + std::to_string(field.minimum) + " to " +
                           std::to_string(field.maximum);
  if (value.is_uint64()) {
    out = value.get_uint64();
  } else if (value.is_int64() && value.get_int64() >= 0) {
    out = static_cast<std::uint64_t>(value.get_int64());
  } else {
    return Wrong(problem, "is not a whole number", cure);
  }
  if (out < field.minimum || out > field.maximum) {
    return Wrong(problem, std::to_string(out) + " is out of range", cure);
  }
  return true;
}

bool SetEnum(const Field& field, std::size_t& out, const json::value& value, Problem& problem) {
  if (!value.is_string()) {
    return NotText(problem);
  }
  const std::string_view text(value.get_string().data(), value.get_string().size());
  const auto found = std::ranges::find(field.values, text);
  if (found == field.values.end()) {
    std::string cure = "use one of: ";
    for (const std::string_view allowed : field.values) {
      cure += std::string(allowed) + ", ";
    }
    cure.resize(cure.size() - 2);
    return Wrong(problem, Quoted(text) + " is not known", cure);
  }
  out = static_cast<std::size_t>(found - field.values.begin());
  return true;
}

bool SetHex(const Field&, std::span<std::uint8_t> out, const json::value& value, Problem& problem) {
  if (!value.is_string()) {
    return NotText(problem);
  }
  const std::string_view text(value.get_string().data(), value.get_string().size());
  std::size_t digits = 0;
  for (const char c : text) {
    if (c == '-') {
      continue;
    }
    const int digit = HexValue(c);
    if (digit < 0 || digits >= out.size() * 2) {
      digits = out.size() * 2 + 1;
      break;
    }
    out[digits / 2] = static_cast<std::uint8_t>((out[digits / 2] << 4) | digit);
    ++digits;
  }
  if (digits != out.size() * 2) {
    return Wrong(problem,
                 Quoted(text) + " is not " + std::to_string(out.size() * 2) + " hexadecimal digits",
                 "check the value");
  }
  return true;
}

std::string ToHex(std::span<const std::uint8_t> bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    AppendHex(text, byte);
  }
  return text;
}

bool SetRecord(const Field& field, void* record, const json::value& value, Problem& problem) {
  if (!value.is_object()) {
    return Wrong(problem, "is not an object", "send a JSON object");
  }
  for (const auto& [key, item] : value.get_object()) {
    const std::string_view name(key.data(), key.size());
    const auto found = std::ranges::find(field.record, name, &Field::name);
    if (found == field.record.end()) {
      return Wrong(problem, "holds the unknown field " + Quoted(name), "remove it");
    }
    if (!found->access.set(*found, record, item, problem)) {
      problem.problem = std::string(name) + " " + problem.problem;
      return false;
    }
  }
  for (const Field& sub : field.record) {
    if (sub.required() && sub.access.is_default(sub, record)) {
      return Wrong(problem, "lacks the field \"" + std::string(sub.name) + "\"", "add it");
    }
  }
  return true;
}

json::object GetRecord(std::span<const Field> fields, const void* record, bool with_defaults) {
  json::object object;
  object.reserve(fields.size());
  for (const Field& field : fields) {
    if (with_defaults || !field.access.is_default(field, record)) {
      json::value value;
      field.access.get(field, record, value);
      object.emplace(field.name, std::move(value));
    }
  }
  return object;
}

// ---- member types ----

namespace {

// The text of a string value; problem otherwise.
bool TextOf(const json::value& value, std::string_view& out, Problem& problem) {
  if (!value.is_string()) {
    return NotText(problem);
  }
  out = {value.get_string().data(), value.get_string().size()};
  return true;
}

}  // namespace

void Codec<EntityId>::Get(const Field& field, EntityId member, json::value& out) {
  if (member.is_set()) {
    out = FormatId(field.target, member);
  } else {
    out = nullptr;
  }
}

bool Codec<EntityId>::Set(const Field& field, EntityId& member, const json::value& value,
                          Problem& problem) {
  std::string_view text;
  if (!TextOf(value, text, problem)) {
    return false;
  }
  const auto id = ParseId(field.target, text);
  if (!id) {
    const KindInfo& info = InfoOf(field.target);
    return Wrong(problem, "there is no " + std::string(info.name) + " " + Quoted(text),
                 "give the id or the name of an existing one: GET /v1/" + std::string(info.plural) +
                     " lists them");
  }
  member = *id;
  return true;
}

void Codec<MacAddress>::Get(const Field&, const MacAddress& member, json::value& out) {
  if (member.is_zero()) {
    out = nullptr;
  } else {
    out = ToText(member).view();
  }
}

bool Codec<MacAddress>::Set(const Field&, MacAddress& member, const json::value& value,
                            Problem& problem) {
  std::string_view text;
  if (!TextOf(value, text, problem)) {
    return false;
  }
  const auto mac = MacAddress::Parse(text);
  if (!mac || mac->is_zero() || mac->is_multicast()) {
    return Wrong(problem, Quoted(text) + " is not the MAC address of one interface",
                 "write it as 52:54:00:12:34:56");
  }
  member = *mac;
  return true;
}

void Codec<IpAddress>::Get(const Field&, const IpAddress& member, json::value& out) {
  if (member.is_set()) {
    out = ToText(member).view();
  } else {
    out = nullptr;
  }
}

bool Codec<IpAddress>::Set(const Field&, IpAddress& member, const json::value& value,
                           Problem& problem) {
  std::string_view text;
  if (!TextOf(value, text, problem)) {
    return false;
  }
  const auto address = IpAddress::Parse(text);
  if (!address || !address->is_set()) {
    return Wrong(problem, Quoted(text) + " is not an IP address",
                 "write it as 10.0.0.1 or 2001:db8::1");
  }
  member = *address;
  return true;
}

void Codec<IpPrefix>::Get(const Field&, const IpPrefix& member, json::value& out) {
  if (member.address.is_set() || member.bits != 0) {
    out = ToText(member).view();
  } else {
    out = nullptr;
  }
}

bool Codec<IpPrefix>::Set(const Field&, IpPrefix& member, const json::value& value,
                          Problem& problem) {
  std::string_view text;
  if (!TextOf(value, text, problem)) {
    return false;
  }
  const auto prefix = IpPrefix::Parse(text);
  if (!prefix) {
    return Wrong(problem, Quoted(text) + " is not a network", "write it as 10.0.0.0/24");
  }
  if (*prefix != prefix->Network()) {
    return Wrong(problem, Quoted(text) + " has host bits set",
                 "did you mean " + std::string(ToText(prefix->Network()).view()) + "?");
  }
  member = *prefix;
  return true;
}

void Codec<std::vector<IpAddress>>::Get(const Field&, const std::vector<IpAddress>& member,
                                        json::value& out) {
  json::array array;
  for (const IpAddress& address : member) {
    array.emplace_back(ToText(address).view());
  }
  out = std::move(array);
}

bool Codec<std::vector<IpAddress>>::Set(const Field& field, std::vector<IpAddress>& member,
                                        const json::value& value, Problem& problem) {
  if (!value.is_array() || value.get_array().size() > field.maximum) {
    return Wrong(problem,
                 "is not a list of at most " + std::to_string(field.maximum) + " addresses",
                 "send a JSON array of addresses");
  }
  std::vector<IpAddress> addresses;
  for (const json::value& item : value.get_array()) {
    if (!Codec<IpAddress>::Set(field, addresses.emplace_back(), item, problem)) {
      return false;
    }
  }
  member = std::move(addresses);
  return true;
}

void Codec<std::vector<std::uint16_t>>::Get(const Field&, const std::vector<std::uint16_t>& member,
                                            json::value& out) {
  json::array array;
  for (const std::uint16_t number : member) {
    array.emplace_back(std::uint64_t{number});
  }
  out = std::move(array);
}

bool Codec<std::vector<std::uint16_t>>::Set(const Field& field, std::vector<std::uint16_t>& member,
                                            const json::value& value, Problem& problem) {
  if (!value.is_array() || value.get_array().size() > field.maximum) {
    return Wrong(problem, "is not a list of at most " + std::to_string(field.maximum) + " numbers",
                 "send a JSON array of numbers");
  }
  Field item = field;
  item.minimum = 0;
  item.maximum = field.minimum;
  std::vector<std::uint16_t> numbers;
  for (const json::value& number : value.get_array()) {
    if (!Codec<std::uint16_t>::Set(item, numbers.emplace_back(), number, problem)) {
      return false;
    }
  }
  member = std::move(numbers);
  return true;
}

void Codec<Uuid>::Get(const Field&, const Uuid& member, json::value& out) {
  if (member == Uuid{}) {
    out = nullptr;
    return;
  }
  std::string text = ToHex(member);
  for (const std::size_t dash : {20U, 16U, 12U, 8U}) {
    text.insert(dash, 1, '-');
  }
  out = std::move(text);
}

bool Codec<Uuid>::Set(const Field& field, Uuid& member, const json::value& value,
                      Problem& problem) {
  Uuid uuid{};
  if (!SetHex(field, uuid, value, problem)) {
    return false;
  }
  member = uuid;
  return true;
}

void Codec<Sha256>::Get(const Field&, const Sha256& member, json::value& out) {
  out = ToHex({reinterpret_cast<const std::uint8_t*>(member.data()), member.size()});
}

bool Codec<Sha256>::Set(const Field& field, Sha256& member, const json::value& value,
                        Problem& problem) {
  Sha256 digest{};
  if (!SetHex(field, {reinterpret_cast<std::uint8_t*>(digest.data()), digest.size()}, value,
              problem)) {
    return false;
  }
  member = digest;
  return true;
}

}  // namespace slipway::model::codec
