#include "dataplane/lease/pair_core.h"

#include <gtest/gtest.h>

#include "tests/support/pair_lab.h"

namespace slipway::lease {
namespace {

using test::PairLab;

constexpr Duration kLease = Duration::Seconds(30);

class PairCoreTest : public testing::Test {
 protected:
  // Both racks in state normal.
  void Together() {
    lab_.rack(0).Start();
    lab_.rack(1).Start();
    lab_.RunFor(Duration::Seconds(1));
    ASSERT_TRUE(lab_.IsWell());
  }

  // The client gets an address from this rack, whoever's turn it is.
  IpAddress Bind(std::uint64_t client, int side, Duration lease = kLease) {
    std::optional<IpAddress> offer = lab_.rack(side).Discover(client);
    if (!offer) {
      lab_.RunFor(kSecondAnswerAfter + Duration::Millis(100));
      offer = lab_.rack(side).Discover(client);
    }
    if (!offer) {
      return {};
    }
    lab_.last_answer.erase(client);
    lab_.rack(side).Request(client, *offer, lease, false, false);
    lab_.RunFor(Duration::Millis(200));
    return Answered(client) ? *offer : IpAddress();
  }

  bool Answered(std::uint64_t client) {
    const auto found = lab_.last_answer.find(client);
    return found != lab_.last_answer.end() && found->second.ok;
  }

  bool Renews(std::uint64_t client, IpAddress address, int side, Duration lease = kLease) {
    lab_.last_answer.erase(client);
    lab_.rack(side).Request(client, address, lease, false, false);
    lab_.RunFor(Duration::Millis(200));
    return Answered(client);
  }

  void CutOff() {
    lab_.faults.cut = {true, true};
    lab_.RunFor(kPairDead + Duration::Seconds(2));
    ASSERT_EQ(lab_.rack(0).state(), PairState::kInterrupted);
  }

