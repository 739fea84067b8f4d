// What must never reach a handler, over real sockets on loopback: strangers, used, expired and
// revoked keys, garbage, half-open peers, replays, changed bytes, messages too large.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "dataplane/link/zmq_socket.h"
#include "tests/netns/controlplane/link/ends.h"
#include "tests/netns/controlplane/link/tcp.h"

namespace slipway::region_link::test {
namespace {

// A peer that speaks ZeroMQ itself, with any key or none.
class RawPeer {
 public:
  enum class Security { kNull, kPlain, kCurve };

  RawPeer(const TestRegion& region, Security security,
          const link::KeyPair& pair = link::KeyPair::Generate())
      : socket_(context_.get(), ZMQ_DEALER) {
    bool ready = socket_.SetInt(ZMQ_LINGER, 0);
    if (security == Security::kPlain) {
      ready = ready && socket_.SetBytes(ZMQ_PLAIN_USERNAME, "rack", 4) &&
              socket_.SetBytes(ZMQ_PLAIN_PASSWORD, "rack", 4);
    } else if (security == Security::kCurve) {
      const auto secret = pair.secret_key.Reveal();
      ready = ready &&
              socket_.SetBytes(ZMQ_CURVE_SERVERKEY, region.key.public_key.bytes.data(), 32) &&
              socket_.SetBytes(ZMQ_CURVE_PUBLICKEY, pair.public_key.bytes.data(), 32) &&
              socket_.SetBytes(ZMQ_CURVE_SECRETKEY, secret.data(), 32);
    }
    EXPECT_TRUE(ready);
    EXPECT_EQ(zmq_connect(socket_.get(), region.end->endpoint().c_str()), 0);
  }

  void Send(ByteSpan message) { EXPECT_TRUE(socket_.Send(message)); }

