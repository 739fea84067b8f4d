#!/bin/bash
# DHCP clients of other makers against a running rack: dhclient, dhcpcd and systemd-networkd on the
# rack's segment, and udhcpc behind two of ISC's relays at once.
SLIPWAY_LAB=${SLIPWAY_LAB:-slipway-dhcp}
. "$(dirname "$0")/../../e2e/e2e.sh"
. "$root/tests/support/lab/clients.sh"
busybox=$(client_program busybox-static bin/busybox) || { echo "FAILED: no busybox"; exit 1; }
dhclient=$(client_program isc-dhcp-client sbin/dhclient) || { echo "FAILED: no dhclient"; exit 1; }
dhcpcd=$(client_program dhcpcd-base usr/sbin/dhcpcd) || { echo "FAILED: no dhcpcd"; exit 1; }
networkd=$(client_program systemd lib/systemd/systemd-networkd libsystemd-shared) ||
  { echo "FAILED: no systemd-networkd"; exit 1; }
dhcrelay=$(client_program isc-dhcp-relay usr/sbin/dhcrelay) || { echo "FAILED: no dhcrelay"; exit 1; }
e2e_lab
in_segment="ip netns exec $ns_segment"

# What each client calls with what it was given: the lines land in a file of the test.
script=$lab/lease.sh
cat > "$script" <<END
#!/bin/sh
env | grep -E '^(reason|new_[a-z_]*|ip|serverid|lease|router)=' >> "$lab/lease.env"
exit 0
END
chmod 0755 "$script"
heard() { grep -q "^$1=$2\$" "$lab/lease.env"; }

# segment_client NAME MAC: an interface on the rack's segment.
segment_client() {
  ip -n "$ns_segment" link add "$1" address "$2" type veth peer name "$1p"
  ip -n "$ns_segment" link set "$1p" master segment0 up
  ip -n "$ns_segment" link set "$1" up
}
segment_client client0 52:54:00:55:10:01

# ---- clients on the segment ----

# run_dhclient REASON: it calls its script with it once it has its lease.
run_dhclient() {
  : > "$lab/lease.env"
  $in_segment timeout 20 "$dhclient" -4 -1 -d -v -cf /dev/null -lf "$lab/dhclient.leases" \
    -pf "$lab/dhclient.pid" -sf "$script" client0 > "$lab/dhclient.log" 2>&1 8>&- &
  wait_for 15 heard reason "$1"
  local found=$?
  kill $! 2> /dev/null
  wait $! 2> /dev/null
  return $found
}
rm -f "$lab/dhclient.leases"
touch "$lab/dhclient.leases"
check "dhclient gets a lease" run_dhclient BOUND
check "from the range" heard new_ip_address '10\.77\.0\.1[0-9][0-9]'
check "with the lease time of the subnet" heard new_dhcp_lease_time 600
address=$(sed -n 's/^new_ip_address=//p' "$lab/lease.env" | tail -1)
run_dhclient_again() { run_dhclient REBOOT && heard new_ip_address "$address"; }
check "dhclient gets it again in INIT-REBOOT" run_dhclient_again
check "by a REQUEST alone" bash -c "! grep -q DHCPDISCOVER $lab/dhclient.log"

run_dhcpcd() {
  : > "$lab/lease.env"
  # Its state is in places of the system: it gets its own.
  # shellcheck disable=SC2016 # for the inner shell
  $in_segment unshare --mount sh -c 'mount -t tmpfs none /var/lib && mount -t tmpfs none /run &&
    mkdir -p /var/lib/dhcpcd /run/dhcpcd && exec timeout 20 "$1" -4 -B -d -1 --noarp -c "$2" \
    -f /dev/null client0' sh "$dhcpcd" "$script" > "$lab/dhcpcd.log" 2>&1
  heard reason BOUND
}
check "dhcpcd gets a lease" run_dhcpcd
check "of the same address, though its client identifier is another" heard new_ip_address "$address"
ip -n "$ns_segment" address flush dev client0

# In a namespace without systemd it works if /sys is read-only: then it waits for no udev.
run_networkd() {
  # shellcheck disable=SC2016 # for the inner shell
  $in_segment unshare --mount sh -c 'mount -t tmpfs none /run && mkdir -p /run/systemd/network \
    /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp &&
    printf "[Match]\nName=client0\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n" \
      > /run/systemd/network/10.network && mount -o remount,ro /sys &&
    SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console LD_LIBRARY_PATH="$2" exec timeout 20 "$1"' \
    sh "$networkd" "$(client_libraries systemd)/systemd" > "$lab/networkd.log" 2>&1 8>&- &
  wait_for 15 bash -c "ip -n $ns_segment -4 address show dev client0 | grep -q 'inet $address/24'"
  local found=$?
  kill $! 2> /dev/null
  wait $! 2> /dev/null
  return $found
}
check "systemd-networkd gets a lease of the same address" run_networkd
released() { rack_get /metrics | grep -q '^slipway_dhcp_packets_total{reason="released"} [1-9]'; }
check "and gives it back when it ends, though it names no server" wait_for 10 released
ip -n "$ns_segment" address flush dev client0

# ---- behind two relays ----
#
#   segment0 --- relay A (10.77.0.2, 10.88.0.1) ---+--- far0 --- client
#            \-- relay B (10.77.0.3, 10.88.0.2) ---/

ns_far=$lab_name-far
lab_namespace "$ns_far"
ip netns exec "$ns_far" sysctl --quiet --write net.ipv6.conf.all.disable_ipv6=1 \
  net.ipv6.conf.default.disable_ipv6=1
