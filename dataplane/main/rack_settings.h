// The settings of slipway-rack: one table, read by dataplane/settings.
#pragma once

#include <array>

#include "dataplane/base/limits.h"
#include "dataplane/settings/settings.h"

namespace slipway::rack {

inline constexpr std::array kRackSettings = {
    settings::Setting{.key = "name",
                      .kind = settings::Kind::kText,
                      .fallback = "",
                      .doc = "Name proposed to the region at enrolment; the host name if empty."},
    settings::Setting{.key = "state_dir",
                      .kind = settings::Kind::kPath,
                      .fallback = "/var/lib/slipway/rack",
                      .doc = "Journal, snapshot and keys; one process at a time."},
    settings::Setting{.key = "images_dir",
                      .kind = settings::Kind::kPath,
                      .fallback = "/var/lib/slipway/images",
                      .doc = "Objects by digest: what machines load."},
    settings::Setting{.key = "join_token_file",
                      .kind = settings::Kind::kText,
                      .fallback = "",
                      .doc = "File with the token of `slipway rack token`; needed once."},
    settings::Setting{.key = "region.endpoints",
                      .kind = settings::Kind::kTextList,
                      .doc = "Instead of the token's: tcp://host:5250 of each region, in order."},
    settings::Setting{
        .key = "interfaces",
        .kind = settings::Kind::kTextList,
        .doc = "Interfaces that may be served at all; nothing is answered elsewhere."},
    settings::Setting{.key = "io",
                      .kind = settings::Kind::kText,
                      .fallback = "auto",
                      .doc = "Packet driver: auto, ring or epoll."},
    settings::Setting{.key = "shards",
                      .kind = settings::Kind::kInteger,
                      .fallback = "0",
                      .least = 0,
                      .most = 64,
                      .doc = "Shard threads; 0: two if the process may use two cores, else one."},
    settings::Setting{
        .key = "user",
        .kind = settings::Kind::kText,
        .fallback = "",
        .doc = "User to run as once the sockets are open; empty: stay, with no capabilities."},
    settings::Setting{.key = "http.port",
                      .kind = settings::Kind::kInteger,
                      .fallback = "5248",
                      .least = 1,
                      .most = 65535,
                      .doc = "Port of HTTP for machines."},
    settings::Setting{.key = "leases_max",
                      .kind = settings::Kind::kInteger,
                      .fallback = "131072",
                      .least = 16,
                      .most = 4'194'304,
                      .doc = "Leases that memory is taken for."},
    settings::Setting{.key = "dhcp.probe_seconds",
                      .kind = settings::Kind::kInteger,
                      .fallback = "0",
                      .least = 0,
                      .most = 86'400,
                      .doc = "Ask for foreign DHCP servers on each served interface every so many "
                             "seconds; 0: never. Not for VLANs that another Slipway rack serves."},
    settings::Setting{
        .key = "admin_socket",
        .kind = settings::Kind::kText,
        .fallback = "",
        .doc = "Unix socket for /livez, /readyz, /metrics; empty: <state_dir>/rack.sock."},
    settings::Setting{.key = "log.level",
                      .kind = settings::Kind::kText,
                      .fallback = "info",
                      .doc = "debug, info, warn or error."},
};

}  // namespace slipway::rack
