#!/bin/bash
# A lab that was killed is removed by the next one, and only that.
. "$(dirname "$0")/e2e.sh"

foreign=$SLIPWAY_LAB-foreign
cleanup() {
  local code=$?
  ip netns delete "$foreign" 2>/dev/null
  kill "$stranger" 2>/dev/null
  e2e_end "$code"
}
stranger=
trap cleanup EXIT
mkdir -p "$lab"
lab_down
ip netns delete "$foreign" 2>/dev/null
ip netns add "$foreign"
ip netns exec "$foreign" sleep 60 &
stranger=$!

# The lab's own shell is killed the hard way, with a process of the lab running.
bash -c '. "'"$root"'/tests/e2e/e2e.sh"
  lab_lock; lab_networks
  ip netns exec "$ns_rack" sleep 60 8>&- &
  lab_process rack $!
  kill -9 $$' > /dev/null 2>&1 || true
check "the killed lab left its namespaces" test -e "/run/netns/$ns_rack" -a -e "/run/netns/$ns_segment"
check "and a process" lab_alive rack
check "a new lab may have the name" flock -n "$lab/lock" true
lab_down
check "its namespaces are gone" \
  test ! -e "/run/netns/$ns_rack" -a ! -e "/run/netns/$ns_segment" -a ! -e "/run/netns/$ns_region"
gone() {
  ! lab_alive rack
}
check "its process is gone" gone
check "a foreign namespace is still there" test -e "/run/netns/$foreign"
check "a foreign process is still there" kill -0 "$stranger"

# A namespace of the same name that we did not make is left alone, with a reason.
ip netns add "$ns_rack"
check "a namespace that is not ours stops the lab" bash -c '. "'"$root"'/tests/e2e/e2e.sh"
  ! (lab_networks 2>&1; false) && [ -e "/run/netns/$ns_rack" ]'
lab_down
check "and is still there" test -e "/run/netns/$ns_rack"
ip netns delete "$ns_rack"
