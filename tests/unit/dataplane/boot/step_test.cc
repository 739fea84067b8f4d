#include "dataplane/boot/step.h"

#include <gtest/gtest.h>

#include <string>

#include "schemas/facts_generated.h"

namespace slipway::boot {
namespace {

TEST(StepEncoderTest, WritesABootStepFact) {
  StepEncoder encoder;
  BootStep step;
  step.mac = MacAddress::FromU64(0x5254'0000'0001);
  step.machine = 7;
  step.vlan = 1;
  step.address = Ipv4Address{0x0A4D'0064};
  step.realtime = {123};
  step.kind = StepKind::kLoop;
  step.name = FixedString<limits::kUrlBytesMax>(std::string(255, 'x'));
  step.bytes = 9;
  step.duration = {10};
  step.ok = false;
  for (int i = 0; i < 3; ++i) {
    const ByteSpan bytes = encoder.Encode(step);
    const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
    flatbuffers::Verifier verifier(data, bytes.size());
    ASSERT_TRUE(schema::VerifyFactBuffer(verifier));
    const schema::BootStep* read = schema::GetFact(data)->body_as_BootStep();
    ASSERT_NE(read, nullptr);
    EXPECT_EQ(read->mac(), 0x5254'0000'0001U);
    EXPECT_EQ(read->machine(), 7U);
    EXPECT_EQ(read->kind(), schema::BootStepKind::Loop);
    EXPECT_EQ(read->name()->size(), 255U);
    EXPECT_EQ(read->address()->bytes()->Get(15), 0x64);
    EXPECT_FALSE(read->ok());
  }
}

}  // namespace
}  // namespace slipway::boot
