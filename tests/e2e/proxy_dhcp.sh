#!/bin/bash
# A network whose DHCP belongs to dnsmasq: the rack adds boot data by ProxyDHCP, and real firmware
# boots the launcher with dnsmasq's addresses, over iPXE's ROM and over OVMF's PXE.
. "$(dirname "$0")/e2e.sh"
. "$root/tests/support/lab/clients.sh"
dnsmasq=$(client_program dnsmasq-base usr/sbin/dnsmasq libnetfilter-conntrack3 libnfnetlink0 \
  libnftables1 libnftnl11 libjansson4 libedit2) || { echo "FAILED: no dnsmasq"; exit 1; }
e2e_lab
lab_api PATCH /v1/vlans/machines '{"dhcp":"proxy"}' > /dev/null
check "the VLAN's addresses are another server's" wait_for 10 rack_is_current

ns_main=$lab_name-main
lab_namespace "$ns_main"
ip link add name main0 netns "$ns_main" type veth peer name main0 netns "$ns_segment"
ip -n "$ns_segment" link set main0 master segment0 up
ip -n "$ns_main" address add 10.77.0.9/24 dev main0
ip -n "$ns_main" link set main0 up
LD_LIBRARY_PATH=$(client_libraries dnsmasq-base) ip netns exec "$ns_main" "$dnsmasq" \
  --keep-in-foreground --conf-file=/dev/null --port=0 --interface=main0 --bind-interfaces \
  --dhcp-range=10.77.0.200,10.77.0.220,600 --leasefile-ro --pid-file= --log-dhcp --log-facility=- \
  > "$lab/dnsmasq.log" 2>&1 8>&- &
lab_process dnsmasq $!

reasons() { rack_get /metrics | sed -n "s/^slipway_dhcp_packets_total{reason=\"$1\"} //p"; }

for firmware in bios uefi; do
  [ "$firmware" = bios ] && mac=52:54:00:5a:00:01 || mac=52:54:00:5a:00:02
  lab_vm "$firmware" "$firmware" "$mac" virtio-net-pci
  check "a $firmware machine boots the launcher" \
    wait_for 180 console_says "$firmware" 'inventory accepted'
  check "its inventory arrives" wait_for 30 machine_reported "$mac"
  check "dnsmasq gave it its address" grep -q "DHCPACK(main0) 10.77.0.2.* $mac" "$lab/dnsmasq.log"
  lab_vm_off "$firmware"
done
check "offers without an address went out" test "$(reasons proxy-offered)" -ge 2
check "the rack gave no address" is 0 /v1/leases '.items | length'
check "and sent no NAK" test "$(reasons naked)" = 0
check "the main server's answers are no alarm" test "$(reasons foreign-server)" = 0
