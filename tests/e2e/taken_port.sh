#!/bin/bash
# A port that the rack needs is taken: it names the owner and the cure, exits 1 and leaves nothing.
. "$(dirname "$0")/e2e.sh"
owner=
cleanup() {
  local code=$?
  [ -z "$owner" ] || kill "$owner" 2>/dev/null
  e2e_end "$code"
}
e2e_lab
trap cleanup EXIT
lab_kill TERM rack

# hold udp|tcp PORT: a process of another name that has the port. Sets `owner`.
hold() {
  rm -f "$lab/held"
  # shellcheck disable=SC2016 # perl's variables
  ip netns exec "$ns_rack" perl -MIO::Socket::INET -e '
    my ($protocol, $port, $file) = @ARGV;
    my $socket = IO::Socket::INET->new(Proto => $protocol, LocalPort => $port,
      $protocol eq "tcp" ? (Listen => 1) : ()) or die "$!";
    open(my $done, ">", $file);
    sleep 60;' "$1" "$2" "$lab/held" 8>&- &
  owner=$!
  lab_process holder "$owner"
  wait_for 5 test -e "$lab/held"
}

refused() {
  local protocol=$1 port=$2 what=$3 code
  hold "$protocol" "$port" || { echo "cannot hold $protocol $port"; exit 1; }
  timeout 20 ip netns exec "$ns_rack" "$bin/slipway-rack" --config "$lab/rack/rack.toml" \
    > "$lab/refused" 2>&1 8>&-
  code=$?
  check "$protocol $port taken: exit 1" test "$code" = 1
  check "it names the port, its use and the owner" \
    grep -q "${protocol^^} port $port ($what) is taken by perl (pid $owner)" "$lab/refused"
  check "and the cure" grep -q 'stop that service' "$lab/refused"
  check "no socket stays" bash -c "! test -e '$lab/rack/rack.sock'"
  check "and the port is still its owner's" kill -0 "$owner"
  kill "$owner"
  wait "$owner" 2>/dev/null
  owner=
}

refused udp 67 DHCP
refused udp 69 TFTP
refused tcp 5248 HTTP
lab_rack_start
check "with the ports free it starts" wait_for 20 rack_ready
