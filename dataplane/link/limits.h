// Limits of the control link (docs/link.md lists them with their reasons).
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/base/limits.h"
#include "dataplane/base/time.h"

namespace slipway::link {

// Wire.
inline constexpr std::size_t kMessageBytesMax = limits::kLinkMessageBytesMax;
inline constexpr std::size_t kChecksumBytes = 8;
inline constexpr std::size_t kMessageBytesMin = kChecksumBytes + 16;
// A record costs at least 16 bytes of message, so that no valid message holds more tables.
inline constexpr std::uint32_t kVerifierTablesMax = 65'536;
inline constexpr std::uint32_t kVerifierDepthMax = 8;  // envelope, body, vector element, struct
inline constexpr std::uint8_t kVersionMajor = 0;
inline constexpr std::uint8_t kVersionMinor = 2;
inline constexpr std::uint16_t kProtocolVersion = (kVersionMajor << 8) | kVersionMinor;

// Credit: bytes of data messages (SnapshotChunk, Delta, Facts) in flight, per direction.
inline constexpr std::uint64_t kCreditBytes = limits::kLinkCreditBytes;
// Granted again in steps of this, so that credit messages stay few.
inline constexpr std::uint64_t kCreditStepBytes = kCreditBytes / 4;
static_assert(kCreditBytes - kCreditStepBytes >= kMessageBytesMax,
              "a whole message must fit while the last step is not granted yet");
// Data messages that the peer has not acknowledged yet: bounds the transport's queue in messages.
inline constexpr std::uint64_t kDataMessagesInFlightMax = 256;

// Snapshot chunks and deltas: bodies plus the overhead of each record (table, vector, padding).
inline constexpr std::size_t kRecordsPerMessageMax = 8'192;
inline constexpr std::size_t kRecordOverheadBytes = 48;
inline constexpr std::size_t kChunkBytesMax = 960 << 10;
inline constexpr std::size_t kRecordBytesMax = 64 << 10;
static_assert(kChunkBytesMax + 4'096 < kMessageBytesMax);
inline constexpr std::uint32_t kGenerationsUnconfirmedMax = 8;

// Facts.
inline constexpr std::size_t kFactBytesMax = limits::kInventoryBytesMax + 4'096;
inline constexpr std::size_t kFactsPerMessageMax = 4'096;
inline constexpr std::size_t kFactsPayloadBytesMax = 512 << 10;
inline constexpr std::size_t kFactOverheadBytes = 24;
static_assert(kFactsPayloadBytesMax + kFactBytesMax + kFactsPerMessageMax * kFactOverheadBytes <
              kMessageBytesMax);

// Fields.
inline constexpr std::size_t kRackNameBytesMax = 63;
inline constexpr std::size_t kSoftwareBytesMax = 63;
inline constexpr std::size_t kReasonBytesMax = 255;
inline constexpr std::size_t kInterfacesMax = 256;
inline constexpr std::size_t kInterfaceAddressesMax = 64;
inline constexpr std::size_t kAddressTextBytesMax = 49;
inline constexpr std::size_t kTopicBytesMax = 63;
inline constexpr std::size_t kArgumentBytesMax = 4'096;
inline constexpr std::size_t kAnswerBytesMax = 1'000'000;
inline constexpr std::size_t kQueriesOutstandingMax = 64;

// Time.
inline constexpr Duration kHeartbeat = Duration::Seconds(1);
inline constexpr Duration kPeerDead = Duration::Seconds(3);        // without any valid message
inline constexpr Duration kWelcomeTimeout = Duration::Seconds(2);  // from connect to Welcome
inline constexpr Duration kReconnectMin = Duration::Millis(250);   // doubles with each failure
inline constexpr Duration kReconnectMax = Duration::Seconds(2);
inline constexpr Duration kResyncInterval = Duration::Seconds(1);  // between snapshots to one rack
inline constexpr Duration kQueryTimeout = Duration::Seconds(5);
// Dead, then the longest first delay, then a connection: the rack is on another region in 5 s.
static_assert(kPeerDead + kReconnectMin < Duration::Seconds(5));
// All racks try within one back-off after a region returns.
static_assert(kWelcomeTimeout + kReconnectMax < Duration::Seconds(5));

}  // namespace slipway::link
