#!/bin/bash
# A DHCP server that is not ours, on the rack's segment: the rack finds it by asking, and tells the
# region. Then a pool that fills up.
SLIPWAY_LAB=${SLIPWAY_LAB:-slipway-foreign}
. "$(dirname "$0")/../../e2e/e2e.sh"
. "$(dirname "$0")/clients.sh"
busybox=$(client_program busybox-static bin/busybox) || { echo "FAILED: no busybox"; exit 1; }

# The rack of this lab asks every second.
eval "$(declare -f lab_rack_config | sed '1s/lab_rack_config/lab_rack_config_plain/')"
lab_rack_config() {
  lab_rack_config_plain
  printf '\n[dhcp]\nprobe_seconds = 1\n' >> "$lab/rack/rack.toml"
}
e2e_lab
segment_client 52:54:00:55:00:66
# Its bridge keeps out of questions about addresses that are not its own.
$in_segment sysctl --quiet --write net.ipv4.conf.all.arp_ignore=1
ip -n "$ns_segment" address add 10.77.0.66/24 dev client0
events() { lab_api GET '/v1/events?since=0&topics=event' | jq --raw-output "$1"; }
has_event() {
  [ "$(events "[.items[] | select(.code == \"$1\" and .subject == \"$2\" and
    (.detail | test(\"$3\")))] | length")" -ge 1 ]
}
check "the rack asks" wait_for 10 bash -c "[ \"\$(curl --silent --unix-socket $lab/rack/rack.sock \
  http://rack/metrics | grep -c '^slipway_dhcp_foreign_probes_total [1-9]')\" = 1 ]"
no_event() { ! has_event foreign-dhcp-server 10.77.0.66 . ; }
check "and hears nobody" no_event

touch "$lab/udhcpd.leases"
cat > "$lab/udhcpd.conf" <<END
start 10.77.0.240
end 10.77.0.250
interface client0
lease_file $lab/udhcpd.leases
pidfile $lab/udhcpd.pid
option subnet 255.255.255.0
END
$in_segment "$busybox" udhcpd -f "$lab/udhcpd.conf" > "$lab/udhcpd.log" 2>&1 8>&- &
lab_process udhcpd $!
check "a server that is not ours is told" \
  wait_for 15 has_event foreign-dhcp-server 10.77.0.66 'on machines0, from 10\\.77\\.0\\.66, MAC 52:54:00:55:00:66'
heard() {
  rack_get /metrics | grep -q '^slipway_dhcp_packets_total{.*reason="foreign-server".*} \([3-9]\|[1-9][0-9]\)'
}
check "and heard again and again" wait_for 20 heard
check "but told once" [ "$(events '[.items[] | select(.code == "foreign-dhcp-server")] | length')" = 1 ]
lab_kill TERM udhcpd
ip -n "$ns_segment" address flush dev client0

# A range of one address: the first lease exhausts it.
range=$(query /v1/ranges '.items[0].id')
check "the range shrinks" lab_api PATCH "/v1/ranges/$range" '{"last":"10.77.0.100"}'
check "the rack has it" wait_for 10 rack_is_current
lab_api POST /v1/machines '{"hostname":"one"}' > /dev/null
lab_api POST /v1/interfaces '{"machine":"one","mac":"52:54:00:55:00:66"}' > /dev/null
check "the rack knows the machine" wait_for 10 rack_is_current
check "the machine gets the last address" lease_from
check "an exhausted pool is told" wait_for 15 has_event pool-usage 10.77.0.0/24 '^exhausted: 1 of 1'
