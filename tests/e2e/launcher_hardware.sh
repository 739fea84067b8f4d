#!/bin/bash
# The launcher on a machine with e1000e, megasas, AHCI, NVMe and isa-ipmi-kcs: the inventory names all
# of them, no disk is written, and the machine is the same one when it comes again.
. "$(dirname "$0")/e2e.sh"
e2e_lab
mac=52:54:00:52:00:01
for disk in mega ahci nvme; do
  lab_disk "$lab/disk-$disk" 48
done

boot() {
  lab_vm hardware bios $mac e1000e -smp 2 \
    -device megasas,id=raid -drive "if=none,id=mega,format=raw,file=$lab/disk-mega" \
    -device scsi-hd,bus=raid.0,drive=mega,serial=MEGA0001 \
    -device ich9-ahci,id=sata -drive "if=none,id=ahci,format=raw,file=$lab/disk-ahci" \
    -device ide-hd,bus=sata.0,drive=ahci,serial=AHCI0001 \
    -drive "if=none,id=nvme,format=raw,file=$lab/disk-nvme" -device nvme,drive=nvme,serial=NVME0001 \
    -device ipmi-bmc-sim,id=bmc -device isa-ipmi-kcs,bmc=bmc
  check "the launcher's inventory is accepted ($1)" \
    wait_for 120 console_says hardware 'inventory accepted'
  check "the region has it ($1)" wait_for 20 machine_reported $mac
}

boot "first time"
path=/v1/machines/$mac/inventory
check "network driver" is e1000e $path ".document.interfaces[] | select(.mac == \"$mac\") | .driver"
check "RAID disk" is 50331648 $path '.document.disks[] | select(.serial == "MEGA0001") | .bytes'
check "SATA disk" is sata $path '.document.disks[] | select(.serial == "AHCI0001") | .transport'
check "NVMe disk" is nvme $path '.document.disks[] | select(.serial == "NVME0001") | .transport'
check "three disks in all" is 3 $path '.document.disks | length'
check "RAID controller" is megaraid_sas $path '.document.pci[] | select(.class == "010400") | .driver'
check "management controller" is kcs $path '.document.ipmi'
check "processors" is 2 $path '.document.cpu.threads'
check "memory" is 768 $path '.document.memory_mib'
check "firmware" is bios $path '.document.firmware'
check "serial number" is LAB-hardware $path '.document.system.serial'
machine=$(query /v1/machines '.items[].id')
lab_vm_off hardware
check "it is to boot the launcher again" machine_boots $mac launcher
boot "second time"
check "it is the same machine" is "$machine" /v1/machines '.items[].id'
lab_vm_off hardware
for disk in mega ahci nvme; do
  check "disk $disk was not written" cmp --bytes=50331648 "$lab/disk-$disk" /dev/zero
done
