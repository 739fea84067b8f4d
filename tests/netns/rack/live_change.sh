#!/bin/bash
# Ranges, lease times and reservations change by the hundred while clients ask without retries: none
# of their exchanges is lost, and what is drained or revoked is not given.
SLIPWAY_LAB=${SLIPWAY_LAB:-slipway-changes}
. "$(dirname "$0")/../../e2e/e2e.sh"
. "$root/tests/support/lab/clients.sh"
busybox=$(client_program busybox-static bin/busybox) || { echo "FAILED: no busybox"; exit 1; }
. "$(dirname "$0")/load.sh"
e2e_lab
load_prepare
# A client that moves keeps what it was promised until that ends, so each move takes an address.
first=$(query /v1/ranges '.items[] | select(.first == "10.77.0.100") | .id')
lab_api PATCH "/v1/ranges/$first" '{"first":"10.77.0.60","last":"10.77.0.149"}' > /dev/null
lab_api POST /v1/ranges '{"subnet":"machines","first":"10.77.0.150","last":"10.77.0.249"}' > /dev/null
second=$(query /v1/ranges '.items[] | select(.first == "10.77.0.150") | .id')
lab_api POST /v1/machines '{"hostname":"reserved"}' > /dev/null
lab_api POST /v1/interfaces '{"machine":"reserved","mac":"52:54:00:55:21:02"}' > /dev/null
interface=$(query /v1/interfaces '.items[] | select(.mac == "52:54:00:55:21:02") | .id')
check "the rack knows them" wait_for 10 rack_is_current

load_start 3
changes=0
change() {
  lab_api PATCH "$1" "$2" > /dev/null || return 1
  changes=$((changes + 1))
}
vary() {
  local round
  for ((round = 0; round < 15; ++round)); do
    change "/v1/ranges/$first" '{"state":"draining"}' && change "/v1/subnets/machines" \
      "{\"lease_seconds\":$((300 + round))}" && change "/v1/ranges/$first" '{"state":"active"}' &&
      change "/v1/ranges/$second" '{"state":"revoked"}' &&
      change "/v1/interfaces/$interface" '{"address":"10.77.0.50"}' &&
      change "/v1/ranges/$second" '{"state":"active"}' &&
      change "/v1/interfaces/$interface" '{"address":null}' || return 1
  done
}
check "the model changes by the hundred" vary
check "each change was made" test "$changes" = 105
check "the rack has followed" wait_for 20 rack_is_current
change "/v1/ranges/$first" '{"state":"revoked"}'
check "at last the first range is revoked" wait_for 10 rack_is_current
load_end 3 30
load_client late 52:54:00:55:22:01
check "a new client is served" ask late
check "from the other range" grep -q '^10\.77\.0\.\(1[5-9]\|2[0-4]\)[0-9] ' "$lease_script.late"
check "no frame was refused by the kernel" test "$(rack_metric slipway_packets_send_failures_total)" = 0
check "nothing was allocated on a sealed shard" \
  test "$(rack_metric slipway_sealed_allocations_total)" = 0
