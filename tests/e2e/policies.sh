#!/bin/bash
# What happens to an unknown machine is its VLAN's policy: ignore gives no answer at all, local
# boots its own disk, enlist makes it known; and then the machine is one, however often it boots.
. "$(dirname "$0")/e2e.sh"
e2e_lab
mac=52:54:00:56:00:01
disk=$lab/disk-local

# A disk whose boot sector writes "own disk" to the serial port and stops:
# ds=0, si=text, dx=0x3f8; lodsb, out until 0; jump to itself.
lab_disk "$disk" 1
printf '\x31\xc0\x8e\xd8\xfc\xbe\x13\x7c\xba\xf8\x03\xac\xee\x84\xc0\x75\xfa\xeb\xfeown disk\r\n\0' |
  dd of="$disk" conv=notrunc status=none
printf '\x55\xaa' | dd of="$disk" bs=1 seek=510 conv=notrunc status=none

boot() {
  lab_vm policy bios $mac virtio-net-pci -drive "if=none,id=own,format=raw,file=$disk" \
    -device virtio-blk-pci,drive=own,bootindex=2
}

policy() {
  lab_api PATCH /v1/vlans/machines "{\"unknown_policy\":\"$1\"}" > /dev/null || return 1
  wait_for 10 rack_is_current
}

# heard NUMBER: at least so many DHCP packets reached the rack.
heard() {
  [ "$(rack_metric slipway_dhcp_packets_total)" -ge "$1" ]
}

check "the policy is ignore" policy ignore
boot
check "the rack hears the machine" wait_for 60 heard 2
check "the machine boots its own disk" wait_for 120 console_says policy 'own disk'
check "it got no answer" test "$(rack_metric slipway_dhcp_replies_total)" = 0
check "it has no lease" is 0 /v1/leases '.items | length'
check "its trace says why" wait_for 10 \
  is policy-ignore "/v1/machines/$mac/boot-trace" \
  '[.boots[].steps[] | select(.step == "DhcpSilent") | .name][0]'
lab_vm_off policy

check "the policy is local" policy local
boot
check "the machine boots its own disk again" wait_for 120 console_says policy 'own disk'
check "because it was told so" wait_for 10 \
  is unknown-local "/v1/machines/$mac/boot-trace" '.boots[0].steps[] | select(.step == "Script") | .name'
check "and no machine was made" is 0 /v1/machines '.items | length'
lab_vm_off policy

check "the policy is enlist" policy enlist
boot
check "the machine runs the launcher" wait_for 120 console_says policy 'inventory accepted'
check "and is known" wait_for 20 machine_reported $mac
machine=$(query /v1/machines '.items[].id')
lab_vm_off policy
check "it is to boot the launcher again" machine_boots $mac launcher
boot
check "it runs the launcher again" wait_for 120 console_says policy 'inventory accepted'
lab_vm_off policy
check "a machine that is known boots its own disk when told so" machine_boots $mac local
boot
check "it does" wait_for 120 console_says policy 'own disk'
check "it is one machine all the time" is "$machine" /v1/machines '.items[].id'
check "enlisted once" \
  is 1 /v1/events '[.items[] | select(.code == "machine-enlisted")] | length'
lab_vm_off policy
