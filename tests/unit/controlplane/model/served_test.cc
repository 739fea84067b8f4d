// Which racks serve which VLANs, by interfaces and by relays.
#include <gtest/gtest.h>

#include <string>

#include "dataplane/base/limits.h"
#include "tests/unit/controlplane/model/model_test.h"

namespace slipway::model {
namespace {

class ServedTest : public ModelFixture {
 protected:
  ServedTest() {
    MakeLab();
    EXPECT_TRUE(Mutate([&](Plan& plan) -> Outcome {
      Rack rack;
      rack.name = "r1";
      rack.public_key = std::string(38, 'k') + "r1";
      (void)*plan.Create(Entity(rack));
      return {};
    }));
  }
};

TEST_F(ServedTest, AVlanIsServedByRelaysOnceARack) {
  const EntityId id = Make(Kind::kServedInterface, R"({"rack":"r1","vlan":"boot"})");
  EXPECT_TRUE(Get<ServedInterface>(Kind::kServedInterface, id).by_relay());
  ExpectRefusal(Create(Kind::kServedInterface, R"({"rack":"r1","vlan":"boot"})"),
                RefusalKind::kConflict, FormatId(Kind::kServedInterface, id));
  // An interface that is on the VLAN later is another binding.
  EXPECT_TRUE(Create(Kind::kServedInterface, R"({"rack":"r1","name":"eth0","vlan":"boot"})"));
}

TEST_F(ServedTest, ABindingByRelaysMovesToAnotherVlan) {
  Make(Kind::kVlan, R"({"name":"far","fabric":"lab","vid":9})");
  const EntityId id = Make(Kind::kServedInterface, R"({"rack":"r1","vlan":"boot"})");
  ASSERT_TRUE(Patch(Kind::kServedInterface, id, R"({"vlan":"far"})"));
  EXPECT_TRUE(Create(Kind::kServedInterface, R"({"rack":"r1","vlan":"boot"})"));
  ExpectRefusal(Patch(Kind::kServedInterface, id, R"({"vlan":"boot"})"), RefusalKind::kConflict,
                "this VLAN");
  ExpectRefusal(Patch(Kind::kServedInterface, id, R"({"name":"eth0"})"), RefusalKind::kInvalid,
                "cannot be changed");
}

TEST_F(ServedTest, NamesAreThoseOfInterfaces) {
  for (const char* name : {"a/b", "a b", "a:1"}) {
    ExpectRefusal(Create(Kind::kServedInterface,
                         R"({"rack":"r1","vlan":"boot","name":")" + std::string(name) + "\"}"),
                  RefusalKind::kInvalid, "network interface");
  }
}

TEST_F(ServedTest, InterfacesAndVlansOfARackAreBounded) {
  for (std::uint32_t i = 0; i < limits::kServedInterfacesMax; ++i) {
    Make(Kind::kServedInterface,
         R"({"rack":"r1","vlan":"boot","name":"eth)" + std::to_string(i) + "\"}");
  }
  ExpectRefusal(Create(Kind::kServedInterface, R"({"rack":"r1","vlan":"boot","name":"more"})"),
                RefusalKind::kInvalid, "64 interfaces");
  for (std::uint32_t i = limits::kServedInterfacesMax; i < limits::kServedVlansMax; ++i) {
    const std::string number = std::to_string(i);
    Make(Kind::kVlan, R"({"name":"v)" + number + R"(","fabric":"lab","vid":)" + number + "}");
    Make(Kind::kServedInterface, R"({"rack":"r1","vlan":"v)" + number + "\"}");
  }
  ExpectRefusal(Create(Kind::kServedInterface, R"({"rack":"r1","vlan":"boot"})"),
                RefusalKind::kInvalid, "512 VLANs");
}

}  // namespace
}  // namespace slipway::model
