# The lab: a region, a rack host and a machine segment in network namespaces, and virtual machines on
# the segment. Sourced by `run` and by tests/e2e; needs `root` (the tree) and `bin` (the programs).
#
#   slipway-region --- 10.77.255.0/30 --- slipway-rack --- slipway-segment (bridge, taps, QEMU)
#     region, API on its own loopback        machines0: 10.77.0.1/24
#
# Nothing is made outside the namespaces. Everything that is made is written to $lab/state first, so
# that a later run can remove what a killed one left behind, and only that.

lab_name=${SLIPWAY_LAB:-slipway}
lab=${SLIPWAY_LAB_DIR:-$root/build/lab/$lab_name}
ns_region=$lab_name-region
ns_rack=$lab_name-rack
ns_segment=$lab_name-segment
rack_address=10.77.0.1
region_api=http://127.0.0.1:5240
images=${SLIPWAY_IMAGES:-$root/build/images}

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

now_ms() {
  date +%s%3N
}

# ---- what was made, and its removal ----

# The start time makes a process id unambiguous. Field 22; the name in field 2 may hold spaces.
process_start() {
  sed -n 's/^.*) //p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20
}

lab_note() {
  echo "$*" >> "$lab/state"
}

# lab_process NAME PID: to be ended with the lab.
lab_process() {
  lab_note "process $1 $2 $(process_start "$2")"
  echo "$2" > "$lab/$1.pid"
}

lab_pid() {
  cat "$lab/$1.pid" 2>/dev/null
}

lab_alive() {
  local pid
  pid=$(lab_pid "$1")
  [ -n "$pid" ] && [ "$(sed -n 's/^.*) \(.\).*/\1/p' "/proc/$pid/stat" 2>/dev/null)" != Z ] &&
    kill -0 "$pid" 2>/dev/null
}

# lab_kill SIGNAL NAME: and waits for its end, 5 s at most.
lab_kill() {
  local pid i
  pid=$(lab_pid "$2")
  [ -n "$pid" ] || return 0
  kill "-$1" "$pid" 2>/dev/null || return 0
  for ((i = 0; i < 100; ++i)); do
    lab_alive "$2" || break
    sleep 0.05
  done
  wait "$pid" 2>/dev/null || true
}

# Removes what the state file names, newest first. Safe to call at any time, also twice.
lab_down() {
  [ -s "$lab/state" ] || return 0
  local kind name pid start state left i
  local -a mine=()
  while read -r kind name pid start; do
    if [ "$kind" = process ] && [ -n "$start" ] && [ "$(process_start "$pid")" = "$start" ]; then
      mine+=("$pid")
      kill "$pid" 2>/dev/null
    fi
  done < <(tac "$lab/state")
  for ((i = 0; i < 60; ++i)); do
    left=0
    for pid in "${mine[@]}"; do
      # Gone, or waiting for its parent to take notice.
      state=$(sed -n 's/^.*) \(.\).*/\1/p' "/proc/$pid/stat" 2>/dev/null)
      [ -z "$state" ] || [ "$state" = Z ] || left=1
    done
    [ "$left" = 1 ] || break
    sleep 0.05
  done
  for pid in "${mine[@]}"; do
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
  done
  while read -r kind name pid; do
    [ "$kind" != netns ] || [ ! -e "/run/netns/$name" ] || ip netns delete "$name"
  done < <(tac "$lab/state")
  rm -f "$lab/state"
}

# One lab of a name at a time: the lock lives as long as this process and its children that keep it.
lab_lock() {
  mkdir -p "$lab"
  exec 8> "$lab/lock"
  # What a run that was just ended started may take a moment to go.
  flock -w 5 8 || die "another one is up (process $(cat "$lab/owner" 2>/dev/null)); end it first, or \
set SLIPWAY_LAB to another name"
  echo $$ > "$lab/owner"
}

# ---- networks ----

lab_namespace() {
  if [ -e "/run/netns/$1" ]; then
    die "there is a network namespace $1 that is not ours; remove it (ip netns delete $1) or set \
SLIPWAY_LAB to another name"
  fi
  lab_note "netns $1"
  ip netns add "$1"
  ip -n "$1" link set lo up
}

