#!/bin/bash
# The whole chain of an explanation: a real region, a real rack, udhcpc and ISC dhclient -6. What the
# command line says is what the client got, or gets next; a lease is shown and released; pools are
# counted.
SLIPWAY_LAB=${SLIPWAY_LAB:-slipway-explain}
. "$(dirname "$0")/../../e2e/e2e.sh"
. "$(dirname "$0")/clients.sh"
busybox=$(client_program busybox-static bin/busybox) || { echo "FAILED: no busybox"; exit 1; }
dhclient=$(client_program isc-dhcp-client sbin/dhclient) || { echo "FAILED: no dhclient"; exit 1; }
e2e_lab
mac=52:54:00:55:00:01
segment_client "$mac"
cli() {
  ip netns exec "$ns_region" "$bin/slipway" --api "$region_api" \
    --token-file "$lab/region/admin-token" "$@"
}
# told FILTER [OPTION...]: what an explanation says.
told() {
  local filter=$1
  shift
  cli -o json dhcp explain --mac "$mac" "$@" | jq --raw-output "$filter"
}
tells() {
  [ "$(told "$2" "${@:3}")" = "$1" ] || { echo "expected $1, got $(told "$2" "${@:3}")"; return 1; }
}

check "a client that was never here would get an offer" wait_for 10 tells offer .answer
check "by the rack" tells true .leases
check "of a free address" tells address-by-hash \
  '[.rules[] | select(.matched and (.rule | startswith("address-")))][0].rule'
foretold=$(told .address)
check "it gets a lease" lease_from
check "of that address" gave ip "$foretold"
address=$(sed -n 's/^ip=//p' "$lab/lease.bound")
check "an x64 UEFI machine would get its loader" \
  tells loaders/snponly.efi .boot.file --arch x64-uefi
check "and gets it" lease_from -V PXEClient:Arch:00007:UNDI:003016 -x 0x5d:0007
check "as foretold" gave boot_file 'loaders/snponly\.efi'
check "the last packet was its request" tells request .packet.type --last
check "it was answered then" tells ack .then.answer --last
check "with that address" tells "$address" .then.address --last
check "and is answered so again" tells "$address" .address --last
check "a relay that nobody knows gets no answer" tells none .answer --relay 192.0.2.1
check "the reason" tells unserved-link .reason --relay 192.0.2.1
check "is the last rule" tells vlan-served '.rules[-1].rule' --relay 192.0.2.1
check "the table is for people" \
  bash -c "$(declare -f cli); ns_region=$ns_region bin=$bin region_api=$region_api lab=$lab
    cli dhcp explain --mac $mac | grep -q '^answer  offer (offered): $address for'"
check "a question without sense is a usage of the region's" \
  bash -c "! $bin/slipway --api http://127.0.0.1:1 dhcp explain"

lease_is() {
  [ "$(cli -o json lease show "$address" | jq --raw-output "$2")" = "$1" ]
}
check "the lease is bound" lease_is bound .state
check "to the client" lease_is "$mac" .mac
check "on disk" lease_is true .on_disk
bound() { [ "$(cli -o json pool usage | jq "[.items[].bound] | add")" = "$1" ]; }
check "one address is bound" bound 1
check "a dry run releases nothing" cli --dry-run lease release "$address"
check "it is bound still" lease_is bound .state
check "the lease is released" cli lease release "$address"
check "so says the rack" lease_is released .state
check "none is bound" bound 0
check "the region hears of it" wait_for 10 bash -c "$api_in curl --silent \
  --header @$lab/authorization $region_api/v1/leases | grep -q released"
check "and it is on record who did it" bash -c "$api_in curl --silent \
  --header @$lab/authorization $region_api/v1/events | grep -q lease-released"
not_found() { cli lease release "$address"; [ $? = 3 ]; }
check "there is nothing left to release" not_found
check "the same client gets the same address again" lease_from
check "namely $address" gave ip "$address"

# ---- DHCPv6 ----
has_link_local() { ip -n "$ns_segment" -6 address show dev client0 scope link | grep inet6 |
  grep -qv tentative; }
tells6() { tells "$1" "$2" --family v6 "${@:3}"; }
check "an address of the rack" ip -n "$ns_rack" address add 2001:db8:77::1/64 dev machines0 nodad
check "an IPv6 network" cli subnet create machines6 --vlan machines --cidr 2001:db8:77::/64
check "with a pool" cli range create --subnet machines6 --kind dynamic \
  --first 2001:db8:77::1:0:0 --last 2001:db8:77::1:ffff:ffff
check "the rack takes it" wait_for 10 rack_is_current
check "IPv6 on the client's interface" $in_segment sysctl --quiet --write \
  net.ipv6.conf.client0.disable_ipv6=0
check "a link-local address of the client" wait_for 10 has_link_local
check "it would get an address" wait_for 10 tells6 advertise .answer
foretold=$(told .address --family v6)
cat > "$lab/dhclient6.sh" <<END
#!/bin/sh
[ "\$reason" = BOUND6 ] && echo "\$new_ip6_address" > "$lab/address6"
exit 0
END
chmod 0755 "$lab/dhclient6.sh"
: > "$lab/dhclient6.leases"
dhclient6() {
  $in_segment timeout 20 "$dhclient" -6 "$@" -D LL -sf "$lab/dhclient6.sh" \
    -lf "$lab/dhclient6.leases" -pf "$lab/dhclient6.pid" client0 > "$lab/dhclient6.log" 2>&1 8>&-
}
check "it gets one" dhclient6 -1
check "the one foretold" [ "$(cat "$lab/address6")" = "$foretold" ]
check "the last packet was its request" tells6 request .packet.type --last
check "it was answered then" tells6 reply .then.answer --last
check "with that address" tells6 "$foretold" .then.address --last
check "its DUID finds it too" tells6 request .packet.type --last \
  --duid "$(told .packet.duid --family v6 --last)"
check "a UEFI machine would get its loader" \
  tells6 loaders/snponly.efi .boot.file --arch x64-uefi
check "a relay that nobody knows gets no answer" tells6 unserved-link .reason --relay 2001:db8:1::1
check "another rack's lease is none of ours" tells6 refusal .answer --type renew \
  --requested 2001:db8:1::5
lease6_is() { [ "$(cli -o json lease show "$foretold" | jq --raw-output "$2")" = "$1" ]; }
check "the lease is shown" lease6_is bound .state
check "with its MAC" lease6_is "$mac" .mac
pool6() { [ "$(cli -o json pool usage --subnet machines6 | jq "[.items[].bound] | add")" = "$1" ]; }
check "it counts in its pool" pool6 1
check "it is released" cli lease release "$foretold"
check "so says the rack" lease6_is released .state
check "and its pool" pool6 0
kill "$(cat "$lab/dhclient6.pid")" 2> /dev/null

lab_kill TERM rack
check "without the rack the region answers by itself" wait_for 10 tells false .leases
check "an offer" tells offer .answer --arch x64-uefi
check "with the loader" tells loaders/snponly.efi .boot.file --arch x64-uefi
check "of DHCPv6 too" tells6 advertise .answer
unreachable() { ! cli dhcp explain --mac "$mac" --last; }
check "what only the rack remembers is not made up" unreachable
