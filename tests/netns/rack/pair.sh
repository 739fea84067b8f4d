#!/bin/bash
# Two racks on one VLAN: both serve, an ACK is on both disks, each takes over for the other within
# 10 s and catches up when it comes back, and no address is given twice, also in a partition.
SLIPWAY_LAB=${SLIPWAY_LAB:-slipway-pair}
. "$(dirname "$0")/../../e2e/e2e.sh"
. "$root/tests/support/lab/clients.sh"
. "$root/tests/support/lab/pair.sh"
busybox=$(client_program busybox-static bin/busybox) || { echo "FAILED: no busybox"; exit 1; }
dhclient=$(client_program isc-dhcp-client sbin/dhclient) || { echo "FAILED: no dhclient"; exit 1; }
e2e_lab
pair_up

# ---- both serve, and each client gets one address ----
for i in 1 2 3 4 5 6 7 8; do
  pair_client "c$i" "52:54:00:57:00:0$i"
  check "client $i is served" ask "c$i"
done
check "each has an address of its own" all_differ 8
check "rack A answered some" answered_by 10.77.0.1
check "rack B answered others" answered_by 10.77.0.2
check "A gave even addresses, B odd ones" shares_kept
both_know() { [ "$(lease_state A "$1")" = bound ] && [ "$(lease_state B "$1")" = bound ]; }
for i in 1 2 3 4 5 6 7 8; do
  check "both racks know client $i" both_know "$(address_of "c$i")"
done
for i in 1 2; do
  before=$(address_of "c$i")
  check "client $i once more" ask "c$i"
  check "has $before" test "$(address_of "c$i")" = "$before"
done

# ---- a rack dies, right after its ACK ----
pair_client last 52:54:00:57:00:20
check "a client is served by rack A" ask_until_from 10.77.0.1 last
lab_kill KILL rack
killed=$SECONDS
kept=$(address_of last)
check "the other one gives it the same address" ask_within 10 last
check "within 10 s" test $((SECONDS - killed)) -le 10
check "namely $kept" test "$(address_of last)" = "$kept"
check "by rack B" grep -q '10\.77\.0\.2$' "$lab/ask.last"
check "B says that it is alone" wait_for 5 pair_state B communications-interrupted
for i in 1 2 3 4 5 6 7 8; do
  before=$(address_of "c$i")
  check "client $i reboots with its lease" dhclient_reboots "c$i" "$before"
  check "and asks again" ask_within 10 "c$i"
  check "and has $before" test "$(address_of "c$i")" = "$before"
done
pair_client new1 52:54:00:57:01:01
check "a new client is served by B alone" ask_within 10 new1
check "from its own share" odd "$(address_of new1)"
check "for no longer than MCLT" test "$(lease_seconds new1)" -le 30
alone=$(address_of new1)

# ---- it comes back and catches up before it serves ----
pair_start A
check "both are in normal again" wait_for 15 both_normal
check "A knows what B gave meanwhile" wait_for 5 both_know "$alone"
lab_kill KILL rackb
check "A gives it the same address" ask_within 10 new1
check "namely $alone" test "$(address_of new1)" = "$alone"
check "by rack A" grep -q '10\.77\.0\.1$' "$lab/ask.new1"
pair_start B
check "both are in normal once more" wait_for 15 both_normal

# ---- cut off from each other, both serve: nothing is given twice ----
check "the racks are cut off from each other" partition
check "A is alone" wait_for 10 pair_state A communications-interrupted
check "B is alone" wait_for 10 pair_state B communications-interrupted
for i in 1 2 3 4 5 6; do
  pair_client "p$i" "52:54:00:57:02:0$i"
  check "client $i of the partition is served" ask_within 10 "p$i"
done
check "all addresses differ" all_differ 16
check "the cut is mended" heal
check "both are in normal after it" wait_for 20 both_normal
for i in 1 2 3 4 5 6; do
  check "both know client $i of the partition" wait_for 5 both_know "$(address_of "p$i")"
done
conflicts() { [ "$(pair_metric A slipway_pair_conflicts_total)" = 0 ] &&
  [ "$(pair_metric B slipway_pair_conflicts_total)" = 0 ]; }
check "no address was in two hands" conflicts
told() { lab_api GET '/v1/events?limit=500' | grep -q "$1"; }
check "the states are events" wait_for 10 told pair-state-interrupted
check "all of them" wait_for 10 told pair-state-normal

# ---- DHCPv6 ----
check "an IPv6 network" pair_network6
for i in 1 2 3 4 5 6; do
  check "IPv6 client $i is served" ask6 "c$i"
done
check "their addresses differ" all_differ6 6
check "by both racks" test "$(servers6 | sort -u | wc -l)" = 2
lab_kill KILL rack
for i in 1 2 3 4 5 6; do
  before=$(address6_of "c$i")
  check "IPv6 client $i asks the rack that is left" ask6 "c$i"
  check "and keeps $before" test "$(address6_of "c$i")" = "$before"
done
check "nothing was allocated on a sealed shard" \
  test "$(pair_metric B slipway_sealed_allocations_total)" = 0
