# A second rack in the lab, and the two as a pair. Sourced after lab.sh; needs `busybox`, `dhclient`.
# Rack A is the lab's own.

ns_rack_b=$lab_name-rackb
pair_mclt=30

pair_networks() {
  lab_namespace "$ns_rack_b"
  ip link add name rack1 netns "$ns_region" type veth peer name region0 netns "$ns_rack_b"
  ip -n "$ns_region" address add 10.77.254.1/30 dev rack1
  ip -n "$ns_rack_b" address add 10.77.254.2/30 dev region0
  ip link add name machines0 netns "$ns_rack_b" type veth peer name rackb0 netns "$ns_segment"
  ip -n "$ns_rack_b" address add 10.77.0.2/24 dev machines0
  ip -n "$ns_segment" link set rackb0 master segment0
  # The pair link has a cable of its own.
  ip link add name partner0 netns "$ns_rack" type veth peer name partner0 netns "$ns_rack_b"
  ip -n "$ns_rack" address add 10.77.253.1/30 dev partner0
  ip -n "$ns_rack_b" address add 10.77.253.2/30 dev partner0
  ip -n "$ns_rack" link set partner0 up
  ip -n "$ns_rack_b" link set partner0 up
  ip -n "$ns_region" link set rack1 up
  ip -n "$ns_rack_b" link set region0 up
  ip -n "$ns_rack_b" link set machines0 up
  ip -n "$ns_segment" link set rackb0 up
  ip -n "$ns_rack_b" route add 10.77.255.1/32 via 10.77.254.1
}

# pair_start A|B
pair_start() {
  if [ "$1" = A ]; then
    lab_rack_start
    return
  fi
  ip netns exec "$ns_rack_b" "$bin/slipway-rack" --config "$lab/rackb/rack.toml" \
    >> "$lab/rackb.log" 2>&1 8>&- &
  lab_process rackb $!
}

# pair_get A|B PATH
pair_get() {
  local folder=rack
  [ "$1" = A ] || folder=rackb
  curl --silent --fail --max-time 2 --unix-socket "$lab/$folder/rack.sock" "http://rack$2"
}

# pair_metric A|B NAME: the sum over its labels.
pair_metric() {
  pair_get "$1" /metrics | awk -v name="$2" '{ key = $1; sub(/{.*/, "", key) } key == name {
    sum += $2 } END { print sum + 0 }'
}

# pair_state A|B STATE
pair_state() {
  local state
  state=$(pair_get "$1" /metrics | sed -n 's/^slipway_pair_state{state="\(.*\)"} 1$/\1/p')
  [ "$state" = "$2" ] || { echo "rack $1 is in $state"; return 1; }
}
both_normal() { pair_state A normal && pair_state B normal; }

partner_known() { lab_api GET /v1/racks/partner; }
partner_is_current() { lab_api GET /v1/racks/partner | grep -q '"current" *: *true'; }

# Rack B enrols, the two become a pair, and B serves the VLAN too.
pair_up() {
  rm -rf "$lab/rackb" "$lab"/rackb.log "$lab"/ask.*
  pair_networks
  mkdir -p "$lab/rackb"
  cat > "$lab/rackb/rack.toml" <<END
name = "partner"
state_dir = "$lab/rackb"
images_dir = "$lab/images"
join_token_file = "$lab/rackb/token"
interfaces = ["machines0"]
io = "${SLIPWAY_IO:-auto}"
END
  (umask 077 && lab_api POST /v1/racks/tokens '{}' | json_text token > "$lab/rackb/token")
  pair_start B
  check "the second rack enrols" wait_for 20 partner_known
  check "the two become a pair" lab_api POST /v1/rack-pairs "{\"name\":\"pair\",\"rack_a\":\"lab\",
    \"rack_b\":\"partner\",\"address_a\":\"10.77.253.1\",\"address_b\":\"10.77.253.2\",
    \"mclt_seconds\":$pair_mclt}"
  check "the second rack serves the VLAN too" lab_api POST /v1/served-interfaces \
    '{"rack":"partner","name":"machines0","vlan":"machines"}'
  check "it takes that" wait_for 20 partner_is_current
  check "they find each other" wait_for 20 both_normal
}

# ---- clients ----

# pair_client NAME MAC: an interface of the segment.
pair_client() {
  ip -n "$ns_segment" link add "$1" address "$2" type veth peer name "$1p"
  ip -n "$ns_segment" link set "$1p" master segment0 up
  ip -n "$ns_segment" link set "$1" up
  cat > "$lab/ask.sh" <<'END'
#!/bin/sh
[ "$1" = bound ] && echo "$ip $lease $serverid" > "$(dirname "$0")/ask.$interface"
exit 0
END
  chmod 0755 "$lab/ask.sh"
}

