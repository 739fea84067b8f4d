# A load of udhcpc exchanges without retries: what is lost, is lost. Sourced after tests/e2e/e2e.sh;
# needs `busybox`.

lease_script=$lab/lease.sh
load_stop=$lab/stop

# load_prepare: after e2e_lab.
load_prepare() {
  cat > "$lease_script" <<'END'
#!/bin/sh
[ "$1" = bound ] && echo "$ip $serverid" > "$0.$interface"
exit 0
END
  chmod 0755 "$lease_script"
  rm -f "$load_stop" "$lab"/load-*.count
}

# load_client NAME MAC: an interface of the segment.
load_client() {
  ip -n "$ns_segment" link add "$1" address "$2" type veth peer name "$1p"
  ip -n "$ns_segment" link set "$1p" master segment0 up
  ip -n "$ns_segment" link set "$1" up
}

# ask NAME: one exchange; the answer is in $lease_script.NAME.
ask() {
  rm -f "$lease_script.$1"
  ip netns exec "$ns_segment" timeout 20 "$busybox" udhcpc -i "$1" -n -q -f -t 1 -T 3 \
    -s "$lease_script" > "$lab/udhcpc-$1.log" 2>&1
}

# load NAME: exchanges one after the other until told to stop; counts them and what went wrong.
load() {
  local asked=0 wrong=0
  while [ ! -e "$load_stop" ]; do
    ask "$1" && grep -q '^10\.77\.0\..* 10\.77\.0\.1$' "$lease_script.$1" || wrong=$((wrong + 1))
    asked=$((asked + 1))
  done
  echo "$asked $wrong" > "$lab/load-$1.count"
}

# load_start NUMBER: so many clients at once.
load_start() {
  local i
  for ((i = 0; i < $1; ++i)); do
    load_client "load$i" "52:54:00:55:21:0$i"
    load "load$i" 8>&- &
    lab_process "load$i" $!
  done
}

# load_end NUMBER LEAST: they stop, nothing was lost or wrong, and it was a load.
load_end() {
  local i asked wrong total=0
  touch "$load_stop"
  for ((i = 0; i < $1; ++i)); do
    check "load $i ends" wait_for 30 test -s "$lab/load-load$i.count"
    read -r asked wrong < "$lab/load-load$i.count"
    total=$((total + asked))
    check "none of its $asked exchanges was lost or wrong" test "$wrong" = 0
  done
  check "it was a load" test "$total" -ge "$2"
}