lab_networks() {
  [ -c /dev/net/tun ] || modprobe tun 2> /dev/null || true
  [ -c /dev/net/tun ] || die "there is no /dev/net/tun: virtual machines need the kernel's tun driver"
  lab_namespace "$ns_region"
  lab_namespace "$ns_rack"
  lab_namespace "$ns_segment"
  # The segment's own interfaces are no machines: they solicit no routers.
  ip netns exec "$ns_segment" sysctl --quiet --write net.ipv6.conf.all.disable_ipv6=1 \
    net.ipv6.conf.default.disable_ipv6=1
  ip link add name rack0 netns "$ns_region" type veth peer name region0 netns "$ns_rack"
  ip -n "$ns_region" address add 10.77.255.1/30 dev rack0
  ip -n "$ns_rack" address add 10.77.255.2/30 dev region0
  ip link add name machines0 netns "$ns_rack" type veth peer name rack0 netns "$ns_segment"
  ip -n "$ns_rack" address add "$rack_address/24" dev machines0
  # Snooping would swallow router solicitations, and cost each iPXE 16 s.
  ip -n "$ns_segment" link add name segment0 type bridge mcast_snooping 0 forward_delay 0
  ip -n "$ns_segment" link set rack0 master segment0
  ip -n "$ns_region" link set rack0 up
  ip -n "$ns_rack" link set region0 up
  ip -n "$ns_rack" link set machines0 up
  ip -n "$ns_segment" link set rack0 up
  ip -n "$ns_segment" link set segment0 up
}

# Cuts or mends the cable between region and rack.
lab_cable() {
  ip -n "$ns_region" link set rack0 "$1"
}

# ---- region and rack ----

# The token goes by file: arguments are visible to everybody.
lab_authorize() {
  [ -s "$lab/authorization" ] ||
    (umask 077 && echo "Authorization: Bearer $(cat "$lab/region/admin-token")" \
      > "$lab/authorization")
}

# lab_api METHOD PATH [JSON]: prints the answer; fails, with the answer on stderr, if it is not 2xx.
lab_api() {
  local answer status
  lab_authorize
  answer=$($api_in curl --silent --max-time 20 --request "$1" --header "@$lab/authorization" \
    --header 'Content-Type: application/json' ${3:+--data-binary "$3"} \
    --write-out '\n%{http_code}' "$region_api$2")
  status=${answer##*$'\n'}
  answer=${answer%$'\n'*}
  if [ "${status:0:1}" != 2 ]; then
    echo "$1 $2: status $status: $answer" >&2
    return 1
  fi
  echo "$answer"
}
api_in="ip netns exec $ns_region"

# wait_for SECONDS COMMAND...: polls until it succeeds.
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" > /dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.1
  done
}

region_ready() {
  $api_in curl --silent --fail --max-time 2 "$region_api/readyz"
}

lab_region_config() {
  mkdir -p "$lab/region" "$lab/images"
  cat > "$lab/region/region.toml" <<END
state_dir = "$lab/region"

[images]
dir = "$lab/images"

[link]
listen = "10.77.255.1"
endpoints = ["tcp://10.77.255.1:5250"]
END
}

lab_region_start() {
  # A plain command: of a function in the background, $! would be the shell around it.
  $api_in "$bin/slipway-region" --config "$lab/region/region.toml" \
    >> "$lab/region.log" 2>&1 8>&- &
  lab_process region $!
  if ! wait_for 20 region_ready; then
    tail -5 "$lab/region.log" >&2
    die "the region did not become ready; its log is $lab/region.log"
  fi
}

lab_machines='"machines0"'
# A test may set lab_interfaces to a list of its own.
lab_rack_config() {
  mkdir -p "$lab/rack"
  cat > "$lab/rack/rack.toml" <<END
name = "lab"
state_dir = "$lab/rack"
images_dir = "$lab/images"
join_token_file = "$lab/rack/token"
interfaces = [${lab_interfaces-$lab_machines}]
io = "${SLIPWAY_IO:-auto}"
END
}

