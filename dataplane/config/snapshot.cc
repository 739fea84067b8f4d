#include "dataplane/config/snapshot.h"

#include <atomic>
#include <cstring>
#include <utility>

#include "dataplane/base/random.h"
#include "dataplane/config/cow_table.h"
#include "dataplane/config/decode.h"
#include "dataplane/config/limits.h"
#include "dataplane/config/option_table.h"
#include "dataplane/config/small_table.h"

namespace slipway::config {
namespace {

[[nodiscard]] std::uint64_t HashBytes16(const void* bytes) noexcept {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::memcpy(&low, bytes, sizeof(low));
  std::memcpy(&high, static_cast<const std::byte*>(bytes) + sizeof(low), sizeof(high));
  return Mix64(low ^ Mix64(high));
}

// A record with the hash of its body, by id.
template <typename Record>
struct Stored {
  Record record;
  ContentHash hash;

  [[nodiscard]] RecordId key() const noexcept { return record.id; }

  [[nodiscard]] static std::uint64_t Hash(RecordId id) noexcept { return Mix64(id); }
};

struct MacEntry {
  std::uint64_t mac = 0;
  RecordId interface = 0;

  [[nodiscard]] std::uint64_t key() const noexcept { return mac; }

  [[nodiscard]] static std::uint64_t Hash(std::uint64_t mac) noexcept { return Mix64(mac); }
};

struct AddressEntry {
  IpAddress address;
  RecordId interface = 0;

  [[nodiscard]] IpAddress key() const noexcept { return address; }

  [[nodiscard]] static std::uint64_t Hash(const IpAddress& address) noexcept {
    return HashBytes16(address.v6().octets.data());
  }
};

struct UuidEntry {
  Uuid uuid{};
  RecordId machine = 0;

  [[nodiscard]] Uuid key() const noexcept { return uuid; }

  [[nodiscard]] static std::uint64_t Hash(const Uuid& uuid) noexcept {
    return HashBytes16(uuid.data());
  }
};

// A record of a table that this version does not know: it counts in the content hash.
struct UnknownKey {
  std::uint64_t table = 0;
  RecordId id = 0;

  friend bool operator==(const UnknownKey&, const UnknownKey&) = default;
};

struct UnknownEntry {
  UnknownKey where;
  ContentHash hash;

  [[nodiscard]] UnknownKey key() const noexcept { return where; }

