#!/bin/bash
# The ring driver's tests pass under Debian 12's own kernel, the oldest that it supports: the test
# program runs as a virtual machine's only one.
. "$(dirname "$0")/e2e.sh"
trap e2e_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$lab"
build_boot_files > /dev/null
lab_lock
lab_down
stage=$lab/ring-image
rm -rf "$stage"
mkdir -p "$stage/dev"
cp "$bin/slipway_vm_init" "$stage/init"
cp "$bin/slipway_ring_vm_test" "$stage/test"
strip --strip-all "$stage/test"
(cd "$stage" && find . -mindepth 1 | cpio --quiet --create --format=newc --owner=0:0) > "$lab/ring.cpio"
rm -rf "$stage"
console=$lab/ring.console
rm -f "$console"
# Words with "=" and without "." become the environment of init.
timeout -s KILL 240 qemu-system-x86_64 -machine "q35,accel=$(lab_accelerator)" -m 1024 -smp 2 \
  -display none -nodefaults -no-reboot -serial "file:$console" \
  -kernel "$images/launcher/vmlinuz" -initrd "$lab/ring.cpio" \
  -append "console=ttyS0 $lab_vm_arguments quiet panic=-1 SLIPWAY_NO_NETNS=1 GTEST_COLOR=no" > "$lab/ring.log" 2>&1 8>&- &
lab_process ring $!
wait $!
tr -d '\r' < "$console" | grep -a -E '^\[ +(FAILED|SKIPPED|PASSED)|tests ran|vm-test' | tail -20
kernel=$(cat "$images/launcher/version")
check "kernel $kernel is a 6.1" test "${kernel#6.1.}" != "$kernel"
if ! tr -d '\r' < "$console" | grep -a -q '^vm-test: exit 0$'; then
  tr -d '\r' < "$console" | tail -60
  exit 1
fi
check "tests of the ring driver ran, not only of epoll" grep -a -i -q 'OK.*ring' "$console"
