#!/bin/bash
# UEFI HTTP boot: the firmware fetches the loader by HTTP, without TFTP, and the machine reports.
. "$(dirname "$0")/e2e.sh"
e2e_lab
mac=52:54:00:54:00:01
# OVMF tries PXE first, for more than a minute: told not to, it goes straight to HTTP.
lab_vm http uefi $mac virtio-net-pci \
  -fw_cfg name=opt/org.tianocore/IPv4PXESupport,string=n \
  -fw_cfg name=opt/org.tianocore/IPv6PXESupport,string=n
check "the machine reports" wait_for 120 console_says http 'inventory accepted'
check "its inventory arrives" wait_for 30 machine_reported $mac
trace=/v1/machines/$mac/boot-trace
check "the loader came over HTTP" \
  is true $trace '[.boots[].steps[] | select(.step == "HttpEnd") | .name] | index("/files/loaders/snponly.efi") != null'
check "nothing came over TFTP" \
  is 0 $trace '[.boots[].steps[] | select(.step | startswith("Tftp"))] | length'