  [[nodiscard]] static std::uint64_t Hash(const UnknownKey& key) noexcept {
    return Mix64(key.id ^ Mix64(key.table));
  }
};

// A machine takes about 400 bytes: larger pages waste less.
inline constexpr std::size_t kMachinePageBytes = 16384;

using InterfaceTable = CowTable<Stored<InterfaceRecord>>;
using MachineTable = CowTable<Stored<MachineRecord>, kMachinePageBytes>;

template <typename Record>
using SmallRef = std::shared_ptr<const SmallTable<Record>>;

template <typename Record>
[[nodiscard]] SmallRef<Record> EmptySmall() {
  return std::make_shared<const SmallTable<Record>>();
}

struct BigTables {
  std::uint64_t edit = 0;  // of the builder that made them
  InterfaceTable interfaces;
  CowTable<MacEntry> macs;
  CowTable<AddressEntry> addresses;
  MachineTable machines;
  CowTable<UuidEntry> uuids;
  CowTable<UnknownEntry> unknown;
};

struct SmallTables {
  SmallRef<VlanRecord> vlans = EmptySmall<VlanRecord>();
  SmallRef<SubnetRecord> subnets = EmptySmall<SubnetRecord>();
  SmallRef<RangeRecord> ranges = EmptySmall<RangeRecord>();
  SmallRef<ServedInterfaceRecord> served = EmptySmall<ServedInterfaceRecord>();
  SmallRef<ImageRecord> images = EmptySmall<ImageRecord>();
  SmallRef<DhcpClassRecord> classes = EmptySmall<DhcpClassRecord>();
  SmallRef<RackPairRecord> pairs = EmptySmall<RackPairRecord>();
  std::shared_ptr<const OptionTable> options = std::make_shared<const OptionTable>();
  // Indices into images: by name, and of launchers only.
  std::vector<std::uint32_t> images_by_name;
  std::vector<std::uint32_t> launchers;
};

void IndexImages(SmallTables& small) {
  const std::vector<ImageRecord>& images = small.images->records;
  small.images_by_name.clear();
  small.launchers.clear();
  for (std::uint32_t i = 0; i < images.size(); ++i) {
    small.images_by_name.push_back(i);
    if (images[i].kind == ImageKind::kLauncher) {
      small.launchers.push_back(i);
    }
  }
  std::stable_sort(
      small.images_by_name.begin(), small.images_by_name.end(),
      [&images](std::uint32_t a, std::uint32_t b) { return images[a].name < images[b].name; });
}

}  // namespace

struct Snapshot::Data {
  std::atomic<std::uint32_t> refs{1};
  Generation generation;
  ContentHash hash;
  BigTables big;
  SmallTables small;
};

Snapshot::~Snapshot() = default;

Generation Snapshot::generation() const noexcept { return data_->generation; }

ContentHash Snapshot::hash() const noexcept { return data_->hash; }

std::uint64_t Snapshot::record_count() const noexcept {
  const BigTables& big = data_->big;
  const SmallTables& small = data_->small;
  return big.interfaces.size() + big.machines.size() + big.unknown.size() +
         small.vlans->records.size() + small.subnets->records.size() +
         small.ranges->records.size() + small.served->records.size() +
         small.images->records.size() + small.classes->records.size() +
         small.pairs->records.size() + small.options->size();
}

std::uint64_t Snapshot::memory_bytes() const noexcept {
  const BigTables& big = data_->big;
  const SmallTables& small = data_->small;
  return big.interfaces.memory_bytes() + big.macs.memory_bytes() + big.addresses.memory_bytes() +
         big.machines.memory_bytes() + big.uuids.memory_bytes() + big.unknown.memory_bytes() +
         small.vlans->memory_bytes() + small.subnets->memory_bytes() +
         small.ranges->memory_bytes() + small.served->memory_bytes() +
         small.images->memory_bytes() + small.classes->memory_bytes() +
         small.pairs->memory_bytes() + small.options->memory_bytes();
}

std::uint64_t Snapshot::PagesNotIn(const Snapshot& other) const {
  const BigTables& mine = data_->big;
  const BigTables& theirs = other.data_->big;
  return mine.interfaces.PagesNotIn(theirs.interfaces) + mine.macs.PagesNotIn(theirs.macs) +
         mine.addresses.PagesNotIn(theirs.addresses) + mine.machines.PagesNotIn(theirs.machines) +
         mine.uuids.PagesNotIn(theirs.uuids) + mine.unknown.PagesNotIn(theirs.unknown) +
         data_->small.options->PagesNotIn(*other.data_->small.options);
}

const InterfaceRecord* Snapshot::InterfaceById(RecordId id) const noexcept {
  const auto* const stored = data_->big.interfaces.Find(id);
  return stored == nullptr ? nullptr : &stored->record;
}

const InterfaceRecord* Snapshot::InterfaceByMac(MacAddress mac) const noexcept {
  const MacEntry* const entry = data_->big.macs.Find(mac.ToU64());
  return entry == nullptr ? nullptr : InterfaceById(entry->interface);
}

const InterfaceRecord* Snapshot::InterfaceByAddress(IpAddress address) const noexcept {
  const AddressEntry* const entry = data_->big.addresses.Find(address);
  return entry == nullptr ? nullptr : InterfaceById(entry->interface);
}

const MachineRecord* Snapshot::MachineById(RecordId id) const noexcept {
  const auto* const stored = data_->big.machines.Find(id);
  return stored == nullptr ? nullptr : &stored->record;
}

const MachineRecord* Snapshot::MachineByUuid(const Uuid& uuid) const noexcept {
  const UuidEntry* const entry = data_->big.uuids.Find(uuid);
  return entry == nullptr ? nullptr : MachineById(entry->machine);
}

const VlanRecord* Snapshot::VlanById(RecordId id) const noexcept {
  return data_->small.vlans->Find(id);
}

const SubnetRecord* Snapshot::SubnetById(RecordId id) const noexcept {
  return data_->small.subnets->Find(id);
}

const ImageRecord* Snapshot::ImageById(RecordId id) const noexcept {
  return data_->small.images->Find(id);
}

const ImageRecord* Snapshot::LauncherFor(std::string_view architecture) const noexcept {
  const std::vector<ImageRecord>& images = data_->small.images->records;
  for (const std::uint32_t index : data_->small.launchers) {
    if (images[index].architecture == architecture) {
      return &images[index];
    }
  }
  return nullptr;
}

FileRef Snapshot::FileByName(std::string_view name) const noexcept {
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) {
    return {};
  }
  const std::string_view image_name = name.substr(0, slash);
  const std::string_view file_name = name.substr(slash + 1);
  const std::vector<ImageRecord>& images = data_->small.images->records;
  const std::vector<std::uint32_t>& order = data_->small.images_by_name;
  const auto at = std::lower_bound(order.begin(), order.end(), image_name,
                                   [&images](std::uint32_t index, std::string_view wanted) {
                                     return images[index].name.view() < wanted;
                                   });
  if (at == order.end() || images[*at].name != image_name) {
    return {};
  }
  for (const ImageFile& file : images[*at].files) {
    if (file.name == file_name) {
      return {.image = &images[*at], .file = &file};
    }
  }
  return {};
}

