// Records of dataplane/config into the flatbuffers of schemas/config.fbs: what a region publishes
// (controlplane/publish) and what tests feed. The inverse of decode.h: Decode(Encode(x)) == x, and
// equal records give equal bytes.
#pragma once

#include <memory>

#include "dataplane/base/cursor.h"
#include "dataplane/config/decode.h"
#include "dataplane/config/records.h"

namespace slipway::config {

// Keeps one buffer for all records. Each Encode returns a body that is valid until the next call.
// The record's id is not in the body. REQUIRES: values within the bounds that decode.cc checks; an
// encoder does not check them. One thread.
class RecordEncoder {
 public:
  RecordEncoder();
  RecordEncoder(const RecordEncoder&) = delete;
  RecordEncoder& operator=(const RecordEncoder&) = delete;
  ~RecordEncoder();

  // Only schemas/config.fbs Vlan has it, and no rack reads it: 0 unless the caller knows it.
  [[nodiscard]] ByteSpan Encode(const VlanRecord& vlan, RecordId fabric = 0);
  [[nodiscard]] ByteSpan Encode(const SubnetRecord& subnet);
  [[nodiscard]] ByteSpan Encode(const RangeRecord& range);
  [[nodiscard]] ByteSpan Encode(const MachineRecord& machine);
  [[nodiscard]] ByteSpan Encode(const InterfaceRecord& interface);
  [[nodiscard]] ByteSpan Encode(const ServedInterfaceRecord& served);
  [[nodiscard]] ByteSpan Encode(const ImageRecord& image);
  [[nodiscard]] ByteSpan Encode(const DhcpClassRecord& dhcp_class);
  [[nodiscard]] ByteSpan Encode(const DhcpOptionRecord& option);
  [[nodiscard]] ByteSpan Encode(const RackPairRecord& pair);

 private:
  struct Buffer;
  std::unique_ptr<Buffer> buffer_;
};

// The table that a record type belongs to.
template <typename Record>
inline constexpr Table kTableOf = Table::kNone;
template <>
inline constexpr Table kTableOf<VlanRecord> = Table::kVlan;
template <>
inline constexpr Table kTableOf<SubnetRecord> = Table::kSubnet;
template <>
inline constexpr Table kTableOf<RangeRecord> = Table::kRange;
template <>
inline constexpr Table kTableOf<MachineRecord> = Table::kMachine;
template <>
inline constexpr Table kTableOf<InterfaceRecord> = Table::kInterface;
template <>
inline constexpr Table kTableOf<ServedInterfaceRecord> = Table::kServedInterface;
template <>
inline constexpr Table kTableOf<ImageRecord> = Table::kImage;
template <>
inline constexpr Table kTableOf<DhcpClassRecord> = Table::kDhcpClass;
template <>
inline constexpr Table kTableOf<DhcpOptionRecord> = Table::kDhcpOption;
template <>
inline constexpr Table kTableOf<RackPairRecord> = Table::kRackPair;

}  // namespace slipway::config