# With SLIPWAY_RACK_DISK_MIB its state is on a small disk in memory, in a mount namespace of its own.
lab_rack_start() {
  # shellcheck disable=SC2016 # for the inner shell
  ip netns exec "$ns_rack" sh -c '
    if [ -n "$1" ]; then
      saved=$(mktemp -d) && cp -a "$2/." "$saved" && mount -t tmpfs -o "size=$1m" rack "$2" &&
        cp -a "$saved/." "$2" && rm -rf "$saved" || exit 1
    fi
    exec "$3" --config "$2/rack.toml"' sh "${SLIPWAY_RACK_DISK_MIB-}" "$lab/rack" \
    "$bin/slipway-rack" >> "$lab/rack.log" 2>&1 8>&- &
  lab_process rack $!
}

# rack_get PATH: from the rack's own socket, seen as the rack sees it.
rack_get() {
  nsenter --mount --target "$(lab_pid rack)" -- curl --silent --fail --max-time 2 \
    --unix-socket "$lab/rack/rack.sock" "http://rack$1"
}

rack_ready() {
  rack_get /readyz
}

# rack_metric NAME: the sum over its labels; 0 if there is none.
rack_metric() {
  rack_get /metrics | awk -v name="$1" '{ key = $1; sub(/{.*/, "", key) } key == name { sum += $2 }
    END { print sum + 0 }'
}

# The first word after "KEY": in a JSON text of one line.
json_text() {
  sed -n "s/.*\"$1\" *: *\"\([^\"]*\)\".*/\1/p" | head -1
}

lab_token() {
  (umask 077 && lab_api POST /v1/racks/tokens '{}' | json_text token > "$lab/rack/token")
  [ -s "$lab/rack/token" ] || die "the region made no join token"
}

rack_known() {
  lab_api GET /v1/racks/lab
}

rack_is_current() {
  lab_api GET /v1/racks/lab | grep -q '"current" *: *true'
}

# The network that the lab's rack serves.
lab_model() {
  lab_api POST /v1/fabrics '{"name":"lab"}'
  lab_api POST /v1/vlans '{"name":"machines","fabric":"lab","vid":0,"unknown_policy":"enlist",
    "router_advertisement":"no-router-here"}'
  lab_api POST /v1/subnets '{"name":"machines","vlan":"machines","cidr":"10.77.0.0/24"}'
  lab_api POST /v1/ranges '{"subnet":"machines","kind":"dynamic","first":"10.77.0.100",
    "last":"10.77.0.199"}'
}

# Emulated on a busy host, the kernel's test of its timer fails now and then, and it panics.
lab_vm_arguments=no_timer_check