const ServedInterfaceRecord* Snapshot::ServedInterface(std::string_view name) const noexcept {
  for (const ServedInterfaceRecord& served : data_->small.served->records) {
    if (served.name == name) {
      return &served;
    }
  }
  return nullptr;
}

std::span<const VlanRecord> Snapshot::vlans() const noexcept { return data_->small.vlans->records; }

std::span<const SubnetRecord> Snapshot::subnets() const noexcept {
  return data_->small.subnets->records;
}

std::span<const SubnetRecord> Snapshot::SubnetsOf(RecordId vlan) const noexcept {
  return data_->small.subnets->ChildrenOf(vlan);
}

std::span<const RangeRecord> Snapshot::RangesOf(RecordId subnet) const noexcept {
  return data_->small.ranges->ChildrenOf(subnet);
}

std::span<const ServedInterfaceRecord> Snapshot::served_interfaces() const noexcept {
  return data_->small.served->records;
}

std::span<const ImageRecord> Snapshot::images() const noexcept {
  return data_->small.images->records;
}

std::span<const DhcpClassRecord> Snapshot::dhcp_classes() const noexcept {
  return data_->small.classes->records;
}

const RackPairRecord* Snapshot::rack_pair() const noexcept {
  const std::vector<RackPairRecord>& pairs = data_->small.pairs->records;
  return pairs.empty() ? nullptr : &pairs.front();
}

const OptionTable& Snapshot::dhcp_options() const noexcept { return *data_->small.options; }

SnapshotRef::SnapshotRef(const Snapshot* snapshot) noexcept : snapshot_(snapshot) {}

SnapshotRef::SnapshotRef(const SnapshotRef& other) noexcept : snapshot_(other.snapshot_) {
  if (snapshot_ != nullptr) {
    snapshot_->data_->refs.fetch_add(1, std::memory_order_relaxed);
  }
}

SnapshotRef::SnapshotRef(SnapshotRef&& other) noexcept
    : snapshot_(std::exchange(other.snapshot_, nullptr)) {}

SnapshotRef& SnapshotRef::operator=(SnapshotRef other) noexcept {
  std::swap(snapshot_, other.snapshot_);
  return *this;
}

SnapshotRef::~SnapshotRef() {
  if (snapshot_ != nullptr && snapshot_->data_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    delete snapshot_;
  }
}

