#!/bin/bash
# DHCP options set over the API reach clients that we did not write (udhcpc; ISC dhclient for
# DHCPv6) in their next exchange, without a restart, by the scope that is nearest; and the command
# line shows the same set.
SLIPWAY_LAB=${SLIPWAY_LAB:-slipway-options}
. "$(dirname "$0")/../../e2e/e2e.sh"
. "$(dirname "$0")/clients.sh"
busybox=$(client_program busybox-static bin/busybox) || { echo "FAILED: no busybox"; exit 1; }
dhclient=$(client_program isc-dhcp-client sbin/dhclient) || { echo "FAILED: no dhclient"; exit 1; }
e2e_lab
in_segment="ip netns exec $ns_segment"
mac=52:54:00:55:00:02
ip -n "$ns_segment" link add client0 address $mac type veth peer name client0p
ip -n "$ns_segment" link set client0p master segment0 up
ip -n "$ns_segment" link set client0 up

# What udhcpc calls with what it was given: each option is a variable.
script=$lab/udhcpc.sh
cat > "$script" <<END
#!/bin/sh
[ "\$1" = bound ] || exit 0
env > "$lab/lease.bound"
END
chmod 0755 "$script"

# lease_from [udhcpc argument...]: one exchange, asking for what we look at.
lease_from() {
  rm -f "$lab/lease.bound"
  $in_segment timeout 20 "$busybox" udhcpc -i client0 -n -q -f -t 5 -T 1 -s "$script" \
    -O rootpath -O search -O staticroutes -O ntpsrv -O mtu -O 224 "$@" > "$lab/udhcpc.log" 2>&1
  [ -s "$lab/lease.bound" ] && cat "$lab/lease.bound"
}
# gets NAME VALUE [udhcpc argument...]: the next lease has it.
gets() {
  local name=$1 value=$2
  shift 2
  lease_from "$@" && grep -q -x -F -- "$name=$value" "$lab/lease.bound"
}
gets_no() {
  lease_from && ! grep -q "^$1=" "$lab/lease.bound"
}

slipway() {
  $api_in "$bin/slipway" --api "$region_api" --token-file "$lab/region/admin-token" "$@"
}
# The change is live on the rack; nothing was restarted.
live() {
  slipway "$@" && wait_for 10 rack_is_current
}
id_of() {
  slipway -o json dhcp-option list --scope "$1" --option "$2" | jq --raw-output '.[0].id'
}
option() { live dhcp-option create "$@"; }

check "the machine is known" slipway machine create node7 --mac $mac
check "for all: a path" option --option root-path --value /global
check "the client gets it" gets rootpath /global
check "on the VLAN: another" option --option root-path --value /vlan --vlan machines
check "the client gets that" gets rootpath /vlan
check "for its addresses: another" option --option root-path --value /range \
  --range "$(slipway -o json range list | jq --raw-output '.[0].id')"
check "the client gets that one" gets rootpath /range
check "a class by vendor class" live dhcp-class create phones --vendor-class phone
check "with a path" option --option root-path --value /class --class phones
check "is not the client's" gets rootpath /range
check "but a phone's" gets rootpath /class -V phone7
check "for the machine: another" option --option root-path --value /machine --machine node7
check "the client gets the machine's" gets rootpath /machine -V phone7
check "the value is changed" live dhcp-option set "$(id_of machine root-path)" --value /changed
check "the next reply has it" gets rootpath /changed
check "none for the machine" live dhcp-option delete "$(id_of machine root-path)"
check "the range's is back" gets rootpath /range

check "search domains" option --option domain-search --value 'eng.example, lab.eng.example' \
  --subnet machines
check "arrive, decompressed by the client" gets search 'eng.example lab.eng.example'
check "routes" option --option 121 --value '10.99.0.0/16 via 10.77.0.1' --vlan machines
check "arrive" gets staticroutes '10.99.0.0/16 10.77.0.1'
check "an unknown code" option --option 224 --value 0x0102ff
check "arrives as it was written" gets opt224 0102ff
check "time servers" option --option ntp-servers --value '10.77.0.8, 10.77.0.9'
check "arrive" gets ntpsrv '10.77.0.8 10.77.0.9'
check "an MTU" option --option interface-mtu --value 1400 --subnet machines
check "arrives" gets mtu 1400
check "not for this machine" option --option interface-mtu --suppress true --machine node7
check "and it is gone" gets_no mtu
check "not asked for, but always" option --option tftp-server-name --value files.example \
  --always true --machine node7
check "arrives" gets tftp files.example

