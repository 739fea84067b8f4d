#!/bin/bash
# `./run --site FILE`, in a namespace that stands for a host: what it refuses and why, a machine that
# boots through it, and that applying the same file twice changes nothing.
. "$(dirname "$0")/e2e.sh"
run_pid=
cleanup() {
  local code=$?
  [ -z "$run_pid" ] || { kill -INT "$run_pid" 2>/dev/null && wait "$run_pid" 2>/dev/null; }
  e2e_end "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$work" "$lab"
build_boot_files > /dev/null
lab_lock
lab_down
lab_networks
site=$lab/site.toml
state=$lab/site
rm -rf "$state" "$state.other"
export SLIPWAY_LAB=$SLIPWAY_LAB-site

site_file() {
  cat > "$site" <<END
name = "here"
state_dir = "$1"
$2
[[vlan]]
name = "machines"
unknown_policy = "enlist"
router_advertisement = "no-router-here"
[[subnet]]
name = "machines"
vlan = "machines"
cidr = "10.77.0.0/24"
[[range]]
subnet = "machines"
kind = "dynamic"
first = "10.77.0.100"
last = "10.77.0.199"
END
}

interface() {
  printf '[[interface]]\nname = "%s"\nvlan = "%s"\n' "$1" "$2"
}

export SLIPWAY_KERNEL_ARGUMENTS=$lab_vm_arguments

run_site() {
  exec ip netns exec "$ns_rack" "$root/run" --site "$site" 8>&-
}

# refuses WHAT EXIT-CODE TEXT
refuses() {
  (run_site) > "$lab/refused" 2>&1
  local code=$?
  check "refuses $1" test "$code" = "$2"
  check "and says why" grep -q -e "$3" "$lab/refused" || cat "$lab/refused"
}

site_file "$state" ""
refuses "to answer DHCP where no interface is named" 2 'nothing may answer DHCP anywhere'
site_file "$state" "$(interface nowhere0 machines)"
refuses "an interface that is not there" 2 "no interface 'nowhere0'; it has: .*machines0"
site_file "$state" "$(interface machines0 nowhere)"
refuses "a VLAN that is not described" 2 "VLAN 'nowhere', which no"
site_file "$state" "$(interface machines0 machines)
colour = \"red\""
refuses "a key that it does not know" 2 'site.toml:6: no key colour'

serve() {
  # With job control, as in a terminal: otherwise the shell has it ignore Ctrl-C.
  set -m
  (run_site) > "$lab/site.out" 2>&1 &
  run_pid=$!
  set +m
  wait_for 60 grep -q 'Ctrl-C ends it' "$lab/site.out" || { cat "$lab/site.out"; exit 1; }
}

# What the model holds, without times.
model() {
  local kind
  for kind in fabrics vlans subnets ranges served-interfaces images; do
    ip netns exec "$ns_rack" curl --silent --fail --header "@$state/authorization" \
      "$region_api/v1/$kind" | jq -S '.items[] | del(.modified)'
  done
}

site_file "$state" "$(interface machines0 machines)"
serve
check "it makes what the file says" grep -q 'subnets machines: made' "$lab/site.out"
model > "$lab/model-first"
check "the model holds it" grep -q '"cidr": "10.77.0.0/24"' "$lab/model-first"
site_file "$state.other" "$(interface machines0 machines)"
SLIPWAY_LAB=$SLIPWAY_LAB-other
refuses "a port that is taken" 1 'udp port 67 (DHCP) is taken by slipway-rack (process [0-9]*); end it with'
SLIPWAY_LAB=${SLIPWAY_LAB%-other}
lab_vm site bios 52:54:00:55:00:01 virtio-net-pci
check "a machine boots through it" wait_for 120 console_says site 'inventory accepted'
lab_vm_off site
kill -INT "$run_pid"
wait "$run_pid"
run_pid=
site_file "$state" "$(interface machines0 machines)"
serve
check "the second time makes nothing" bash -c "! grep -q made '$lab/site.out'"
model > "$lab/model-second"
check "and the model is the same" diff "$lab/model-first" "$lab/model-second"
