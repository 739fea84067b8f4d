# DHCP clients from Debian's packages in the lab's segment. Sourced after tests/e2e/e2e.sh; they are
# unpacked below build/debs, never installed.

. "$root/tests/support/lab/clients.sh"

# segment_client MAC: the interface client0 on the segment's bridge, and the script that udhcpc
# calls with what it was given. Needs `busybox`.
segment_client() {
  in_segment="ip netns exec $ns_segment"
  ip -n "$ns_segment" link add client0 address "$1" type veth peer name client0p
  ip -n "$ns_segment" link set client0p master segment0 up
  ip -n "$ns_segment" link set client0 up
  udhcpc_script=$lab/udhcpc.sh
  cat > "$udhcpc_script" <<END
#!/bin/sh
[ "\$1" = bound ] || [ "\$1" = renew ] || exit 0
env | grep -E '^(ip|subnet|serverid|boot_file|siaddr|lease|mask|tftp|sname)=' > "$lab/lease.\$1"
END
  chmod 0755 "$udhcpc_script"
}

# lease_from [udhcpc argument...]: one exchange; the answer is in $lab/lease.bound.
lease_from() {
  rm -f "$lab/lease.bound"
  $in_segment timeout 20 "$busybox" udhcpc -i client0 -n -q -f -t 5 -T 1 -s "$udhcpc_script" "$@" \
    > "$lab/udhcpc.log" 2>&1
  [ -s "$lab/lease.bound" ]
}
gave() { grep -q "^$1=$2\$" "$lab/lease.bound"; }