# shown CODE FIELD VALUE: the effective option in `slipway dhcp options`.
shown() {
  [ "$(slipway -o json dhcp options node7 | jq --raw-output \
    ".items[] | select(.code == $1 and .state == \"effective\") | .$2")" = "$3" ]
}
check "the lease is known to the region" wait_for 10 shown 17 scope range
check "the command line shows the value" shown 17 value /range
check "and where it comes from" shown 121 of_name machines
check "and the fields of the model" shown 1 origin computed
check "a phone would get the class's" bash -c "$api_in $bin/slipway --api $region_api \
  --token-file $lab/region/admin-token -o json dhcp options node7 --vendor-class phone7 |
  jq --exit-status '.items[] | select(.value == \"/class\" and .state == \"effective\")'"
refused() { ! slipway dhcp-option create "$@" 2> "$lab/refused" && grep -q "$expected" "$lab/refused"; }
expected='item 2, character 11: is not an IPv4 address'
check "a wrong value is refused with the place" refused --option routers --value '10.77.0.1,x'
expected='message-type (53) cannot be set: the protocol itself says it'
check "what is the protocol's is refused" refused --option 53 --value 5

# ---- DHCPv6 ----
lease6=$lab/dhclient6.lease
cat > "$lab/dhclient6.sh" <<END
#!/bin/sh
[ "\$reason" = BOUND6 ] && env | grep '^new_' > "$lease6"
exit 0
END
chmod 0755 "$lab/dhclient6.sh"
cat > "$lab/dhclient6.conf" <<'END'
option dhcp6.own code 1000 = string;
option dhcp6.more code 1001 = string;
also request dhcp6.new-posix-timezone, dhcp6.own, dhcp6.bootfile-param, dhcp6.sntp-servers;
END
# lease6_from: one exchange under a new identity of the same interface.
lease6_from() {
  rm -f "$lease6" "$lab/dhclient6.leases"
  : > "$lab/dhclient6.leases"
  $in_segment timeout 20 "$dhclient" -6 -1 -v -D LL -cf "$lab/dhclient6.conf" \
    -sf "$lab/dhclient6.sh" -lf "$lab/dhclient6.leases" -pf "$lab/dhclient6.pid" client0 \
    > "$lab/dhclient6.log" 2>&1 8>&-
  kill "$(cat "$lab/dhclient6.pid")" 2> /dev/null
  [ -s "$lease6" ]
}
gets6() { lease6_from && grep -q -x -F -- "new_dhcp6_$1=$2" "$lease6"; }
gets6_no() { lease6_from && ! grep -q "^new_dhcp6_$1=" "$lease6"; }
option6() { option --family v6 "$@"; }
has_link_local() { ip -n "$ns_segment" -6 address show dev client0 scope link | grep inet6 |
  grep -qv tentative; }

check "IPv6 on the client's interface" $in_segment sysctl --quiet --write \
  net.ipv6.conf.client0.disable_ipv6=0
check "a link-local address" wait_for 10 has_link_local
check "an address for the rack" ip -n "$ns_rack" address add 2001:db8:77::1/64 dev machines0 nodad
check "an IPv6 network" live subnet create machines6 --vlan machines --cidr 2001:db8:77::/64
check "with a pool" live range create --subnet machines6 --kind dynamic \
  --first 2001:db8:77::1:0:0 --last 2001:db8:77::1:ffff:ffff
check "for all: a time zone" option6 --option posix-timezone --value CET-1CEST
check "the client gets it" gets6 new_posix_timezone CET-1CEST
check "on the VLAN: another" option6 --option posix-timezone --value UTC0 --vlan machines
check "the client gets that" gets6 new_posix_timezone UTC0
check "a class by MAC" live dhcp-class create racks --mac-prefix 52:54:00:55
check "with another" option6 --option posix-timezone --value EST5 --class racks
check "the client is in it" gets6 new_posix_timezone EST5
check "none for the machine" option6 --option posix-timezone --suppress true --machine node7
check "and it is gone" gets6_no new_posix_timezone
check "boot file parameters" option6 --option boot-file-parameters --value '"quiet", "root=x"' \
  --machine node7
check "arrive" gets6 bootfile_param '0:5:71:75:69:65:74:0:6:72:6f:6f:74:3d:78'
check "an unknown code" option6 --option 1000 --value 0x0102ff --subnet machines6
check "arrives as it was written" gets6 own 1:2:ff
check "time servers" option6 --option sntp-servers --value '2001:db8:77::8, 2001:db8:77::9' \
  --vlan machines
check "arrive" gets6 sntp_servers '2001:db8:77::8 2001:db8:77::9'
check "not asked for" option6 --option 1001 --value 0xaa --vlan machines
check "does not arrive" gets6_no more
check "but always" live dhcp-option set "$(id_of vlan 1001)" --always true
check "it does" gets6 more aa
shown6() {
  [ "$(slipway -o json dhcp options node7 --family v6 | jq --raw-output \
    ".items[] | select(.code == $1 and .state == \"$2\") | .of_name")" = "$3" ]
}
check "the command line shows the same set" shown6 60 effective node7
check "and what is suppressed" shown6 41 suppressed node7

check "nothing was allocated on a sealed shard" test \
  "$(rack_metric slipway_sealed_allocations_total)" = 0