lab_import_images() {
  lab_api POST /v1/images/import "{\"name\":\"loaders\",\"kind\":\"loader\",
    \"architecture\":\"amd64\",\"files\":[
    {\"path\":\"$images/loaders/undionly.kpxe\",\"role\":\"loader\"},
    {\"path\":\"$images/loaders/snponly.efi\",\"role\":\"loader\"}]}"
  lab_api POST /v1/images/import "{\"name\":\"launcher\",\"kind\":\"launcher\",
    \"architecture\":\"amd64\",\"command_line\":\"${lab_kernel_arguments:-console=ttyS0 $lab_vm_arguments}\",\"files\":[
    {\"path\":\"$images/launcher/vmlinuz\",\"role\":\"kernel\"},
    {\"path\":\"$images/launcher/initrd.zst\",\"role\":\"initrd\"}]}"
}

# Region, model, rack: a lab that boots machines. The state of an earlier lab is gone.
lab_up() {
  rm -rf "$lab/region" "$lab/rack" "$lab/images" "$lab/authorization" "$lab"/*.log "$lab"/*.pid \
    "$lab"/vm-*
  lab_networks
  lab_region_config
  lab_rack_config
  lab_region_start
  lab_model > /dev/null || die "cannot set up the model"
  lab_import_images > /dev/null || die "cannot import the boot images"
  lab_token
  lab_rack_start
  wait_for 20 rack_known || { tail -5 "$lab/rack.log" >&2; die "the rack did not enrol"; }
  lab_api POST /v1/served-interfaces '{"rack":"lab","name":"machines0","vlan":"machines"}' \
    > /dev/null || die "cannot bind the rack's interface"
  wait_for 20 rack_is_current ||
    { tail -5 "$lab/rack.log" >&2; die "the rack does not take its configuration"; }
}

# ---- machines ----

# tcg, or kvm where a quick probe proves it good: on some virtual hosts /dev/kvm is there and hangs
# 64-bit kernels. SLIPWAY_ACCEL=tcg|kvm|auto; the answer is kept until the host restarts.
lab_accelerator() {
  local boot answer=$root/build/lab/accelerator
  boot=$(cat /proc/sys/kernel/random/boot_id)
  if [ "${SLIPWAY_ACCEL:-auto}" != auto ]; then
    echo "$SLIPWAY_ACCEL"
    return
  fi
  if [ "$(cut -d' ' -f2 "$answer" 2>/dev/null)" != "$boot" ]; then
    mkdir -p "$(dirname "$answer")"
    if [ -w /dev/kvm ] && lab_probe_kvm; then
      echo "kvm $boot" > "$answer"
    else
      echo "tcg $boot" > "$answer"
    fi
  fi
  cut -d' ' -f1 "$answer"
}

# A kernel without a root file system panics within a second or so, and the machine ends.
lab_probe_kvm() {
  timeout -s KILL 6 qemu-system-x86_64 -machine q35,accel=kvm -cpu host -m 256 -display none \
    -nodefaults -no-reboot -serial none -kernel "$images/launcher/vmlinuz" \
    -append 'panic=-1 quiet' > /dev/null 2>&1
}

# lab_vm NAME bios|uefi MAC NIC [qemu argument...]: powers a machine on. Its console goes to
# $lab/vm-NAME.console, QEMU's own words to $lab/vm-NAME.log.
lab_vm() {
  local name=$1 firmware=$2 mac=$3 nic=$4 accelerator tap
  shift 4
  accelerator=$(lab_accelerator)
  # An interface's name has at most 15 characters.
  tap=tap-${name:0:11}
  ip -n "$ns_segment" tuntap add dev "$tap" mode tap
  ip -n "$ns_segment" link set "$tap" master segment0 up
  local -a arguments=(-name "$name" -machine "q35,accel=$accelerator" -m 768 -smp 1
    -display none -nodefaults -no-user-config -no-reboot -serial "file:$lab/vm-$name.console"
    -uuid "$(echo -n "$lab_name $name" | md5sum | sed 's/\(.\{8\}\)\(....\)\(....\)\(....\)\(.\{12\}\).*/\1-\2-\3-\4-\5/')"
    -smbios "type=1,manufacturer=Slipway lab,product=$firmware machine,serial=LAB-$name"
    -netdev "tap,id=net0,ifname=$tap,script=no,downscript=no")
  if [ "$accelerator" = kvm ]; then
    arguments+=(-cpu host)
  fi
  if [ "$firmware" = uefi ]; then
    cp /usr/share/OVMF/OVMF_VARS_4M.fd "$lab/vm-$name.vars"
    arguments+=(-drive if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd
      -drive "if=pflash,format=raw,unit=1,file=$lab/vm-$name.vars"
      -device "$nic,netdev=net0,mac=$mac,bootindex=1${lab_vm_rom-,romfile=}")
  else
    arguments+=(-device "$nic,netdev=net0,mac=$mac,bootindex=1")
  fi
  rm -f "$lab/vm-$name.console"
  now_ms > "$lab/vm-$name.start"
  ip netns exec "$ns_segment" qemu-system-x86_64 "${arguments[@]}" "$@" \
    > "$lab/vm-$name.log" 2>&1 8>&- &
  lab_process "vm-$name" $!
}

lab_vm_off() {
  lab_kill KILL "vm-$1"
  ip -n "$ns_segment" link delete "tap-${1:0:11}" 2>/dev/null || true
}

# lab_disk FILE MIB: an empty disk.
lab_disk() {
  rm -f "$1"
  truncate -s "$2M" "$1"
}

# machine_boots MAC TARGET: what a known machine boots from now on, and the rack knows it.
machine_boots() {
  local machine
  machine=$(lab_api GET "/v1/machines?mac=$1" | grep -o '"id" *: *"mch-[^"]*"' | json_text id)
  lab_api PATCH "/v1/machines/$machine" "{\"boot_target\":\"$2\"}" > /dev/null || return 1
  wait_for 10 rack_is_current
}

# machine_reported MAC: the region has its inventory.
machine_reported() {
  lab_api GET "/v1/machines/$1/inventory"
}
