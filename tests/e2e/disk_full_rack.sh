#!/bin/bash
# The rack's disk is full: no address is given, /readyz and the log say why; with space it goes on
# by itself, and no lease is lost.
. "$(dirname "$0")/e2e.sh"
export SLIPWAY_RACK_DISK_MIB=24
e2e_lab
mac_first=52:54:00:57:00:01
mac_second=52:54:00:57:00:02

# inside COMMAND...: with the rack's own view of its disk.
inside() {
  nsenter --mount --target "$(lab_pid rack)" -- "$@"
}

lease_of() {
  query /v1/leases "[.items[] | select(.mac == \"$1\" and .state == \"bound\") | .address] | first"
}

fill() {
  inside dd if=/dev/zero of="$lab/rack/filler" bs=4096 conv=notrunc oflag=append status=none \
    2> /dev/null || true
}

# Takes away what the journal has allocated ahead, as a disk does that is thinly provisioned: without
# that it would go on in its segments for a long time.
full() {
  local file used
  fill
  for file in $(inside find "$lab/rack" -name 'journal*'); do
    used=$(inside cat "$file" | perl -0777 -ne 's/\0+$//; print length')
    inside fallocate --punch-hole --offset $(((used + 4095) / 4096 * 4096)) --length 8MiB "$file"
  done
  fill
  ! inside dd if=/dev/zero of="$lab/rack/more" bs=4096 count=1 status=none 2> /dev/null
}

not_ready() {
  nsenter --mount --target "$(lab_pid rack)" -- \
    curl --silent --max-time 2 --unix-socket "$lab/rack/rack.sock" http://rack/readyz |
    grep -q 'cannot write'
}

# Packets that came while nothing could be promised.
turned_away() {
  [ "$(rack_metric slipway_dhcp_dropped_total)" -gt "$dropped" ]
}

lab_vm first bios $mac_first virtio-net-pci
check "a machine boots" wait_for 120 console_says first 'inventory accepted'
check "the region has it" wait_for 20 machine_reported $mac_first
check "it is to boot the launcher again" machine_boots $mac_first launcher
lab_vm_off first
address=$(lease_of $mac_first)
check "it has a lease" test -n "$address"

check "the disk is full" full
lab_vm second bios $mac_second virtio-net-pci
check "the rack is not ready, and says why" wait_for 60 not_ready
check "so does its log" wait_for 5 grep -q 'id=journal-failing.*free space' "$lab/rack.log"
check "once" test "$(grep -c id=journal-failing "$lab/rack.log")" = 1
lab_vm_off second
replies=$(rack_metric slipway_dhcp_replies_total)
dropped=$(rack_metric slipway_dhcp_dropped_total)
lab_vm second bios $mac_second virtio-net-pci
check "machines that ask are turned away" wait_for 60 turned_away
sleep 2
check "nobody gets an answer that is not on disk" \
  test "$(rack_metric slipway_dhcp_replies_total)" = "$replies"
check "the rack lives" lab_alive rack
pid=$(lab_pid rack)
lab_vm_off second

inside rm -f "$lab/rack/filler" "$lab/rack/more"
lab_vm second bios $mac_second virtio-net-pci
check "with space it is ready again, by itself" wait_for 60 rack_ready
check "and says so" wait_for 5 grep -q 'id=journal-recovered' "$lab/rack.log"
check "machines boot" wait_for 120 console_says second 'inventory accepted'
lab_vm_off second
lab_vm first bios $mac_first virtio-net-pci
check "the first machine boots again" wait_for 120 console_says first 'inventory accepted'
check "with its lease" is "$address" /v1/leases \
  "[.items[] | select(.mac == \"$mac_first\" and .state == \"bound\") | .address] | unique[]"
check "it is the same process" test "$(lab_pid rack)" = "$pid"
lab_vm_off first
