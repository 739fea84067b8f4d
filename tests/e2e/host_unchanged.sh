#!/bin/bash
# The host is as it was after a lab has come and gone: files, names, clock, services, ports, networks.
. "$(dirname "$0")/e2e.sh"
trap e2e_end EXIT
mkdir -p "$work"

# The clock's setting, not its time: source and whether somebody else steers it.
clock_state() {
  cat /sys/devices/system/clocksource/clocksource0/current_clocksource
  cat /etc/adjtime 2>/dev/null
  ls -l /etc/localtime
}

services() {
  if command -v systemctl > /dev/null && [ -d /run/systemd/system ]; then
    systemctl list-units --type=service --state=running --no-legend --plain | awk '{ print $1 }'
  fi
  ls /etc/rc*.d /etc/systemd/system 2>/dev/null
}

snapshot() {
  echo "== /etc"
  find /etc -xdev -type f -exec sha256sum {} + 2>/dev/null | LC_ALL=C sort -k 2
  find /etc -xdev ! -type f -printf '%p %l\n' | LC_ALL=C sort
  echo "== names"
  cat /etc/resolv.conf /etc/hosts
  echo "== clock"
  clock_state
  echo "== services"
  services
  echo "== listening"
  ss -H -lntu | awk '{ print $1, $5 }' | LC_ALL=C sort -u
  echo "== networks"
  ip netns list | LC_ALL=C sort
  ip -o link show | sed 's/^[0-9]*: \([^:@]*\).*/\1/' | LC_ALL=C sort
  ip -o address show scope global | awk '{ print $2, $4 }'
  ip route show
  echo "== kernel settings"
  sysctl -a 2>/dev/null | grep -E '^(net\.ipv[46]\.(ip_forward|conf\.all\.)|net\.core\.[rw]mem)' |
    LC_ALL=C sort
  echo "== firewall"
  nft list ruleset 2>/dev/null
  echo "== other programs"
  ls /usr/sbin /usr/local/bin /usr/local/sbin /etc/init.d | sha256sum
}

snapshot > "$work/host-before"
"$root/run" --once > "$work/host-run.log" 2>&1 || { tail -30 "$work/host-run.log"; exit 1; }
snapshot > "$work/host-after"
check "the host is as it was" diff "$work/host-before" "$work/host-after"
