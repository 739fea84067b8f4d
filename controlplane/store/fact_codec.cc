#include "controlplane/store/fact_codec.h"

#include <cstring>

#include "dataplane/base/cursor.h"
#include "schemas/facts_generated.h"

namespace slipway::store {

namespace {

constexpr std::uint8_t kRowFormat = 1;
constexpr std::size_t kBytesFieldMax = std::size_t{1} << 20;
constexpr std::uint64_t kMacMask = 0xFFFF'FFFF'FFFF;
constexpr flatbuffers::uoffset_t kVerifierDepthMax = 8;
constexpr flatbuffers::uoffset_t kVerifierTablesMax = 16;

// ---- from the schema ----

IpAddress AddressOf(const schema::FactAddress* address) {
  if (address == nullptr) {
    return {};
  }
  Ipv6Address v6;
  for (std::size_t i = 0; i < v6.octets.size(); ++i) {
    v6.octets[i] = address->bytes()->Get(static_cast<flatbuffers::uoffset_t>(i));
  }
  return v6;
}

std::string TextOf(const flatbuffers::String* text) {
  return text == nullptr ? std::string() : text->str();
}

std::string BytesOf(const flatbuffers::Vector<std::uint8_t>* bytes) {
  return bytes == nullptr
             ? std::string()
             : std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

Result<FactRow> FromLease(const schema::Lease& lease) {
  const schema::LeaseStamp* stamp = lease.stamp();
  if (stamp == nullptr || stamp->state() > schema::LeaseState::MAX) {
    return Fail(ErrorCode::kMalformed);
  }
  LeaseRow row;
  row.address = AddressOf(&stamp->address());
  row.subnet = stamp->subnet();
  row.vlan = stamp->vlan();
  row.machine = stamp->machine();
  row.mac = MacAddress::FromU64(stamp->mac() & kMacMask);
  row.version = stamp->version();
  row.realtime_ns = stamp->realtime_ns();
  row.lease_ns = stamp->lease_ns();
  row.state = static_cast<LeaseState>(stamp->state());
  row.hostname = TextOf(lease.hostname());
  row.client_id = BytesOf(lease.client_id());
  return row;
}

InventoryRow FromInventory(const schema::Inventory& inventory) {
  InventoryRow row;
  row.mac = MacAddress::FromU64(inventory.mac() & kMacMask);
  row.machine = inventory.machine();
  row.vlan = inventory.vlan();
  row.address = AddressOf(inventory.address());
  row.realtime_ns = inventory.realtime_ns();
  row.document = BytesOf(inventory.document());
  return row;
}

std::string_view KindText(std::uint8_t kind) {
  return kind <= static_cast<std::uint8_t>(schema::BootStepKind::MAX)
             ? schema::EnumNameBootStepKind(static_cast<schema::BootStepKind>(kind))
             : "Unknown";
}

BootStepRow FromStep(const schema::BootStep& step) {
  BootStepRow row;
  row.mac = MacAddress::FromU64(step.mac() & kMacMask);
  row.machine = step.machine();
  row.vlan = step.vlan();
  row.address = AddressOf(step.address());
  row.realtime_ns = step.realtime_ns();
  row.kind = KindText(static_cast<std::uint8_t>(step.kind()));
  row.name = TextOf(step.name());
  row.bytes = step.bytes();
  row.duration_ns = step.duration_ns();
  row.ok = step.ok();
  return row;
}

EventRow FromEvent(const schema::Event& event) {
  EventRow row;
  row.realtime_ns = event.realtime_ns();
  row.code = TextOf(event.code());
  row.subject = TextOf(event.subject());
  row.detail = TextOf(event.detail());
  return row;
}

// ---- stored rows ----

class RowWriter {
 public:
  RowWriter() { out_.push_back(static_cast<char>(kRowFormat)); }

  void U64(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) {
      out_.push_back(static_cast<char>((value >> shift) & 0xFF));
    }
  }

  void I64(std::int64_t value) { U64(static_cast<std::uint64_t>(value)); }

  void U8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }

  void Address(const IpAddress& address) {
    out_.append(reinterpret_cast<const char*>(address.v6().octets.data()), 16);
  }

  void Bytes(std::string_view bytes) {
    U64(bytes.size());
    out_ += bytes;
  }

  [[nodiscard]] std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

// Latched error, as the wire cursors.
class RowReader {
 public:
  explicit RowReader(std::string_view bytes) : left_(bytes) { ok_ = U8() == kRowFormat && ok_; }

  std::uint64_t U64() {
    const std::string_view bytes = Take(8);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      value |= std::uint64_t{static_cast<std::uint8_t>(bytes[i])} << (8 * i);
    }
    return value;
  }

  std::int64_t I64() { return static_cast<std::int64_t>(U64()); }

  std::uint8_t U8() {
    const std::string_view bytes = Take(1);
    return bytes.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(bytes[0]);
  }

  IpAddress Address() {
    const std::string_view bytes = Take(16);
    Ipv6Address v6;
    std::memcpy(v6.octets.data(), bytes.data(), bytes.size());
    return v6;
  }

  MacAddress Mac() { return MacAddress::FromU64(U64() & kMacMask); }

  std::string Bytes() {
    const std::uint64_t size = U64();
    return std::string(Take(size > kBytesFieldMax ? left_.size() + 1 : size));
  }

  [[nodiscard]] Result<void> Done() const {
    if (!ok_) {
      return Fail(ErrorCode::kCorrupt);
    }
    return {};
  }

 private:
  std::string_view Take(std::size_t size) {
    if (!ok_ || left_.size() < size) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }

  std::string_view left_;
  bool ok_ = true;
};

}  // namespace