  PairLab lab_{1};
};

TEST_F(PairCoreTest, TwoNewRacksFindEachOther) { Together(); }

TEST_F(PairCoreTest, TheJoiningRackWaitsForTheFounder) {
  lab_.rack(1).Start();
  lab_.RunFor(Duration::Seconds(30));
  EXPECT_EQ(lab_.rack(1).state(), PairState::kRecover);
  EXPECT_FALSE(lab_.rack(1).Discover(1));
  lab_.rack(0).Start();
  lab_.RunFor(Duration::Seconds(5));
  EXPECT_TRUE(lab_.IsWell());
}

TEST_F(PairCoreTest, TheFounderBeginsAlone) {
  lab_.rack(0).Start();
  lab_.RunFor(Duration::Seconds(5));
  EXPECT_EQ(lab_.rack(0).state(), PairState::kInterrupted);
  EXPECT_TRUE(Bind(1, 0).is_set());
}

TEST_F(PairCoreTest, AnAckWaitsForTheDiskOfThePartner) {
  Together();
  lab_.faults.cut = {false, true};  // acknowledgements get lost
  const auto offer = lab_.rack(0).Discover(1);
  const auto other = lab_.rack(1).Discover(1);
  ASSERT_NE(offer.has_value(), other.has_value()) << "one of the two answers";
  lab_.rack(0).Request(1, offer ? *offer : *lab_.rack(0).Discover(1), kLease, false, false);
  lab_.RunFor(Duration::Seconds(1));
  EXPECT_FALSE(Answered(1));
  // Then the partner counts as gone, and the rack answers by itself.
  lab_.RunFor(kPairDead);
  EXPECT_TRUE(Answered(1));
  EXPECT_EQ(lab_.alone, 1U);
}

TEST_F(PairCoreTest, TheOtherRackAnswersWhoAsksAgain) {
  Together();
  const int turn = lab_.rack(0).Discover(1) ? 0 : 1;
  EXPECT_FALSE(lab_.rack(1 - turn).Discover(1));
  lab_.RunFor(kSecondAnswerAfter + Duration::Millis(100));
  EXPECT_TRUE(lab_.rack(1 - turn).Discover(1));
}

TEST_F(PairCoreTest, AloneARackGivesOnlyItsShare) {
  Together();
  CutOff();
  for (std::uint64_t client = 1; client <= 12; ++client) {
    const IpAddress address = Bind(client, 0);
    ASSERT_TRUE(address.is_set());
    EXPECT_EQ(PairRules::ShareOf(address), 0U);
  }
  EXPECT_FALSE(lab_.rack(0).Discover(13)) << "12 of 24 addresses are its share";
  EXPECT_TRUE(Bind(13, 1).is_set());
}

TEST_F(PairCoreTest, AloneARackRenewsWhatThePartnerGaveForMcltAtMost) {
  Together();
  const Duration day = Duration::Seconds(86'400);
  const IpAddress address = Bind(1, 0, day);
  ASSERT_TRUE(address.is_set());
  EXPECT_EQ(lab_.last_answer.at(1).lease, day);
  lab_.rack(0).Kill(false);
  lab_.RunFor(kPairDead + Duration::Seconds(1));
  EXPECT_EQ(lab_.rack(1).state(), PairState::kInterrupted) << "taken over within 10 s";
  EXPECT_TRUE(Renews(1, address, 1, day));
  EXPECT_EQ(lab_.last_answer.at(1).lease, test::kPairMclt);
}

TEST_F(PairCoreTest, AReplyThatWaitedPromisesNoMoreThanMayBePromisedAlone) {
  Together();
  lab_.faults.cut = {false, true};
  std::optional<IpAddress> offer = lab_.rack(0).Discover(1);
  if (!offer) {
    lab_.RunFor(kSecondAnswerAfter);
    offer = lab_.rack(0).Discover(1);
  }
  lab_.rack(0).Request(1, *offer, Duration::Seconds(3600), false, false);
  lab_.RunFor(kPairDead + Duration::Seconds(2));
  EXPECT_FALSE(Answered(1));
  EXPECT_TRUE(Renews(1, *offer, 0)) << "it asks again";
}

TEST_F(PairCoreTest, OnlyTheOwnerSaysNo) {
  Together();
  const IpAddress mine = Bind(1, 0);
  ASSERT_TRUE(mine.is_set());
  const auto asks_for = [&](std::string_view first, std::string_view second) {
    const IpAddress other = *IpAddress::Parse(*IpAddress::Parse(first) == mine ? second : first);
    lab_.last_answer.erase(1);
    lab_.rack(0).Request(1, other, kLease, true, true);
    lab_.RunFor(Duration::Millis(100));
    return lab_.last_answer.contains(1);
  };
  CutOff();
  EXPECT_FALSE(asks_for("10.77.0.111", "10.77.0.113")) << "the partner may know it";
  EXPECT_TRUE(asks_for("10.77.0.110", "10.77.0.112"));
  EXPECT_FALSE(Answered(1)) << "a NAK";
}

TEST_F(PairCoreTest, AnAddressGoesToAnotherClientOnlyWhenBothKnowThatItIsFree) {
  Together();
  CutOff();
  for (std::uint64_t client = 1; client <= 12; ++client) {
    ASSERT_TRUE(Bind(client, 0).is_set());
  }
  // The partner never heard of these: what is released is free at once.
  const IpAddress released = lab_.last_answer.at(5).address;
  lab_.OnReleased(5, released);
  lab_.rack(0).Release(5, released);
  EXPECT_EQ(Bind(20, 0), released);
  // Now it hears of them, and could renew them when it is alone.
  lab_.faults.cut = {};
  lab_.RunFor(Duration::Seconds(3));
  ASSERT_TRUE(lab_.IsWell());
  CutOff();
  lab_.OnReleased(20, released);
  lab_.rack(0).Release(20, released);
  EXPECT_FALSE(lab_.rack(0).Discover(21));
  lab_.faults.cut = {};
  lab_.RunFor(Duration::Seconds(3));
  EXPECT_EQ(Bind(21, 0), released);
}

TEST_F(PairCoreTest, PartnerDownTakesTheWholeRangeAfterMclt) {
  Together();
  lab_.rack(1).Kill(false);
  lab_.DeclareDown(1);
  lab_.RunFor(kPairDead + Duration::Seconds(2));
  ASSERT_EQ(lab_.rack(0).state(), PairState::kPartnerDown);
  for (std::uint64_t client = 1; client <= 12; ++client) {
    ASSERT_TRUE(Bind(client, 0, Duration::Seconds(200)).is_set());
  }
  EXPECT_FALSE(lab_.rack(0).Discover(13));
  lab_.RunFor(WithSlack(test::kPairMclt));
  for (std::uint64_t client = 13; client <= 20; ++client) {
    EXPECT_TRUE(Bind(client, 0).is_set());
  }
  // The other one comes back, hears of all that, and only then serves.
  lab_.rack(1).Start();
  EXPECT_FALSE(lab_.rack(1).Discover(30));
  lab_.RunFor(Duration::Seconds(3));
  EXPECT_TRUE(lab_.IsWell());
  EXPECT_EQ(lab_.Difference(), "");
}

TEST_F(PairCoreTest, ADeclaredRackThatIsThereStopsServing) {
  Together();
  CutOff();
  lab_.check = false;
  lab_.DeclareDown(1);
  lab_.RunFor(Duration::Seconds(1));
  EXPECT_EQ(lab_.rack(0).state(), PairState::kPartnerDown);
  EXPECT_EQ(lab_.rack(1).state(), PairState::kRecover);
  EXPECT_FALSE(lab_.rack(1).Discover(1));
}

TEST_F(PairCoreTest, AWrongWordIsFoundOutAndTheSurvivorsLeaseStands) {
  Together();
  CutOff();
  lab_.check = false;
  lab_.rack(1).region_cut = true;  // It does not hear that it is down.
  lab_.DeclareDown(1);
  lab_.RunFor(WithSlack(test::kPairMclt) + Duration::Seconds(2));
  ASSERT_EQ(lab_.rack(0).state(), PairState::kPartnerDown);
  ASSERT_EQ(lab_.rack(1).state(), PairState::kInterrupted);
  std::uint64_t client = 1;
  for (; client <= 24; ++client) {
    ASSERT_TRUE(Bind(client, 0).is_set());
  }
  const IpAddress twice = Bind(40, 1);
  ASSERT_TRUE(twice.is_set());
  lab_.faults.cut = {};
  lab_.RunFor(Duration::Seconds(3));
  EXPECT_TRUE(lab_.IsWell());
  EXPECT_EQ(lab_.Difference(), "");
  EXPECT_GT(lab_.rack(0).conflicts + lab_.rack(1).conflicts, 0);
  const Lease* kept = lab_.rack(1).table().ByAddress(twice);
  ASSERT_NE(kept, nullptr);
  EXPECT_NE(kept->mac, MacAddress::FromU64(0x0200'0000'0000 + 40));
}

TEST_F(PairCoreTest, ARackThatLostItsDiskWaits) {
  Together();
  const IpAddress address = Bind(1, 0);
  lab_.rack(1).Kill(true);
  lab_.RunFor(Duration::Seconds(5));
  lab_.rack(1).Start();
  lab_.RunFor(Duration::Seconds(3));
  EXPECT_EQ(lab_.rack(1).state(), PairState::kRecoverWait);
  EXPECT_EQ(lab_.rack(0).state(), PairState::kInterrupted);
  EXPECT_TRUE(Renews(1, address, 0));
  EXPECT_FALSE(lab_.rack(1).Discover(2));
  lab_.RunFor(WithSlack(test::kPairMclt));
  EXPECT_TRUE(lab_.IsWell());
  EXPECT_EQ(lab_.Difference(), "");
}

TEST_F(PairCoreTest, ARackThatCameBackAloneKeepsSilentWhenItCannotKnow) {
  Together();
  ASSERT_TRUE(Bind(1, 0).is_set());
  lab_.rack(0).Kill(false);
  lab_.rack(1).Kill(false);
  lab_.rack(0).Reboot(false);  // nobody knows for how long
  lab_.rack(0).region_cut = true;
  lab_.rack(0).Start();
  lab_.RunFor(Duration::Seconds(10));
  EXPECT_EQ(lab_.rack(0).state(), PairState::kRecover);
  // The region's word is enough: it would say that the rack was declared down.
  lab_.rack(0).region_cut = false;
  lab_.RunFor(Duration::Seconds(1));
  EXPECT_EQ(lab_.rack(0).state(), PairState::kInterrupted);
}

TEST_F(PairCoreTest, ARestartOfTheProcessGoesOnUntilMcltIsOver) {
  Together();
  const IpAddress address = Bind(1, 0);
  ASSERT_TRUE(address.is_set());
  lab_.rack(1).Kill(false);
  lab_.rack(0).Kill(false);
  lab_.rack(0).region_cut = true;
  lab_.rack(0).Start();
  lab_.RunFor(kPairDead + Duration::Seconds(1));
  EXPECT_EQ(lab_.rack(0).state(), PairState::kInterrupted);
  EXPECT_TRUE(Renews(1, address, 0));
  lab_.RunFor(test::kPairMclt);
  EXPECT_FALSE(Renews(1, address, 0)) << "by now the partner may have been told to take over";
}

TEST_F(PairCoreTest, AReturningRackIsTaughtOnlyWhatItMissed) {
  Together();
  for (std::uint64_t client = 1; client <= 8; ++client) {
    ASSERT_TRUE(Bind(client, client % 2 == 0 ? 0 : 1, Duration::Seconds(600)).is_set());
  }
  lab_.rack(1).Kill(false);
  lab_.RunFor(kPairDead + Duration::Seconds(2));
  ASSERT_TRUE(Bind(20, 0, Duration::Seconds(600)).is_set());
  const std::uint64_t before = lab_.rack(0).core().counters().leases_sent.value();
  lab_.rack(1).Start();
  lab_.RunFor(Duration::Seconds(3));
  EXPECT_TRUE(lab_.IsWell());
  EXPECT_EQ(lab_.rack(0).core().counters().leases_sent.value() - before, 1U);
  EXPECT_EQ(lab_.Difference(), "");
}

TEST_F(PairCoreTest, AFullJournalEndsTheSessionAndNothingIsConfirmed) {
  Together();
  lab_.rack(1).journal_full = true;
  const IpAddress address = Bind(1, 0);
  EXPECT_TRUE(!address.is_set() || lab_.alone > 0);
  EXPECT_GT(lab_.rack(1).core().counters().resets.value(), 0U);
  lab_.rack(1).journal_full = false;
  lab_.RunFor(Duration::Seconds(8));
  EXPECT_TRUE(lab_.IsWell());
  EXPECT_EQ(lab_.Difference(), "");
}

TEST_F(PairCoreTest, AnEndThatThePartnerCouldNotLogIsNotAgreedAfterARestart) {
  Together();
  const IpAddress address = Bind(1, 0);
  ASSERT_TRUE(address.is_set());
  lab_.rack(1).journal_full = true;
  lab_.OnReleased(1, address);
  lab_.rack(0).Release(1, address);
  lab_.RunFor(Duration::Seconds(3));
  lab_.rack(0).Kill(false);
  lab_.rack(0).Start();
  lab_.RunFor(Duration::Seconds(2));
  CutOff();
  for (std::uint64_t client = 2; client <= 12; ++client) {
    ASSERT_TRUE(Bind(client, 0).is_set());
  }
  EXPECT_FALSE(lab_.rack(0).Discover(13))
      << "after a crash the partner would renew it for client 1";
}

TEST_F(PairCoreTest, AQuarantineThatARestartBringsBackTakesNoLeaseAway) {
  Together();
  const IpAddress address = Bind(1, 0);
  lab_.OnReleased(1, address);
  lab_.rack(0).Decline(1, address);
  lab_.RunFor(Duration::Seconds(1));
  lab_.rack(1).Kill(false);
  lab_.RunFor(kQuarantine + Duration::Seconds(5));
  std::uint64_t client = 2;
  while (!lab_.promises.contains(address)) {
    ASSERT_TRUE(Bind(client++, 0).is_set());
  }
  lab_.rack(0).Kill(false);
  lab_.rack(1).Reboot(false);  // It does not know for how long it was away.
  lab_.rack(1).Start();
  lab_.DeclareDown(0);
  lab_.RunFor(Duration::Seconds(1));
  ASSERT_EQ(lab_.rack(1).state(), PairState::kPartnerDown);
  lab_.rack(0).Start();
  lab_.RunFor(Duration::Seconds(3));
  ASSERT_TRUE(lab_.IsWell());
  lab_.CheckPromises();
}

// Declared down while it was away, a rack that goes on by its stamp must promise nothing beyond the
// wait of the partner.
TEST_F(PairCoreTest, RackThatGoesOnByItsStampPromisesNoLongerThanThatReaches) {
  Together();
  const IpAddress address = Bind(1, 1);
  ASSERT_TRUE(address.is_set());
  const Instant stamped = lab_.now();
  lab_.rack(1).Kill(false);
  lab_.rack(1).region_cut = true;
  lab_.faults.cut = {true, true};
  lab_.RunFor(Duration::Seconds(5));
  lab_.DeclareDown(1);
  lab_.rack(1).Start();
  lab_.RunFor(Duration::Seconds(20));
  ASSERT_EQ(lab_.rack(1).state(), PairState::kInterrupted);
  ASSERT_TRUE(Renews(1, address, 1, test::kPairMclt));
  EXPECT_LE(lab_.last_answer[1].asked + lab_.last_answer[1].lease,
            stamped + WithSlack(test::kPairMclt));
  lab_.RunFor(test::kPairMclt);
  EXPECT_FALSE(Renews(1, address, 1)) << "its stamp is too old";
}

// A doubtful clock lets a restored lease grow on one rack, while the other one knows its end.
TEST_F(PairCoreTest, RenewalAfterARestartIsToldAlsoInsideTheRestoredHorizon) {
  Together();
  const IpAddress address = Bind(1, 0, Duration::Seconds(30));  // Covered for 60 s.
  ASSERT_TRUE(address.is_set());
  lab_.RunFor(Duration::Seconds(25));
  lab_.rack(1).Kill(false);
  lab_.rack(1).Reboot(false);
  lab_.rack(1).Start();
  lab_.RunFor(Duration::Seconds(2));
  ASSERT_TRUE(lab_.IsWell());
  ASSERT_TRUE(Renews(1, address, 1, Duration::Seconds(50)));
  const Lease* known = lab_.rack(0).table().ByAddress(address);
  ASSERT_NE(known, nullptr);
  EXPECT_GE(known->ends - lab_.rack(0).Now().instant, Duration::Seconds(49));
  lab_.RunFor(Duration::Seconds(45));
  lab_.CheckPromises();
}

// The rack whose clock was doubtful has the higher version, and takes it back when it knows the
// time.
TEST_F(PairCoreTest, LeaseThatGrewByADoubtfulClockDoesNotShrinkUnderThePartnersPromise) {
  Together();
  const IpAddress address = Bind(1, 0, Duration::Seconds(30));
  ASSERT_TRUE(address.is_set());
  CutOff();
  lab_.rack(0).Kill(false);
  lab_.rack(0).Start();  // Its versions are higher by far from now on.
  lab_.RunFor(Duration::Seconds(5));
  ASSERT_TRUE(Renews(1, address, 0, Duration::Seconds(30)));
  lab_.rack(0).Kill(false);
  lab_.RunFor(Duration::Seconds(40));
  ASSERT_TRUE(Renews(1, address, 1, Duration::Seconds(40)));  // Alone, beyond what rack 0 knows.
  lab_.RunFor(Duration::Seconds(10));
  lab_.rack(0).Reboot(false);
  lab_.Heal();
  lab_.RunFor(Duration::Seconds(3));
  ASSERT_TRUE(lab_.IsWell());
  lab_.rack(0).Kill(false);
  lab_.rack(0).Reboot(true);
  lab_.rack(0).Start();
  lab_.RunFor(Duration::Seconds(3));
  ASSERT_TRUE(lab_.IsWell());
  lab_.CheckPromises();
}

TEST_F(PairCoreTest, AnythingElseThanAMessageIsCountedAndDropped) {
  Together();
  PairCore& core = lab_.rack(0).core();
  const auto rejected = [&](PairReject reason) {
    return core.counters().rejected[static_cast<std::size_t>(reason)].value();
  };
  std::vector<std::byte> noise(200, std::byte{0x5A});
  core.OnMessage(noise, lab_.rack(0).Now());
  core.OnMessage({}, lab_.rack(0).Now());
  noise.resize(kPairMessageBytesMax + 1);
  core.OnMessage(noise, lab_.rack(0).Now());
  EXPECT_EQ(rejected(PairReject::kMalformed), 3U);
  PairEncoder encoder;
  core.OnMessage(encoder.Alive({.session = 5, .sequence = 1}), lab_.rack(0).Now());
  EXPECT_EQ(rejected(PairReject::kStale), 1U);
  core.OnMessage(encoder.Hello({}, {.pair = 8, .side = 1, .nonce = 1, .store = 3}),
                 lab_.rack(0).Now());
  EXPECT_EQ(rejected(PairReject::kOtherPair), 1U);
  EXPECT_TRUE(core.in_session());
}

TEST(PairAuthorityTest, IsWhatIsLeftOfMcltIfThatIsProven) {
  const Duration mclt = Duration::Seconds(128);
  const Stamp right{.boot_id = 7,
                    .boottime = Instant{Duration::Seconds(1000).ns},
                    .realtime = WallTime{Duration::Seconds(5000).ns},
                    .realtime_trusted = true};
  Now now{.instant = right.boottime + Duration::Seconds(64),
          .wall = WallTime{right.realtime.ns + Duration::Seconds(64).ns},
          .boot_id = 7,
          .wall_synchronised = true};
  // The other clock may run slower by what WithSlack allows for.
  EXPECT_EQ(AuthorityLeft(right, mclt, now), mclt - WithSlack(Duration::Seconds(64)));
  // After a reboot by the time of day, if it is known at both ends.
  now.boot_id = 8;
  now.instant = Instant{1};
  EXPECT_EQ(AuthorityLeft(right, mclt, now), mclt - WithSlack(Duration::Seconds(64)));
  now.wall_synchronised = false;
  EXPECT_EQ(AuthorityLeft(right, mclt, now), Duration{});
  now.wall_synchronised = true;
  now.wall = WallTime{right.realtime.ns + Duration::Seconds(1000).ns};
  EXPECT_EQ(AuthorityLeft(right, mclt, now), Duration{});
  // A rack that never served in its own right has none.
  EXPECT_EQ(AuthorityLeft({}, mclt, {.instant = Instant{1}, .wall = {}, .boot_id = 0}), Duration{});
}

TEST_F(PairCoreTest, ReportSaysWhatIsGoingOn) {
  EXPECT_EQ(lab_.rack(0).store, 0U);
  Together();
  PairReport report = lab_.rack(0).core().Report(lab_.rack(0).Now().instant);
  EXPECT_EQ(report.state, PairState::kNormal);
  EXPECT_EQ(report.partner_state, PairState::kNormal);
  EXPECT_TRUE(report.serves);
  EXPECT_EQ(report.untold, 0U);
  CutOff();
  ASSERT_TRUE(Bind(1, 0).is_set());
  report = lab_.rack(0).core().Report(lab_.rack(0).Now().instant);
  EXPECT_FALSE(report.in_session);
  EXPECT_EQ(report.partner_state, PairState::kOff);
  EXPECT_EQ(report.untold, 1U);
  lab_.rack(1).Kill(false);
  lab_.DeclareDown(1);
  lab_.RunFor(Duration::Seconds(2));
  report = lab_.rack(0).core().Report(lab_.rack(0).Now().instant);
  EXPECT_EQ(report.state, PairState::kPartnerDown);
  EXPECT_GT(report.wait, Duration::Seconds(50));
}

}  // namespace
}  // namespace slipway::lease
