// The settings of slipway-region: ONE table, read by the program, --help and docs/operations.md.
#pragma once

#include <array>

#include "dataplane/settings/settings.h"

namespace slipway::region {

inline constexpr std::string_view kDefaultConfigFile = "/etc/slipway/region.toml";

using settings::Kind;
using settings::Setting;

inline constexpr std::array kRegionSettings = {
    Setting{"state_dir", Kind::kPath, "/var/lib/slipway/region", 0, 0,
            "Directory of the stores, keys and the admin token; a local file system."},
    Setting{"log.level", Kind::kText, "info", 0, 0, "debug, info, warn or error; SIGHUP reads it."},
    Setting{"api.listen", Kind::kText, "127.0.0.1", 0, 0,
            "Address of the HTTP API; only loopback until TLS is there."},
    Setting{"api.port", Kind::kInteger, "5240", 0, 65535, "TCP port of the HTTP API; 0: any free."},
    Setting{"api.connections_max", Kind::kInteger, "512", 8, 65536,
            "Connections to the API at once; more are answered 503."},
    Setting{"link.listen", Kind::kText, "*", 0, 0, "Address of the control link; * for all."},
    Setting{"link.port", Kind::kInteger, "5250", 0, 65535,
            "TCP port of the control link; 0: any free."},
    Setting{"link.endpoints", Kind::kTextList, "", 0, 0,
            "What join tokens tell racks, as tcp://host:port; empty: this host's name and the "
            "port."},
    Setting{"images.dir", Kind::kPath, "/var/lib/slipway/images", 0, 0,
            "Directory of image objects, by digest."},
    Setting{"store.map_gib", Kind::kInteger, "256", 1, 16384,
            "Address space for each store, GiB; disk is used as data grows."},
};

}  // namespace slipway::region
