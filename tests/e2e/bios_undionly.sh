#!/bin/bash
# The loader of BIOS machines, undionly.kpxe, on the firmware's own network driver (UNDI): the ROM of
# QEMU's cards is an iPXE, which would go straight to the script, so it is told at its prompt to load
# the file as a PXE ROM does. What undionly.kpxe then asks by DHCP is its own.
. "$(dirname "$0")/e2e.sh"
e2e_lab
mac=52:54:00:5d:00:01
keys=$lab/keys
trace=/v1/machines/$mac/boot-trace

# press KEY...: as QEMU's monitor names them.
press() {
  local key
  for key in "$@"; do
    echo "sendkey $key" > "$keys.in"
  done
}

# type TEXT, and the return key.
type_line() {
  local i character
  for ((i = 0; i < ${#1}; i++)); do
    character=${1:i:1}
    case $character in
      ' ') character=spc ;;
      :) character=shift-semicolon ;;
      /) character=slash ;;
      .) character=dot ;;
      '&') character=shift-7 ;;
    esac
    press "$character"
    # The keyboard of a slow machine has a short memory.
    sleep 0.15
  done
  press ret
}

at_prompt() {
  press ctrl-b
  console_says undi 'iPXE>'
}

# A FIFO that is open for both ends at once blocks nobody.
rm -f "$keys.in" "$keys.out"
mkfifo "$keys.in" "$keys.out"
exec 5<> "$keys.in" 6<> "$keys.out"
# The BIOS writes to the serial port what it would write to a screen.
lab_vm undi bios $mac e1000 -machine graphics=off -monitor "pipe:$keys"
check "the ROM's prompt" wait_for 60 at_prompt
press ret
type_line "dhcp && chain tftp://$rack_address/loaders/undionly.kpxe"
check "undionly.kpxe runs on UNDI" wait_for 60 console_says undi 'UNDI code segment'
check "the machine reports" wait_for 120 console_says undi 'inventory accepted'
check "its inventory arrives" wait_for 30 machine_reported $mac
check "undionly.kpxe came whole by TFTP" \
  is true $trace '[.boots[].steps[] | select(.step == "TftpEnd") | .name] | index("loaders/undionly.kpxe") != null'
check "the ROM's lease and undionly's are one" is 1 /v1/leases '.items | length'
exec 5<&- 6<&-
