#!/bin/bash
# A machine without any IPv4: OVMF boots by PXE over IPv6 (DHCPv6, TFTP on IPv6), and its loader asks
# by DHCPv6 for what to do.
. "$(dirname "$0")/e2e.sh"
e2e_lab
mac=52:54:00:54:06:01
check "no IPv4 pool is left" lab_api DELETE "/v1/ranges/$(query /v1/ranges '.items[0].id')"
check "an IPv6 network" lab_api POST /v1/subnets '{"name":"machines6","vlan":"machines",
  "cidr":"2001:db8:77::/64"}'
check "with a pool" lab_api POST /v1/ranges '{"subnet":"machines6","kind":"dynamic",
  "first":"2001:db8:77::1:0:0","last":"2001:db8:77::1:ffff:ffff"}'
check "advertised in full" lab_api PATCH /v1/vlans/machines '{"router_advertisement":"full"}'
check "an address for the rack" ip -n "$ns_rack" address add 2001:db8:77::1/64 dev machines0 nodad
check "the rack takes it" wait_for 20 rack_is_current

# OVMF would try IPv4 first, for a minute.
lab_vm ipv6 uefi $mac virtio-net-pci -fw_cfg name=opt/org.tianocore/IPv4PXESupport,string=n
trace=/v1/machines/$mac/boot-trace
# stepped STEP NAME: the machine's boots have that step.
stepped() {
  [ "$(query "$trace" "[.boots[].steps[] | select(.step == \"$1\" and (.name | test(\"$2\")))] |
    length > 0")" = true ]
}
check "the firmware is told its loader" wait_for 150 stepped DhcpAck 'loaders/snponly'
check "which comes by TFTP" wait_for 60 stepped TftpEnd 'loaders/snponly.efi'
check "the loader asks by DHCPv6" wait_for 90 stepped DhcpAck '/boot/ipxe'
check "its lease is an IPv6 one" \
  is 1 "/v1/leases?mac=$mac" '[.items[] | select(.address | startswith("2001:db8:77::1:"))] | length'
check "nothing was allocated on a sealed shard" test \
  "$(rack_metric slipway_sealed_allocations_total)" = 0
