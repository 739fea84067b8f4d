#!/bin/bash
# IPv6 clients of other makers against a running rack: ISC dhclient, dhcpcd and systemd-networkd, in
# a namespace of their own on the rack's segment, behind full router advertisements.
SLIPWAY_LAB=${SLIPWAY_LAB:-slipway-dhcp6}
. "$(dirname "$0")/../../e2e/e2e.sh"
. "$root/tests/support/lab/clients.sh"
dhclient=$(client_program isc-dhcp-client sbin/dhclient) || { echo "FAILED: no dhclient"; exit 1; }
dhcpcd=$(client_program dhcpcd-base usr/sbin/dhcpcd) || { echo "FAILED: no dhcpcd"; exit 1; }
networkd=$(client_program systemd lib/systemd/systemd-networkd libsystemd-shared) ||
  { echo "FAILED: no systemd-networkd"; exit 1; }
e2e_lab
ns_client=$lab_name-client
lab_namespace "$ns_client"
in_client="ip netns exec $ns_client"

check "an IPv6 network on the VLAN" lab_api POST /v1/subnets '{"name":"machines6",
  "vlan":"machines","cidr":"2001:db8:77::/64","dns_servers":["2001:db8:77::1"],
  "domain":"rack.test"}'
check "with a pool" lab_api POST /v1/ranges '{"subnet":"machines6","kind":"dynamic",
  "first":"2001:db8:77::1:0:0","last":"2001:db8:77::1:ffff:ffff"}'
check "advertised in full" lab_api PATCH /v1/vlans/machines '{"router_advertisement":"full"}'
check "an address for the rack" ip -n "$ns_rack" address add 2001:db8:77::1/64 dev machines0 nodad
check "the rack takes it" wait_for 20 rack_is_current

ip link add name client0 netns "$ns_client" address 52:54:00:66:00:01 type veth \
  peer name client60 netns "$ns_segment"
ip -n "$ns_segment" link set client60 master segment0 up
ip -n "$ns_client" link set client0 up
has_link_local() { ip -n "$ns_client" -6 address show dev client0 scope link | grep inet6 |
  grep -qv tentative; }
check "a link-local address" wait_for 10 has_link_local
on_link() { ip -n "$ns_client" -6 route show dev client0 | grep -q '^2001:db8:77::/64 proto kernel'; }
check "the kernel learns the prefix" wait_for 20 on_link
no_router() { ! ip -n "$ns_client" -6 route show default | grep -q .; }
check "but no router" no_router
no_address() { ! ip -n "$ns_client" -6 address show dev client0 scope global | grep -q .; }
check "and makes no address of it" no_address

# ---- ISC dhclient ----
cat > "$lab/dhclient.sh" <<END
#!/bin/sh
env | grep -E '^(new_|reason)' > "$lab/dhclient.\$reason"
exit 0
END
chmod 0755 "$lab/dhclient.sh"
cat > "$lab/dhclient.conf" <<END
send fqdn.fqdn "node-6";
also request dhcp6.name-servers, dhcp6.domain-search;
END
dhclient_run() {
  $in_client timeout 30 "$dhclient" -6 -v -cf "$lab/dhclient.conf" -sf "$lab/dhclient.sh" \
    -lf "$lab/dhclient.leases" -pf "$lab/dhclient.pid" "$@" client0 8>&-
}
gave() { grep -q "^new_$1=$2\$" "$lab/dhclient.BOUND6"; }
: > "$lab/dhclient.leases"
check "dhclient gets a lease" dhclient_run -1
check "says so" test -s "$lab/dhclient.BOUND6"
check "from the range" gave ip6_address '2001:db8:77::1:[0-9a-f:]*'
check "for the subnet's time" gave max_life 600
check "with its DNS server" gave dhcp6_name_servers '2001:db8:77::1'
check "and domain" gave dhcp6_domain_search 'rack\.test\.'
first=$(sed -n 's/^new_ip6_address=//p' "$lab/dhclient.BOUND6")
kill "$(cat "$lab/dhclient.pid")" 2> /dev/null
rm -f "$lab/dhclient.BOUND6"
: > "$lab/dhclient.leases"
check "under another identity on the same interface" dhclient_run -1 -D LL
check "it gets the same address" gave ip6_address "$first"
check "and releases it" dhclient_run -r
released() { rack_get /metrics | grep -q '^slipway_dhcp6_packets_total{reason="released"} [1-9]'; }
check "which the rack counts" wait_for 10 released

# ---- dhcpcd ----
has_address() { ip -n "$ns_client" -6 address show dev client0 | grep -q "inet6 $first/"; }
run_dhcpcd() {
  printf 'ipv6only\nduid\nia_na\n' > "$lab/dhcpcd.conf"
  # Its state is in places of the system: it gets its own.
  # shellcheck disable=SC2016 # for the inner shell
  $in_client unshare --mount sh -c 'mount -t tmpfs none /var/lib && mount -t tmpfs none /run &&
    mkdir -p /var/lib/dhcpcd /run/dhcpcd && exec timeout 20 "$1" -6 -B -d -c /bin/true \
    -f "$2" client0' sh "$dhcpcd" "$lab/dhcpcd.conf" > "$lab/dhcpcd.log" 2>&1 8>&- &
  wait_for 18 has_address
  local found=$?
  kill $! 2> /dev/null
  wait $! 2> /dev/null
  return $found
}
check "dhcpcd gets a lease of the same address" run_dhcpcd
ip -n "$ns_client" -6 address flush dev client0 scope global

# ---- systemd-networkd: if /sys is read-only it waits for no udev ----
run_networkd() {
  # shellcheck disable=SC2016 # for the inner shell
  $in_client unshare --mount sh -c 'mount -t tmpfs none /run && mkdir -p /run/systemd/network \
    /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp &&
    printf "[Match]\nName=client0\n[Network]\nDHCP=ipv6\nIPv6AcceptRA=yes\n" \
      > /run/systemd/network/10.network && mount -o remount,ro /sys &&
    SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console LD_LIBRARY_PATH="$2" exec timeout 40 "$1"' \
    sh "$networkd" "$(client_libraries systemd)/systemd" > "$lab/networkd.log" 2>&1 8>&- &
  wait_for 35 has_address
  local found=$?
  kill $! 2> /dev/null
  wait $! 2> /dev/null
  return $found
}
check "systemd-networkd gets a lease of the same address" run_networkd

lease_is_known() { lab_api GET "/v1/leases?mac=52:54:00:66:00:01" | grep -q "$first"; }
check "the lease is known to the region" wait_for 10 lease_is_known
check "nothing was allocated on a sealed shard" bash -c "[ $(rack_metric \
  slipway_sealed_allocations_total) = 0 ]"