 private:
  link::ZmqContext context_;
  link::ZmqSocket socket_;
};

std::vector<std::byte> HelloMessage() {
  link::EnvelopeWriter writer;
  const auto body = schema::CreateHello(writer.Begin());
  const auto message = writer.Finish({.sequence = 1, .connection = 4711}, body);
  return {message->begin(), message->end()};
}

std::uint64_t Zap(const TestRegion& region, ZapResult result) {
  return region.end->counters().Zap(result);
}

TEST(LinkHostileTest, UnknownKeyIsDeniedAndCounted) {
  TestRegion region;
  RawPeer peer(region, RawPeer::Security::kCurve);
  peer.Send(HelloMessage());
  EXPECT_TRUE(Eventually([&] { return Zap(region, ZapResult::kUnknownKey) > 0; }));
  EXPECT_EQ(region.handled(), 0U);
}

TEST(LinkHostileTest, NullAndPlainMechanismsReachNoHandler) {
  TestRegion region;
  RawPeer null_peer(region, RawPeer::Security::kNull);
  RawPeer plain_peer(region, RawPeer::Security::kPlain);
  null_peer.Send(HelloMessage());
  plain_peer.Send(HelloMessage());
  EXPECT_TRUE(Eventually([&] { return region.end->counters().handshakes_failed.value() >= 2; }));
  EXPECT_EQ(region.handled(), 0U);
  EXPECT_EQ(region.end->counters().link.messages_received.value(), 0U);
}

TEST(LinkHostileTest, UsedTokenAdmitsNoSecondRack) {
  TestRegion region;
  const std::string token = region.Token(11);
  TestRack rack(token);
  ASSERT_TRUE(Eventually([&] { return rack.end->up(); }));
  const std::uint64_t tokens = Zap(region, ZapResult::kTokenAdmitted);
  TestRack second(token, "rack-b");
  EXPECT_TRUE(Eventually([&] {
    return Zap(region, ZapResult::kTokenUsed) > 0 && Zap(region, ZapResult::kUnknownKey) > 0;
  }));
  EXPECT_FALSE(second.end->up());
  EXPECT_EQ(Zap(region, ZapResult::kTokenAdmitted), tokens);
  EXPECT_TRUE(rack.end->up());
}

TEST(LinkHostileTest, ExpiredTokenIsDenied) {
  TestRegion region;
  TestRack rack(region.Token(11, Duration::Seconds(-1)));
  EXPECT_TRUE(Eventually([&] { return Zap(region, ZapResult::kTokenExpired) > 0; }));
  EXPECT_FALSE(rack.end->up());
  EXPECT_EQ(region.handled(), 0U);
}

TEST(LinkHostileTest, TokenKeyMaySayNothingButEnrol) {
  TestRegion region;
  const link::KeyPair pair = link::KeyPair::Generate();
  region.directory.AddToken({.id = 12, .key = pair.public_key, .expires = WallTime{INT64_MAX}},
                            [](Result<void>) {});
  RawPeer peer(region, RawPeer::Security::kCurve, pair);
  peer.Send(HelloMessage());
  EXPECT_TRUE(Eventually(
      [&] { return region.end->counters().link.Rejected(link::RejectReason::kUnauthorised) > 0; }));
  EXPECT_EQ(region.handled(), 0U);
  EXPECT_EQ(region.end->counters().racks_up.value(), 0U);
}

TEST(LinkHostileTest, RevokedRackIsCutOffInMidSession) {
  TestRegion region;
  TestRack rack(region.Token(11));
  ASSERT_TRUE(Eventually([&] { return rack.end->up(); }));
  region.directory.Revoke(1);  // Nobody tells the link: the next message is checked.
  rack.Append(link::FactClass::kLease, "from a revoked rack");
  EXPECT_TRUE(Eventually([&] { return Zap(region, ZapResult::kRevoked) > 0; }));
  EXPECT_TRUE(Eventually([&] { return !rack.end->up(); }));
  EXPECT_EQ(region.end->counters().racks_up.value(), 0U);
  EXPECT_TRUE(region.owners.With([](auto&, auto&, auto& facts) {
    return facts.records[{1, link::FactClass::kLease}].empty();
  }));
}

TEST(LinkHostileTest, RevocationIsToldAtOnceWhenTheDirectorySays) {
  TestRegion region;
  TestRack rack(region.Token(11));
  ASSERT_TRUE(Eventually([&] { return region.end->counters().racks_up.value() == 1; }));
  region.directory.Revoke(1);
  region.end->NotifyDirectory();
  EXPECT_TRUE(Eventually([&] { return region.end->counters().racks_up.value() == 0; },
                         std::chrono::milliseconds(900)));
}

TEST(LinkHostileTest, GarbageOnTheWireHarmsNobody) {
  TestRegion region;
  TestRack rack(region.Token(11));
  ASSERT_TRUE(Eventually([&] { return rack.end->up(); }));
  const std::uint16_t port = PortOf(region.end->endpoint());
  SeededRandom random(3);
  std::vector<TcpSocket> peers;
  for (unsigned i = 0; i < 100; ++i) {
    std::string bytes(static_cast<std::size_t>(1 + random.Below(4000)), '\0');
    for (char& c : bytes) {
      c = static_cast<char>(random.U64());
    }
    if (i % 3 == 0) {
      bytes.insert(0, std::string("\xff\0\0\0\0\0\0\0\1\x7f\3\0CURVE", 17));  // A greeting's start.
    } else if (i % 3 == 1) {
      bytes = "GET /livez HTTP/1.1\r\n\r\n";
    }
    peers.push_back(TcpSocket::Connect(port, 2 + i % 40));
    peers.back().Send(bytes);
  }
  rack.Append(link::FactClass::kLease, "good");
  EXPECT_TRUE(Eventually([&] {
    return region.owners.With([](auto&, auto&, auto& facts) {
      return facts.records[{1, link::FactClass::kLease}].size() == 1;
    });
  }));
  EXPECT_TRUE(rack.end->up());
  EXPECT_EQ(region.end->counters().link.RejectedTotal(), 0U);
}

TEST(LinkHostileTest, TwoHundredHalfOpenPeersLeaveRoomForAGoodRack) {
  TestRegion region("tcp://127.0.0.1:*", 16);
  const std::uint16_t port = PortOf(region.end->endpoint());
  std::vector<TcpSocket> peers;
  for (int i = 0; i < 200; ++i) {
    peers.push_back(TcpSocket::Connect(port, 2));
  }
  EXPECT_TRUE(
      Eventually([&] { return region.end->counters().connections_refused.value() >= 150; }));
  TestRack rack(region.Token(11));
  EXPECT_TRUE(Eventually([&] { return rack.end->up(); }));
  EXPECT_LT(region.end->counters().connections.value(), 30U);
  // Those within the limit are cut off too when their time for the handshake is over.
  for (const TcpSocket& peer : peers) {
    EXPECT_TRUE(peer.Ended(5'000));
  }
  EXPECT_TRUE(rack.end->up());
}

TEST(LinkHostileTest, ThousandHalfOpenPeersOfManyAddressesLeaveRoomToo) {
  rlimit files{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 4'096);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
  TestRegion region;
  TestRack rack(region.Token(11));
  ASSERT_TRUE(Eventually([&] { return rack.end->up(); }));
  const std::uint16_t port = PortOf(region.end->endpoint());
  std::vector<TcpSocket> peers;
  for (unsigned i = 0; i < 1'000; ++i) {
    peers.push_back(TcpSocket::Connect(port, 2 + i % 50));
  }
  EXPECT_TRUE(Eventually([&] { return region.end->counters().connections.value() > 900; }));
  TestRack late(region.Token(12), "rack-late");
  EXPECT_TRUE(Eventually([&] { return late.end->up(); }, std::chrono::seconds(5)));
  rack.Append(link::FactClass::kLease, "meanwhile");
  EXPECT_TRUE(Eventually([&] {
    return region.owners.With([](auto&, auto&, auto& facts) {
      return facts.records[{1, link::FactClass::kLease}].size() == 1;
    });
  }));
  int ups = 0;
  rack.Do([&](link::RackLink&, Instant) { ups = rack.observer.ups; });
  EXPECT_EQ(ups, 1);
}

TEST(LinkHostileTest, RecordedHandshakeReplayedReachesNoHandler) {
  TestRegion region;
  const std::uint16_t port = PortOf(region.end->endpoint());
  Relay relay(port);
  TestRack rack(region.Token(11, kTokenLife, relay.endpoint()));
  ASSERT_TRUE(Eventually([&] { return rack.end->up(); }));
  rack.Append(link::FactClass::kLease, "once");
  const auto stored = [&] {
    return region.owners.With([](auto&, auto&, auto& facts) {
      return facts.records[{1, link::FactClass::kLease}].size();
    });
  };
  ASSERT_TRUE(Eventually([&] { return stored() == 1; }));
  rack.end->Stop();
  ASSERT_TRUE(Eventually([&] { return region.end->counters().racks_up.value() == 0; }));
  const std::uint64_t handled = region.handled();
  const std::uint64_t received = region.end->counters().link.messages_received.value();
  const std::uint64_t failed = region.end->counters().handshakes_failed.value();
  for (const std::string& bytes : relay.recorded()) {
    const TcpSocket whole = TcpSocket::Connect(port);
    whole.Send(bytes);
    // And step by step, as the region's answers come.
    const TcpSocket paced = TcpSocket::Connect(port);
    for (std::size_t at = 0; at < bytes.size(); at += 64) {
      paced.Send(std::string_view(bytes).substr(at, 64));
      (void)paced.Receive(2);
    }
    EXPECT_TRUE(whole.Ended(6'000));
    EXPECT_TRUE(paced.Ended(6'000));
  }
  EXPECT_EQ(region.handled(), handled);
  EXPECT_EQ(region.end->counters().link.messages_received.value(), received);
  EXPECT_GT(region.end->counters().handshakes_failed.value(), failed);
  EXPECT_EQ(stored(), 1U);
}

TEST(LinkHostileTest, BytesChangedOrCutOnTheWayAreNeverApplied) {
  TestRegion region;
  std::atomic<int> pieces{0};
  std::atomic<bool> faulty{false};
  Relay relay(PortOf(region.end->endpoint()), [&](std::string& piece) {
    const int n = ++pieces;
    if (!faulty.load()) {
      return true;
    }
    if (n % 7 == 0) {
      piece[piece.size() / 2] = static_cast<char>(piece[piece.size() / 2] ^ 1);
    }
    if (n % 11 == 0) {
      piece.resize(piece.size() / 2);
      return false;
    }
    return true;
  });
  TestRack rack(region.Token(11, kTokenLife, relay.endpoint()));
  ASSERT_TRUE(Eventually([&] { return rack.end->up(); }));
  faulty.store(true);
  std::vector<std::string> expected;
  for (int i = 0; i < 200; ++i) {
    expected.push_back(std::to_string(i));
    rack.Append(link::FactClass::kEvent, expected.back());
  }
  std::this_thread::sleep_for(std::chrono::seconds(2));
  faulty.store(false);
  EXPECT_TRUE(Eventually([&] {
    return region.owners.With([&](auto&, auto&, auto& facts) {
      return facts.records[{1, link::FactClass::kEvent}] == expected;
    });
  }));
}

TEST(LinkHostileTest, MessagesTooLargeOrBrokenFromAKnownRackAreCounted) {
  TestRegion region;
  const link::KeyPair pair = link::KeyPair::Generate();
  region.directory.AddRack(3, "rack-c", pair.public_key);
  TestRack good(region.Token(11));
  ASSERT_TRUE(Eventually([&] { return good.end->up(); }));
  const std::uint64_t handled_before = region.handled();
  RawPeer peer(region, RawPeer::Security::kCurve, pair);
  std::vector<std::byte> flipped = HelloMessage();
  flipped[flipped.size() / 2] ^= std::byte{4};
  peer.Send(flipped);
  const std::vector<std::byte> hello = HelloMessage();
  peer.Send(ByteSpan(hello).first(12));
  const std::vector<std::byte> large(link::kMessageBytesMax + 1);
  peer.Send(large);
  const auto rejected = [&](link::RejectReason reason) {
    return region.end->counters().link.Rejected(reason);
  };
  EXPECT_TRUE(Eventually([&] { return rejected(link::RejectReason::kTooLarge) == 1; }));
  EXPECT_EQ(rejected(link::RejectReason::kChecksum), 1U);
  EXPECT_EQ(rejected(link::RejectReason::kTruncated), 1U);
  // Far too large: libzmq itself ends the connection.
  const std::uint64_t connections = region.end->counters().connections.value();
  const std::vector<std::byte> huge(8 * link::kMessageBytesMax);
  peer.Send(huge);
  EXPECT_TRUE(Eventually([&] { return region.end->counters().connections.value() < connections; }));
  EXPECT_TRUE(good.end->up());
  EXPECT_LE(region.handled(), handled_before + 30);  // The good rack's heartbeats only.
  EXPECT_EQ(region.end->counters().racks_up.value(), 1U);
}

}  // namespace
}  // namespace slipway::region_link::test