# ask_within SECONDS NAME: an exchange with udhcpc; the answer is in $lab/ask.NAME.
ask_within() {
  rm -f "$lab/ask.$2"
  ip netns exec "$ns_segment" timeout "$1" "$busybox" udhcpc -i "$2" -n -q -f -t "$1" -T 1 \
    -s "$lab/ask.sh" > "$lab/udhcpc-$2.log" 2>&1
  [ -s "$lab/ask.$2" ]
}
ask() { ask_within 10 "$1"; }
# ask_until_from SERVER NAME: under one MAC after the other, until that rack answers.
ask_until_from() {
  local i
  for ((i = 0; i < 20; ++i)); do
    ip -n "$ns_segment" link set "$2" address "52:54:00:57:00:$((20 + i))"
    ask "$2" && grep -q " $1\$" "$lab/ask.$2" && return
  done
  return 1
}
address_of() { cut -d' ' -f1 "$lab/ask.$1"; }
lease_seconds() { cut -d' ' -f2 "$lab/ask.$1"; }
answered_by() { grep -q "$1\$" "$lab"/ask.c[0-9]; }
all_differ() { [ "$(cut -d' ' -f1 "$lab"/ask.[cpln]*[0-9t] | sort -u | wc -l)" = "$1" ]; }
odd() { [ $((${1##*.} % 2)) = 1 ]; }
# A's answers are even addresses, B's are odd ones.
shares_kept() {
  local address lease server
  while read -r address lease server; do
    [ $((${address##*.} % 2)) = $((${server##*.} - 1)) ] || return 1
  done < <(cat "$lab"/ask.c[0-9])
}

# lease_state A|B ADDRESS: as the rack itself says.
lease_state() {
  local rack=lab
  [ "$1" = A ] || rack=partner
  lab_api GET "/v1/leases/$2?rack=$rack" | json_text state
}

# dhclient_reboots NAME ADDRESS: with a lease of that address on its disk it begins with a REQUEST.
dhclient_reboots() {
  local file=$lab/dhclient-$1.leases
  cat > "$file" <<END
lease {
  interface "$1";
  fixed-address $2;
  option subnet-mask 255.255.255.0;
  option dhcp-lease-time 600;
  option dhcp-message-type 5;
  option dhcp-server-identifier 10.77.0.1;
  renew never;
  rebind never;
  expire never;
}
END
  ip netns exec "$ns_segment" timeout 10 "$dhclient" -4 -1 -d -v -cf /dev/null -lf "$file" \
    -pf "$lab/dhclient-$1.pid" -sf /bin/true "$1" > "$lab/dhclient-$1.log" 2>&1 8>&- &
  wait_for 10 grep -q "^DHCPACK of $2 " "$lab/dhclient-$1.log"
  local found=$?
  kill "$!" 2> /dev/null
  wait "$!" 2> /dev/null
  [ "$found" = 0 ] && ! grep -q DHCPDISCOVER "$lab/dhclient-$1.log"
}

# ---- the cable between the racks: cut, it swallows what is sent ----

partition() { ip -n "$ns_rack" link set partner0 down; }
heal() { ip -n "$ns_rack" link set partner0 up; }

# ---- IPv6 ----

pair_network6() {
  lab_api POST /v1/subnets '{"name":"machines6","vlan":"machines","cidr":"2001:db8:77::/64"}' &&
    lab_api POST /v1/ranges '{"subnet":"machines6","kind":"dynamic",
      "first":"2001:db8:77::1:0:0","last":"2001:db8:77::1:ffff:ffff"}' &&
    lab_api PATCH /v1/vlans/machines '{"router_advertisement":"full"}' &&
    ip -n "$ns_rack" address add 2001:db8:77::1/64 dev machines0 nodad &&
    ip -n "$ns_rack_b" address add 2001:db8:77::2/64 dev machines0 nodad &&
    ip netns exec "$ns_segment" sysctl --quiet --write net.ipv6.conf.all.disable_ipv6=0 &&
    wait_for 20 rack_is_current && wait_for 20 partner_is_current
}

# ask6 NAME: an exchange with dhclient; the answer is in $lab/ask6.NAME.
ask6() {
  rm -f "$lab/ask6.$1"
  ip netns exec "$ns_segment" sysctl --quiet --write "net.ipv6.conf.$1.disable_ipv6=0"
  cat > "$lab/ask6.sh" <<'END'
#!/bin/sh
[ "$reason" = BOUND6 ] && echo "$new_ip6_address $new_dhcp6_server_id" \
  > "$(dirname "$0")/ask6.$interface"
exit 0
END
  chmod 0755 "$lab/ask6.sh"
  : > "$lab/dhclient6.leases"
  wait_for 10 has_link_local "$1" || return 1
  ip netns exec "$ns_segment" timeout 20 "$dhclient" -6 -1 -v -D LL -cf /dev/null \
    -sf "$lab/ask6.sh" -lf "$lab/dhclient6.leases" -pf "$lab/dhclient6.pid" "$1" \
    > "$lab/dhclient6-$1.log" 2>&1 8>&-
  kill "$(cat "$lab/dhclient6.pid")" 2> /dev/null
  [ -s "$lab/ask6.$1" ]
}
has_link_local() {
  ip -n "$ns_segment" -6 address show dev "$1" scope link | grep inet6 | grep -qv tentative
}
address6_of() { cut -d' ' -f1 "$lab/ask6.$1"; }
servers6() { cut -d' ' -f2 "$lab"/ask6.*[0-9]; }
all_differ6() { [ "$(cut -d' ' -f1 "$lab"/ask6.c[0-9] | sort -u | wc -l)" = "$1" ]; }