ip -n "$ns_far" link add name far0 type bridge mcast_snooping 0 forward_delay 0
ip -n "$ns_far" link set far0 up

# relay NAME NEAR FAR: a router that relays.
relay() {
  local ns=$lab_name-$1
  lab_namespace "$ns"
  ip netns exec "$ns" sysctl --quiet --write net.ipv4.ip_forward=1
  ip link add name near0 netns "$ns" type veth peer name "$1n" netns "$ns_segment"
  ip link add name far0 netns "$ns" type veth peer name "$1f" netns "$ns_far"
  ip -n "$ns_segment" link set "$1n" master segment0 up
  ip -n "$ns_far" link set "$1f" master far0 up
  ip -n "$ns" address add "$2/24" dev near0
  ip -n "$ns" address add "$3/24" dev far0
  ip -n "$ns" link set near0 up
  ip -n "$ns" link set far0 up
  # -a: adds option 82. It forks nothing in the foreground.
  ip netns exec "$ns" "$dhcrelay" -4 -d -a -pf "$lab/$1.relay-pid" -id far0 -iu near0 \
    "$rack_address" > "$lab/$1.log" 2>&1 8>&- &
  lab_process "$1" $!
}
relay relaya 10.77.0.2 10.88.0.1
relay relayb 10.77.0.3 10.88.0.2
ip -n "$ns_rack" route add 10.88.0.0/24 via 10.77.0.2
ip -n "$ns_rack" route add 10.88.0.2/32 via 10.77.0.3
lab_api POST /v1/vlans '{"name":"far","fabric":"lab","vid":88,"unknown_policy":"enlist"}' > /dev/null
lab_api POST /v1/subnets '{"name":"far","vlan":"far","cidr":"10.88.0.0/24","gateway":"10.88.0.1"}' \
  > /dev/null
lab_api POST /v1/ranges '{"subnet":"far","first":"10.88.0.100","last":"10.88.0.199"}' > /dev/null
# No interface of the rack is on it: relays are the only way.
lab_api POST /v1/served-interfaces '{"rack":"lab","vlan":"far"}' > /dev/null
check "the rack knows the network behind the relays" wait_for 10 rack_is_current
ip -n "$ns_far" link add client1 address 52:54:00:55:10:02 type veth peer name client1p
ip -n "$ns_far" link set client1p master far0 up
ip -n "$ns_far" link set client1 up
in_far="ip netns exec $ns_far"

: > "$lab/lease.env"
$in_far "$busybox" udhcpc -i client1 -f -t 5 -T 1 -s "$script" > "$lab/udhcpc.log" 2>&1 8>&- &
lab_process udhcpc $!
check "udhcpc gets a lease through two relays" wait_for 15 heard ip '10\.88\.0\.1[0-9][0-9]'
far_address=$(sed -n 's/^ip=//p' "$lab/lease.env" | tail -1)
check "relay A passed answers on" grep -q BOOTREPLY "$lab/relaya.log"
check "relay B too" grep -q BOOTREPLY "$lab/relayb.log"
check "it is one lease" is 1 "/v1/leases" \
  '[.items[] | select(.mac == "52:54:00:55:10:02" and .state == "bound")] | length'

# The renewal goes straight to the rack, past the relays' DHCP part, and is answered straight.
ip -n "$ns_far" address add "$far_address/24" dev client1
ip -n "$ns_far" route add default via 10.88.0.1
: > "$lab/lease.env"
kill -USR1 "$(lab_pid udhcpc)"
check "a renewal that bypasses the relays is answered" wait_for 15 heard ip "$far_address"
check "from memory" test "$(rack_get /metrics |
  sed -n 's/^slipway_dhcp_packets_total{reason="acked-from-memory"} //p')" -ge 1
kill -USR2 "$(lab_pid udhcpc)"
released_again() {
  rack_get /metrics | grep -q '^slipway_dhcp_packets_total{reason="released"} [2-9]'
}
check "a release that bypasses them too" wait_for 10 released_again

# ---- an address that somebody has taken ----

shrink() {
  local range
  range=$(query /v1/ranges '.items[] | select(.first == "10.77.0.100") | .id')
  lab_api PATCH "/v1/ranges/$range" '{"last":"10.77.0.119"}' && wait_for 10 rack_is_current
}
check "the pool shrinks to twenty addresses" shrink
# Everything of the range that is odd is squatted on: offers of those are taken back.
segment_client squatter 52:54:00:55:10:09
for ((i = 101; i < 120; i += 2)); do
  ip -n "$ns_segment" address add "10.77.0.$i/32" dev squatter
done
conflicts() { rack_get /metrics | sed -n 's/^slipway_dhcp_probes_total{result="conflict"} //p'; }
without=0
for ((i = 1; i <= 12; ++i)); do
  segment_client "new$i" "52:54:00:55:11:$(printf %02x "$i")"
  : > "$lab/lease.env"
  $in_segment timeout 20 "$busybox" udhcpc -i "new$i" -n -q -f -t 8 -T 1 -s "$script" \
    > "$lab/udhcpc.log" 2>&1 || without=$((without + 1))
  ip -n "$ns_segment" link delete "new$i"
done
check "every new client got a lease" test "$without" = 0
check "conflicts were found beside the offers" test "$(conflicts)" -ge 1
told() {
  [ "$(query /v1/events '[.items[] | select(.code == "address-conflict")] | length')" -ge 1 ]
}
check "the region is told which address it is" wait_for 10 told
check "nothing was allocated on a sealed shard" \
  test "$(rack_metric slipway_sealed_allocations_total)" = 0