struct SnapshotBuilder::State {
  explicit State(const SmallTables& base)
      : small(base),
        vlans(base.vlans),
        subnets(base.subnets),
        ranges(base.ranges),
        served(base.served),
        images(base.images),
        classes(base.classes),
        pairs(base.pairs),
        options(base.options) {}

  ContentHash hash;
  BigTables big;
  SmallTables small;  // of the base
  SmallTableWork<VlanRecord> vlans;
  SmallTableWork<SubnetRecord> subnets;
  SmallTableWork<RangeRecord> ranges;
  SmallTableWork<ServedInterfaceRecord> served;
  SmallTableWork<ImageRecord> images;
  SmallTableWork<DhcpClassRecord> classes;
  SmallTableWork<RackPairRecord> pairs;
  OptionTableWork options;

  [[nodiscard]] Result<void> PutMachine(const MachineRecord& machine, ContentHash body_hash);
  [[nodiscard]] Result<void> PutInterface(const InterfaceRecord& interface, ContentHash body_hash);
  [[nodiscard]] Result<void> PutUnknown(UnknownKey key, ContentHash body_hash);
  [[nodiscard]] Result<void> PutOption(RecordId id, ByteSpan body, ContentHash body_hash);
  [[nodiscard]] Result<void> RemoveMachine(RecordId id);
  [[nodiscard]] Result<void> RemoveInterface(RecordId id);
  [[nodiscard]] Result<void> RemoveUnknown(UnknownKey key);
  [[nodiscard]] Result<void> RemoveOption(RecordId id);
  void Unindex(const MachineRecord& machine);
  void Unindex(const InterfaceRecord& interface);
};

// The indices drop an entry only while it still names the record: another may have taken the key.
void SnapshotBuilder::State::Unindex(const MachineRecord& machine) {
  const UuidEntry* const entry = big.uuids.Find(machine.uuid);
  if (entry != nullptr && entry->machine == machine.id) {
    big.uuids.Remove(machine.uuid, big.edit);
  }
}

void SnapshotBuilder::State::Unindex(const InterfaceRecord& interface) {
  const MacEntry* const mac = big.macs.Find(interface.mac.ToU64());
  if (mac != nullptr && mac->interface == interface.id) {
    big.macs.Remove(interface.mac.ToU64(), big.edit);
  }
  for (const IpAddress& each : {interface.address, interface.address6}) {
    const AddressEntry* const address = big.addresses.Find(each);
    if (address != nullptr && address->interface == interface.id) {
      big.addresses.Remove(each, big.edit);
    }
  }
}

Result<void> SnapshotBuilder::State::PutMachine(const MachineRecord& machine,
                                                ContentHash body_hash) {
  const auto* const old = big.machines.Find(machine.id);
  if (old == nullptr && big.machines.size() >= limits::kHostsMax) {
    return Fail(ErrorCode::kFull, limits::kHostsMax);
  }
  if (old != nullptr) {
    // A copy: any change may move the page that `old` points into.
    const Stored<MachineRecord> before = *old;
    SLIP_TRY(big.machines.Put({.record = machine, .hash = body_hash}, big.edit));
    hash.Subtract(before.hash);
    if (before.record.uuid != machine.uuid) {
      Unindex(before.record);
    }
  } else {
    SLIP_TRY(big.machines.Put({.record = machine, .hash = body_hash}, big.edit));
  }
  hash.Add(body_hash);
  if (machine.uuid != Uuid{}) {
    SLIP_TRY(big.uuids.Put({.uuid = machine.uuid, .machine = machine.id}, big.edit));
  }
  return {};
}

