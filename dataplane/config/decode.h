// Bodies of snapshot records, from the flatbuffers of schemas/config.fbs into dataplane/config
// records. Every body is verified within named limits (limits.h) and every value checked.
//
// Errors of all functions: kTooLarge (body above kRecordBytesMax, or a text or list above its
// field), kMalformed (the verifier refused it, or a required field is missing), kOutOfRange (a
// value outside its bounds; detail = an index of the field, for logs).
//
// Version skew: an enumerator that this version does not know becomes the one that does least:
// UnknownPolicy kIgnore, RouterAdvertisement kOff, RangeKind kReserved, BootTarget kWait, ImageKind
// kKernel, FileRole kOther. An option of an unknown scope or family is kUnsupported, and
// counts like a record of an unknown table. The record's bytes still count in the content hash as
// they are.
//
// Pure; any thread.
#pragma once

#include <cstdint>

#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/config/records.h"

namespace slipway::config {

// As RecordTable in schemas/config.fbs.
enum class Table : std::uint8_t {
  kNone = 0,
  kVlan = 1,
  kSubnet = 2,
  kRange = 3,
  kMachine = 4,
  kInterface = 5,
  kServedInterface = 6,
  kImage = 7,
  kDhcpClass = 8,
  kDhcpOption = 9,
  kRackPair = 10,
};

// The highest table that this version knows.
inline constexpr std::uint8_t kTableMax = 10;

[[nodiscard]] Result<VlanRecord> DecodeVlan(RecordId id, ByteSpan body);
[[nodiscard]] Result<SubnetRecord> DecodeSubnet(RecordId id, ByteSpan body);
[[nodiscard]] Result<RangeRecord> DecodeRange(RecordId id, ByteSpan body);
[[nodiscard]] Result<MachineRecord> DecodeMachine(RecordId id, ByteSpan body);
[[nodiscard]] Result<InterfaceRecord> DecodeInterface(RecordId id, ByteSpan body);
[[nodiscard]] Result<ServedInterfaceRecord> DecodeServedInterface(RecordId id, ByteSpan body);
[[nodiscard]] Result<ImageRecord> DecodeImage(RecordId id, ByteSpan body);
[[nodiscard]] Result<DhcpClassRecord> DecodeDhcpClass(RecordId id, ByteSpan body);
// The value of the result is inside `body`.
[[nodiscard]] Result<DhcpOptionRecord> DecodeDhcpOption(RecordId id, ByteSpan body);
[[nodiscard]] Result<RackPairRecord> DecodeRackPair(RecordId id, ByteSpan body);

}  // namespace slipway::config
