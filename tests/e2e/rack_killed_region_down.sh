#!/bin/bash
# Region and rack are killed, and the rack comes back alone: it boots machines from its last
# acknowledged generation, and every lease that it acknowledged is still there.
. "$(dirname "$0")/e2e.sh"
e2e_lab
mac_first=52:54:00:54:00:01
mac_second=52:54:00:54:00:02

address_of() {
  tr -d '\r' < "$lab/vm-$1.console" | sed -n 's/.*network [^ ]* [^ ]* \([0-9.]*\)\/.*/\1/p' | tail -1
}

lab_vm first bios $mac_first virtio-net-pci
check "a machine boots with both" wait_for 120 console_says first 'inventory accepted'
address=$(address_of first)
check "it has an address" test -n "$address"
lab_vm_off first
# A machine that is known boots its own disk unless it is told otherwise.
check "the machine reached the region" wait_for 20 machine_reported $mac_first
check "it is to boot the launcher again" machine_boots $mac_first launcher
lab_kill KILL region
lab_kill KILL rack
lab_rack_start
check "the rack starts without the region" wait_for 20 rack_ready
lab_vm second bios $mac_second virtio-net-pci
check "a new machine boots from the last generation" \
  wait_for 120 console_says second 'inventory accepted'
check "it has another address" test "$(address_of second)" != "$address"
lab_vm_off second
lab_vm first bios $mac_first virtio-net-pci
check "the first machine boots again" wait_for 120 console_says first 'inventory accepted'
check "with the address of its lease" test "$(address_of first)" = "$address"
lab_vm_off first
lab_region_start
check "both machines reach the region" \
  wait_for 30 bash -c ". '$root/tests/e2e/e2e.sh'; machine_reported $mac_first && machine_reported $mac_second"
check "the lease is the same there" \
  is "$address" /v1/leases ".items[] | select(.mac == \"$mac_first\" and .state == \"bound\") | .address"
check "there are two machines" is 2 /v1/machines '.items | length'