Result<void> SnapshotBuilder::State::PutInterface(const InterfaceRecord& interface,
                                                  ContentHash body_hash) {
  const auto* const old = big.interfaces.Find(interface.id);
  if (old == nullptr && big.interfaces.size() >= kInterfacesMax) {
    return Fail(ErrorCode::kFull, kInterfacesMax);
  }
  if (old != nullptr) {
    const Stored<InterfaceRecord> before = *old;
    SLIP_TRY(big.interfaces.Put({.record = interface, .hash = body_hash}, big.edit));
    hash.Subtract(before.hash);
    if (before.record.mac != interface.mac || before.record.address != interface.address ||
        before.record.address6 != interface.address6) {
      Unindex(before.record);
    }
  } else {
    SLIP_TRY(big.interfaces.Put({.record = interface, .hash = body_hash}, big.edit));
  }
  hash.Add(body_hash);
  SLIP_TRY(big.macs.Put({.mac = interface.mac.ToU64(), .interface = interface.id}, big.edit));
  for (const IpAddress& each : {interface.address, interface.address6}) {
    if (each.is_set()) {
      SLIP_TRY(big.addresses.Put({.address = each, .interface = interface.id}, big.edit));
    }
  }
  return {};
}

Result<void> SnapshotBuilder::State::PutUnknown(UnknownKey key, ContentHash body_hash) {
  const UnknownEntry* const old = big.unknown.Find(key);
  if (old == nullptr && big.unknown.size() >= kUnknownRecordsMax) {
    return Fail(ErrorCode::kFull, kUnknownRecordsMax);
  }
  if (old != nullptr) {
    hash.Subtract(old->hash);
  }
  SLIP_TRY(big.unknown.Put({.where = key, .hash = body_hash}, big.edit));
  hash.Add(body_hash);
  return {};
}

Result<void> SnapshotBuilder::State::RemoveMachine(RecordId id) {
  const auto* const old = big.machines.Find(id);
  if (old == nullptr) {
    return Fail(ErrorCode::kNotFound);
  }
  hash.Subtract(old->hash);
  const MachineRecord before = old->record;
  Unindex(before);
  SLIP_CHECK(big.machines.Remove(id, big.edit));
  return {};
}

Result<void> SnapshotBuilder::State::RemoveInterface(RecordId id) {
  const auto* const old = big.interfaces.Find(id);
  if (old == nullptr) {
    return Fail(ErrorCode::kNotFound);
  }
  hash.Subtract(old->hash);
  const InterfaceRecord before = old->record;
  Unindex(before);
  SLIP_CHECK(big.interfaces.Remove(id, big.edit));
  return {};
}

Result<void> SnapshotBuilder::State::RemoveUnknown(UnknownKey key) {
  const UnknownEntry* const old = big.unknown.Find(key);
  if (old == nullptr) {
    return Fail(ErrorCode::kNotFound);
  }
  hash.Subtract(old->hash);
  SLIP_CHECK(big.unknown.Remove(key, big.edit));
  return {};
}

namespace {

// Where an option goes that a newer region has set in a way this version does not know.
[[nodiscard]] UnknownKey UnknownOption(RecordId id) noexcept {
  return {.table = static_cast<std::uint64_t>(Table::kDhcpOption), .id = id};
}

}  // namespace

Result<void> SnapshotBuilder::State::PutOption(RecordId id, ByteSpan body, ContentHash body_hash) {
  const Result<DhcpOptionRecord> option = DecodeDhcpOption(id, body);
  if (!option && option.error().code != ErrorCode::kUnsupported) {
    return std::unexpected(option.error());
  }
  if (!option) {
    (void)options.Remove(id, hash);
    return PutUnknown(UnknownOption(id), body_hash);
  }
  (void)RemoveUnknown(UnknownOption(id));
  return options.Put(*option, body_hash, hash);
}

Result<void> SnapshotBuilder::State::RemoveOption(RecordId id) {
  return options.Remove(id, hash) ? Result<void>() : RemoveUnknown(UnknownOption(id));
}

SnapshotBuilder::SnapshotBuilder(const SnapshotRef& base) {
  if (base) {
    state_ = std::make_unique<State>(base->data_->small);
    state_->big = base->data_->big;
    state_->hash = base->data_->hash;
  } else {
    state_ = std::make_unique<State>(SmallTables{});
  }
  ++state_->big.edit;
}

SnapshotBuilder::~SnapshotBuilder() = default;

ContentHash SnapshotBuilder::hash() const noexcept { return state_->hash; }