Result<FactRow> DecodeFact(FactClass fact_class, std::string_view payload) {
  // The payload may lie at any address: flatbuffers wants its scalars aligned.
  std::vector<std::uint64_t> copy;
  const char* aligned = payload.data();
  if (reinterpret_cast<std::uintptr_t>(payload.data()) % alignof(std::uint64_t) != 0) {
    copy.resize(payload.size() / sizeof(std::uint64_t) + 1);
    std::memcpy(copy.data(), payload.data(), payload.size());
    aligned = reinterpret_cast<const char*>(copy.data());
  }
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(aligned);
  flatbuffers::Verifier verifier(bytes, payload.size(), kVerifierDepthMax, kVerifierTablesMax);
  if (!schema::VerifyFactBuffer(verifier)) {
    return Fail(ErrorCode::kMalformed);
  }
  const schema::Fact* fact = schema::GetFact(bytes);
  switch (fact_class) {
    case FactClass::kLease:
      if (const auto* lease = fact->body_as_Lease()) {
        return FromLease(*lease);
      }
      break;
    case FactClass::kInventory:
      if (const auto* inventory = fact->body_as_Inventory()) {
        return FromInventory(*inventory);
      }
      break;
    case FactClass::kBootStep:
      if (const auto* step = fact->body_as_BootStep()) {
        return FromStep(*step);
      }
      break;
    case FactClass::kEvent:
      if (const auto* event = fact->body_as_Event()) {
        return FromEvent(*event);
      }
      break;
  }
  return Fail(ErrorCode::kMalformed);
}

std::string EncodeRow(const LeaseRow& row) {
  RowWriter writer;
  writer.Address(row.address);
  writer.U64(row.subnet);
  writer.U64(row.vlan);
  writer.U64(row.machine);
  writer.U64(row.rack);
  writer.U64(row.mac.ToU64());
  writer.U64(row.version);
  writer.I64(row.realtime_ns);
  writer.I64(row.lease_ns);
  writer.U8(static_cast<std::uint8_t>(row.state));
  writer.Bytes(row.hostname);
  writer.Bytes(row.client_id);
  return writer.Take();
}

Result<void> DecodeRow(std::string_view bytes, LeaseRow& row) {
  RowReader reader(bytes);
  row.address = reader.Address();
  row.subnet = reader.U64();
  row.vlan = reader.U64();
  row.machine = reader.U64();
  row.rack = reader.U64();
  row.mac = reader.Mac();
  row.version = reader.U64();
  row.realtime_ns = reader.I64();
  row.lease_ns = reader.I64();
  const std::uint8_t state = reader.U8();
  row.state = static_cast<LeaseState>(state & 3);
  row.hostname = reader.Bytes();
  row.client_id = reader.Bytes();
  return reader.Done();
}

std::string EncodeRow(const InventoryRow& row) {
  RowWriter writer;
  writer.U64(row.rack);
  writer.U64(row.mac.ToU64());
  writer.U64(row.machine);
  writer.U64(row.vlan);
  writer.Address(row.address);
  writer.I64(row.realtime_ns);
  writer.U64(row.position);
  writer.Bytes(row.document);
  return writer.Take();
}

Result<void> DecodeRow(std::string_view bytes, InventoryRow& row) {
  RowReader reader(bytes);
  row.rack = reader.U64();
  row.mac = reader.Mac();
  row.machine = reader.U64();
  row.vlan = reader.U64();
  row.address = reader.Address();
  row.realtime_ns = reader.I64();
  row.position = reader.U64();
  row.document = reader.Bytes();
  return reader.Done();
}

std::string EncodeRow(const BootStepRow& row) {
  RowWriter writer;
  writer.U64(row.position);
  writer.U64(row.rack);
  writer.U64(row.mac.ToU64());
  writer.U64(row.machine);
  writer.U64(row.vlan);
  writer.Address(row.address);
  writer.I64(row.realtime_ns);
  writer.Bytes(row.kind);
  writer.Bytes(row.name);
  writer.U64(row.bytes);
  writer.I64(row.duration_ns);
  writer.U8(row.ok ? 1 : 0);
  return writer.Take();
}

Result<void> DecodeRow(std::string_view bytes, BootStepRow& row) {
  RowReader reader(bytes);
  row.position = reader.U64();
  row.rack = reader.U64();
  row.mac = reader.Mac();
  row.machine = reader.U64();
  row.vlan = reader.U64();
  row.address = reader.Address();
  row.realtime_ns = reader.I64();
  // Kinds are kept by name, so that stored rows survive a renumbering; the row points to the
  // schema's own static text.
  const std::string kind = reader.Bytes();
  row.kind = "Unknown";
  for (const schema::BootStepKind known : schema::EnumValuesBootStepKind()) {
    if (kind == schema::EnumNameBootStepKind(known)) {
      row.kind = schema::EnumNameBootStepKind(known);
    }
  }
  row.name = reader.Bytes();
  row.bytes = reader.U64();
  row.duration_ns = reader.I64();
  row.ok = reader.U8() != 0;
  return reader.Done();
}

std::string EncodeRow(const EventRow& row) {
  RowWriter writer;
  writer.U64(row.position);
  writer.U64(row.rack);
  writer.I64(row.realtime_ns);
  writer.Bytes(row.code);
  writer.Bytes(row.subject);
  writer.Bytes(row.detail);
  return writer.Take();
}

Result<void> DecodeRow(std::string_view bytes, EventRow& row) {
  RowReader reader(bytes);
  row.position = reader.U64();
  row.rack = reader.U64();
  row.realtime_ns = reader.I64();
  row.code = reader.Bytes();
  row.subject = reader.Bytes();
  row.detail = reader.Bytes();
  return reader.Done();
}

}  // namespace slipway::store
