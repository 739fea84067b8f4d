#!/bin/bash
# A rack that serves two VLANs over 802.1Q interfaces of one cable, under Debian 12's own kernel: in a
# virtual machine that holds region, rack and udhcpc, since the test's host may lack 8021q.
. "$(dirname "$0")/e2e.sh"
. "$root/tests/support/lab/clients.sh"
busybox=$(client_program busybox-static bin/busybox) || { echo "FAILED: no busybox"; exit 1; }
trap e2e_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$lab"
build_boot_files > /dev/null
lab_lock
lab_down
version=$(cat "$images/launcher/version")
kernel_root=$root/build/debs/$(cat "$root/build/debs/kernel-package")
stage=$lab/vlan-image
rm -rf "$stage"
mkdir -p "$stage"/{bin,dev,proc,sys,run,tmp,var,etc,modules,site}

# put_program FILE: with the libraries that it is linked to, in their places.
put_program() {
  cp "$1" "$stage/bin/"
  ldd "$1" | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/lib[^ ]*\) .*/\1/p' |
    while read -r library; do
      mkdir -p "$stage$(dirname "$library")"
      [ -e "$stage$library" ] || cp -L "$library" "$stage$library"
    done
}
cp "$busybox" "$stage/bin/busybox"
for tool in sh mount mkdir insmod cat grep sed sleep udhcpc cut head poweroff hostname; do
  ln -s busybox "$stage/bin/$tool"
done
for program in "$bin/slipway-region" "$bin/slipway-rack" "$(command -v ip)" "$(command -v curl)"; do
  put_program "$program"
done
strip --strip-debug "$stage"/bin/slipway-*
echo 'root:x:0:0::/:/bin/sh' > "$stage/etc/passwd"
[ -s "$kernel_root/lib/modules/$version/modules.dep" ] || depmod -b "$kernel_root" "$version"
number=10
modprobe --dirname "$kernel_root" --set-version "$version" --show-depends 8021q > "$lab/modules"
modprobe --dirname "$kernel_root" --set-version "$version" --show-depends veth >> "$lab/modules"
sed -n 's/^insmod \([^ ]*\).*/\1/p' "$lab/modules" | while read -r module; do
  cp "$module" "$stage/modules/$number-$(basename "$module")"
  number=$((number + 1))
done

cat > "$stage/site/region.toml" <<'END'
state_dir = "/var/region"
[images]
dir = "/var/images"
[link]
listen = "127.0.0.1"
endpoints = ["tcp://127.0.0.1:5250"]
END
cat > "$stage/site/rack.toml" <<'END'
name = "lab"
state_dir = "/var/rack"
images_dir = "/var/images"
join_token_file = "/var/rack/token"
interfaces = ["trunk0.100", "trunk0.200"]
END
cat > "$stage/site/lease" <<'END'
#!/bin/sh
[ "$1" = bound ] && echo "$ip $serverid" > "/tmp/lease.$interface"
exit 0
END
chmod 0755 "$stage/site/lease"