Result<void> SnapshotBuilder::Put(std::uint8_t table, RecordId id, ByteSpan body) {
  if (body.size() > kRecordBytesMax) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(body.size()));
  }
  State& to = *state_;
  const ContentHash hash = HashRecord(table, id, body);
  switch (static_cast<Table>(table)) {
    case Table::kVlan:
      return to.vlans.Put(SLIP_TRY(DecodeVlan(id, body)), hash, limits::kVlansMax, to.hash);
    case Table::kSubnet:
      return to.subnets.Put(SLIP_TRY(DecodeSubnet(id, body)), hash, limits::kSubnetsMax, to.hash);
    case Table::kRange:
      return to.ranges.Put(SLIP_TRY(DecodeRange(id, body)), hash, limits::kRangesMax, to.hash);
    case Table::kMachine:
      return to.PutMachine(SLIP_TRY(DecodeMachine(id, body)), hash);
    case Table::kInterface:
      return to.PutInterface(SLIP_TRY(DecodeInterface(id, body)), hash);
    case Table::kServedInterface:
      return to.served.Put(SLIP_TRY(DecodeServedInterface(id, body)), hash,
                           limits::kServedInterfacesMax, to.hash);
    case Table::kImage:
      return to.images.Put(SLIP_TRY(DecodeImage(id, body)), hash, limits::kImagesMax, to.hash);
    case Table::kDhcpClass:
      return to.classes.Put(SLIP_TRY(DecodeDhcpClass(id, body)), hash, limits::kDhcpClassesMax,
                            to.hash);
    case Table::kDhcpOption:
      return to.PutOption(id, body, hash);
    case Table::kRackPair:
      return to.pairs.Put(SLIP_TRY(DecodeRackPair(id, body)), hash, kRackPairsMax, to.hash);
    case Table::kNone:
      return Fail(ErrorCode::kMalformed);
  }
  return to.PutUnknown({.table = table, .id = id}, hash);
}

Result<void> SnapshotBuilder::Remove(std::uint8_t table, RecordId id) {
  State& from = *state_;
  switch (static_cast<Table>(table)) {
    case Table::kVlan:
      return from.vlans.Remove(id, from.hash);
    case Table::kSubnet:
      return from.subnets.Remove(id, from.hash);
    case Table::kRange:
      return from.ranges.Remove(id, from.hash);
    case Table::kMachine:
      return from.RemoveMachine(id);
    case Table::kInterface:
      return from.RemoveInterface(id);
    case Table::kServedInterface:
      return from.served.Remove(id, from.hash);
    case Table::kImage:
      return from.images.Remove(id, from.hash);
    case Table::kDhcpClass:
      return from.classes.Remove(id, from.hash);
    case Table::kDhcpOption:
      return from.RemoveOption(id);
    case Table::kRackPair:
      return from.pairs.Remove(id, from.hash);
    case Table::kNone:
      return Fail(ErrorCode::kMalformed);
  }
  return from.RemoveUnknown({.table = table, .id = id});
}

SnapshotRef SnapshotBuilder::Finish(Generation generation) {
  auto* const snapshot = new Snapshot;
  snapshot->data_ = std::make_unique<Snapshot::Data>();
  Snapshot::Data& data = *snapshot->data_;
  data.generation = generation;
  data.hash = state_->hash;
  data.big = std::move(state_->big);
  data.small = state_->small;
  data.small.vlans = state_->vlans.Finish();
  data.small.subnets = state_->subnets.Finish();
  data.small.ranges = state_->ranges.Finish();
  data.small.served = state_->served.Finish();
  data.small.classes = state_->classes.Finish();
  data.small.pairs = state_->pairs.Finish();
  data.small.options = state_->options.Finish();
  const SmallRef<ImageRecord> images = state_->images.Finish();
  if (images != data.small.images) {
    data.small.images = images;
    IndexImages(data.small);
  }
  state_ = std::make_unique<State>(SmallTables{});
  state_->big.edit = 1;
  return SnapshotRef(snapshot);
}

}  // namespace slipway::config
