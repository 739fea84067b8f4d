#include "dataplane/boot/step.h"

#include <algorithm>

#include "schemas/facts_generated.h"

namespace slipway::boot {

static_assert(static_cast<int>(StepKind::kLauncher) ==
              static_cast<int>(schema::BootStepKind::Launcher));

ByteSpan StepEncoder::Encode(const BootStep& step) {
  flatbuffers::FlatBufferBuilder& builder = builder_.Start();
  const auto name = builder.CreateString(step.name.data(), step.name.size());
  const schema::FactAddress address(
      flatbuffers::span<const std::uint8_t, 16>(step.address.v6().octets.data(), std::size_t{16}));
  const auto body = schema::CreateBootStep(
      builder, step.mac.ToU64(), step.machine, step.vlan, &address, step.realtime.ns,
      static_cast<schema::BootStepKind>(step.kind), name, step.bytes, step.duration.ns, step.ok);
  builder.Finish(schema::CreateFact(builder, schema::FactBody::BootStep, body.Union()));
  return {reinterpret_cast<const std::byte*>(builder.GetBufferPointer()), builder.GetSize()};
}

}  // namespace slipway::boot
