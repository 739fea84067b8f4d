#!/bin/bash
# The region is killed: a machine still boots, and what it did arrives once when the region returns.
. "$(dirname "$0")/e2e.sh"
e2e_lab
mac=52:54:00:53:00:01
lab_kill KILL region
check "the region is dead" bash -c "! kill -0 $(lab_pid region)"
lab_vm orphan bios $mac virtio-net-pci
check "a machine boots without the region" wait_for 120 console_says orphan 'inventory accepted'
lab_vm_off orphan
lab_region_start
check "its inventory arrives" wait_for 30 machine_reported $mac
check "it is one machine" is 1 /v1/machines '.items | length'
check "its lease arrives, once" \
  is 1 /v1/leases "[.items[] | select(.mac == \"$mac\" and .state == \"bound\")] | length"
trace=/v1/machines/$mac/boot-trace
check "its boot steps arrive in order" \
  is true $trace '[.boots[].steps[].offset_ms] | . == sort and length > 5'
check "the trace begins with the DHCP exchange" is true $trace '[.boots[0].steps[].step] |
  [index("DhcpDiscover", "DhcpOffer", "DhcpRequest", "DhcpAck")] | . == sort and index(null) == null'
check "it was enlisted once" is 1 $trace '[.boots[].steps[] | select(.step == "Enlisted")] | length'
sleep 2
check "and stays one machine" is 1 /v1/machines '.items | length'
check "and so does the event, once" \
  is 1 /v1/events '[.items[] | select(.code == "machine-enlisted")] | length'
