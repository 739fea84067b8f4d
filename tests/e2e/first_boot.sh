#!/bin/bash
# `./run --once`: a BIOS and a UEFI machine reach the region, and nothing stays behind.
. "$(dirname "$0")/e2e.sh"

trap e2e_end EXIT
"$root/run" --once || { e2e_evidence; exit 1; }
check "the rack used the driver ${SLIPWAY_IO:-ring}" \
  grep -q "id=io-driver text=\"${SLIPWAY_IO:-ring}: " "$lab/rack.log"
check "both machines were asked for their inventory" \
  test -s "$lab/inventory-bios.json" -a -s "$lab/inventory-uefi.json"
check "the BIOS machine says bios" grep -q '"bios"' "$lab/inventory-bios.json"
check "the UEFI machine says uefi" grep -q '"uefi"' "$lab/inventory-uefi.json"
check "no namespace stays" bash -c "! ip netns list | grep -q '^$SLIPWAY_LAB-'"
check "no process stays noted" test ! -e "$lab/state"
check "no process of the lab stays" bash -c "! pgrep -f -- '$lab/(region|rack|vm-|authorization)'"