cat > "$stage/init" <<'END'
#!/bin/sh
export PATH=/bin
umask 077
# Its own would come first in this shell.
ip() { /bin/ip "$@"; }
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var
mkdir -p /var/region /var/rack /var/images /run/netns
for module in /modules/*; do insmod "$module"; done
end() { echo "vlan-test: $1"; poweroff -f; }
ip link set lo up
ip netns add clients
ip link add trunk0 type veth peer name trunk1 netns clients
ip link set trunk0 up
ip -n clients link set trunk1 up
ip link add link trunk0 name trunk0.100 type vlan id 100 || end "no VLAN interface"
ip address add 10.100.0.1/24 dev trunk0.100
ip link set trunk0.100 up
for vid in 100 200; do
  ip -n clients link add link trunk1 name client.$vid address 52:54:00:5b:00:01 type vlan id $vid
  ip -n clients link set client.$vid up
done
slipway-region --config /site/region.toml > /tmp/region.log 2>&1 &
wait_for() {
  left=$1
  shift
  until "$@" > /dev/null 2>&1; do
    left=$((left - 1))
    [ $left -gt 0 ] || return 1
    sleep 1
  done
}
region=http://127.0.0.1:5240
wait_for 60 curl -s -f $region/readyz || { cat /tmp/region.log; end "no region"; }
echo "Authorization: Bearer $(cat /var/region/admin-token)" > /tmp/authorization
post() {
  curl -s -f -H @/tmp/authorization -H 'Content-Type: application/json' -d "$2" $region/v1/$1 ||
    end "POST $1 $2"
}
{
  post fabrics '{"name":"lab"}'
  for vid in 100 200; do
    post vlans '{"name":"v'$vid'","fabric":"lab","vid":'$vid',"unknown_policy":"enlist"}'
    post subnets '{"name":"s'$vid'","vlan":"v'$vid'","cidr":"10.'$vid'.0.0/24"}'
    post ranges '{"subnet":"s'$vid'","first":"10.'$vid'.0.100","last":"10.'$vid'.0.199"}'
  done
} > /dev/null
post racks/tokens '{}' | sed -n 's/.*"token" *: *"\([^"]*\)".*/\1/p' > /var/rack/token
slipway-rack --config /site/rack.toml > /tmp/rack.log 2>&1 &
wait_for 60 curl -s -f -H @/tmp/authorization $region/v1/racks/lab || { cat /tmp/rack.log; end "no rack"; }
for vid in 100 200; do
  post served-interfaces '{"rack":"lab","name":"trunk0.'$vid'","vlan":"v'$vid'"}' > /dev/null
done
ask() {
  rm -f /tmp/lease.client.$1
  ip netns exec clients udhcpc -i client.$1 -n -q -f -t 5 -T 1 -s /site/lease > /tmp/udhcpc.log 2>&1
  echo "vlan-test: VLAN $1 gave $(cat /tmp/lease.client.$1)"
  grep -q "^10\.$1\.0\.1[0-9][0-9] $2\$" /tmp/lease.client.$1
}
wait_for 30 ask 100 10.100.0.1 || { cat /tmp/rack.log; end "no lease on VLAN 100"; }
# One that appears while the rack runs, changes its address, goes and comes back.
ask 200 10.200.0.1 && end "an answer on a VLAN without an interface"
ip link add link trunk0 name trunk0.200 type vlan id 200
ip address add 10.200.0.1/24 dev trunk0.200
ip link set trunk0.200 up
wait_for 20 ask 200 10.200.0.1 || { cat /tmp/rack.log; end "no lease on VLAN 200"; }
ip address add 10.200.0.7/24 dev trunk0.200
ip address delete 10.200.0.1/24 dev trunk0.200
ip address replace 10.200.0.7/24 dev trunk0.200
wait_for 20 ask 200 10.200.0.7 || end "the address did not change"
ip link delete trunk0.200
ask 100 10.100.0.1 || end "VLAN 100 suffered"
ip link add link trunk0 name trunk0.200 type vlan id 200
ip address add 10.200.0.9/24 dev trunk0.200
ip link set trunk0.200 up
wait_for 20 ask 200 10.200.0.9 || end "it did not come back"
end "passed"
END
chmod 0755 "$stage/init"
(cd "$stage" && find . -mindepth 1 | cpio --quiet --create --format=newc --owner=0:0) > "$lab/vlan.cpio"
rm -rf "$stage"
console=$lab/vlan.console
rm -f "$console"
timeout -s KILL 300 qemu-system-x86_64 -machine "q35,accel=$(lab_accelerator)" -m 1536 -smp 2 \
  -display none -nodefaults -no-reboot -serial "file:$console" \
  -kernel "$images/launcher/vmlinuz" -initrd "$lab/vlan.cpio" \
  -append "console=ttyS0 $lab_vm_arguments quiet panic=-1" > "$lab/vlan.log" 2>&1 8>&- &
lab_process vlan $!
wait $!
rm -f "$lab/vlan.cpio"
tr -d '\r' < "$console" | grep -a '^vlan-test' | tail -20
check "kernel $version is a 6.1" test "${version#6.1.}" != "$version"
if ! tr -d '\r' < "$console" | grep -a -q '^vlan-test: passed$'; then
  tr -d '\r' < "$console" | tail -60
  exit 1
fi
