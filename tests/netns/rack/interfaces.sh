#!/bin/bash
# Interfaces of a running rack that appear, change their address and vanish, while clients on another
# one ask without retries: none of theirs is lost.
SLIPWAY_LAB=${SLIPWAY_LAB:-slipway-links}
. "$(dirname "$0")/../../e2e/e2e.sh"
. "$root/tests/support/lab/clients.sh"
busybox=$(client_program busybox-static bin/busybox) || { echo "FAILED: no busybox"; exit 1; }
. "$(dirname "$0")/load.sh"
lab_interfaces='"machines0", "extra0"'
e2e_lab
load_prepare
lab_api POST /v1/vlans '{"name":"extra","fabric":"lab","vid":79,"unknown_policy":"enlist"}' > /dev/null
lab_api POST /v1/subnets '{"name":"extra","vlan":"extra","cidr":"10.79.0.0/24"}' > /dev/null
lab_api POST /v1/ranges '{"subnet":"extra","first":"10.79.0.100","last":"10.79.0.199"}' > /dev/null
lab_api POST /v1/served-interfaces '{"rack":"lab","name":"extra0","vlan":"extra"}' > /dev/null
check "the rack knows a VLAN whose interface is not there" wait_for 10 rack_is_current

gave() { [ "$(cat "$lease_script.extra1" 2> /dev/null)" = "$1 $2" ]; }

# extra ADDRESS: the interface appears, with its far end in the segment's namespace, on no bridge.
extra() {
  ip link add name extra0 netns "$ns_rack" type veth peer name extra1 netns "$ns_segment" \
    address 52:54:00:55:20:01 || return 1
  ip -n "$ns_rack" address add "$1/24" dev extra0
  ip -n "$ns_rack" link set extra0 up
  ip -n "$ns_segment" link set extra1 up
}
served() { [ "$(rack_metric slipway_interfaces_served)" = "$1" ]; }

# ---- load on the steady interface ----

load_start 3

# ---- changes on the other ----

check "the interface appears" extra 10.79.0.1
check "and is served" wait_for 10 served 2
check "a client there gets a lease" ask extra1
address=$(cut -d' ' -f1 "$lease_script.extra1")
check "from its address" gave "$address" 10.79.0.1
ip -n "$ns_rack" address add 10.79.0.2/24 dev extra0
ip -n "$ns_rack" address delete 10.79.0.1/24 dev extra0
# The kernel removes later addresses of a network with the first, unless told to promote them.
ip -n "$ns_rack" address replace 10.79.0.2/24 dev extra0
moved() { ask extra1 && gave "$address" 10.79.0.2; }
check "its address changes, and so does the server's identifier" wait_for 15 moved
ip -n "$ns_rack" link delete extra0
check "it vanishes" wait_for 10 served 1
for ((round = 0; round < 40; ++round)); do
  extra "10.79.0.$((1 + round % 5))" || break
  ip -n "$ns_rack" link set extra0 down
  ip -n "$ns_rack" link set extra0 up
  ip -n "$ns_rack" link delete extra0
done
check "forty times" test "$round" = 40
check "it appears again" extra 10.79.0.9
came_back() { ask extra1 && gave "$address" 10.79.0.9; }
check "the client has its address as before" wait_for 15 came_back
check "an interface may be renamed away" ip -n "$ns_rack" link set extra0 down
ip -n "$ns_rack" link set extra0 name other0
ip -n "$ns_rack" link set other0 up
check "and is not served then" wait_for 10 served 1
unanswered() { ! ask extra1; }
check "nobody answers there" unanswered

# ---- what became of the load ----

load_end 3 60
check "no frame was refused by the kernel" test "$(rack_metric slipway_packets_send_failures_total)" = 0
check "nothing was allocated on a sealed shard" \
  test "$(rack_metric slipway_sealed_allocations_total)" = 0
