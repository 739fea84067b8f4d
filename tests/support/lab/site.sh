# `./run --site FILE`: region and rack of this host, serving a real network. Sourced after lab.sh.

# site_rows TABLE: the JSON of each such table, one a line.
site_rows() {
  awk -F '\t' -v table="$1" '$1 == table { print $3 }' "$work/site.rows"
}

# site_field KEY: of the JSON on stdin.
site_field() {
  sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"
}

# Refuses a file that cannot be served, before anything is installed, built or started.
site_check() {
  local row name vlan wrong=0
  awk -f "$root/tests/support/lab/site.awk" "$1" > "$work/site.rows" || return 1
  if [ -z "$(site_rows interface)" ]; then
    echo "$1: no [[interface]]: nothing may answer DHCP anywhere; name each interface to serve" >&2
    return 1
  fi
  while read -r row; do
    name=$(site_field name <<< "$row")
    vlan=$(site_field vlan <<< "$row")
    if [ ! -e "/sys/class/net/$name" ]; then
      echo "$1: this host has no interface '$name'; it has: $(ls /sys/class/net | tr '\n' ' ')" >&2
      wrong=1
    elif ! ip -4 -o address show dev "$name" scope global | grep -q inet; then
      echo "$1: interface '$name' has no IPv4 address; a DHCP server needs one in the subnet that \
it serves" >&2
      wrong=1
    fi
    if ! site_rows vlan | grep -q "\"name\":\"$vlan\""; then
      echo "$1: interface '$name' is on VLAN '$vlan', which no [[vlan]] describes" >&2
      wrong=1
    fi
  done < <(site_rows interface)
  while read -r row; do
    vlan=$(site_field vlan <<< "$row")
    site_rows interface | grep -q "\"vlan\":\"$vlan\"" ||
      echo "note: subnet $(site_field name <<< "$row") is on VLAN '$vlan', which no [[interface]] \
serves: nothing is answered there"
  done < <(site_rows subnet)
  return $wrong
}

# site_port udp|tcp PORT WHAT: fails and names the owner if the port is taken.
site_port() {
  local line owner pid unit cure
  line=$(ss -H -ln"${1:0:1}"p "sport = :$2" | head -1)
  [ -n "$line" ] || return 0
  owner=$(sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1 \2/p' <<< "$line")
  pid=${owner#* }
  owner=${owner% *}
  unit=$(sed -n 's/.*\/\([^/]*\.service\)$/\1/p' "/proc/$pid/cgroup" 2>/dev/null | head -1)
  if [ -n "$unit" ]; then
    cure="end it with: systemctl stop $unit"
  elif [ -n "$pid" ]; then
    cure="end it with: kill $pid"
  else
    cure="ss -ln${1:0:1}p shows more"
  fi
  echo "run: $1 port $2 ($3) is taken by ${owner:-another process}${pid:+ (process $pid)}; $cure" >&2
  return 1
}

# site_apply KINDS NAME JSON: creates it, or changes it to what the file says.
site_apply() {
  local etag
  lab_authorize
  etag=$(curl --silent --max-time 10 --fail --output /dev/null --dump-header - \
    --header "@$lab/authorization" "$region_api/v1/$1/$2" |
    tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p')
  if [ -z "$etag" ]; then
    lab_api POST "/v1/$1" "$3" > /dev/null && echo "  $1 $2: made"
    return
  fi
  curl --silent --max-time 10 --fail-with-body --output "$lab/answer" --request PATCH \
    --header "@$lab/authorization" --header "If-Match: $etag" \
    --header 'Content-Type: application/json' --data-binary "$3" "$region_api/v1/$1/$2" ||
    { cat "$lab/answer" >&2; return 1; }
}

site_apply_all() {
  local row name fabric
  while read -r row; do
    fabric=$(site_field fabric <<< "$row")
    site_apply fabrics "${fabric:-site}" "{\"name\":\"${fabric:-site}\"}" || return 1
    [ -n "$fabric" ] || row="{\"fabric\":\"site\",${row#\{}"
    site_apply vlans "$(site_field name <<< "$row")" "$row" || return 1
  done < <(site_rows vlan)
  while read -r row; do
    site_apply subnets "$(site_field name <<< "$row")" "$row" || return 1
  done < <(site_rows subnet)
  while read -r row; do
    name=$(site_field first <<< "$row")
    # Ranges have no name: the first address tells them apart.
    if ! lab_api GET "/v1/ranges?limit=1000" | tr -d ' ' | grep -q "\"first\":\"$name\""; then
      lab_api POST /v1/ranges "$row" > /dev/null || return 1
      echo "  range from $name: made"
    fi
  done < <(site_rows range)
}

site_bind_interfaces() {
  local row name listed
  listed=$(lab_api GET "/v1/served-interfaces?limit=1000" | tr -d ' ')
  while read -r row; do
    name=$(site_field name <<< "$row")
    if ! grep -q "\"name\":\"$name\"" <<< "$listed"; then
      lab_api POST /v1/served-interfaces "{\"rack\":\"$1\",${row#\{}" > /dev/null || return 1
      echo "  interface $name: served"
    fi
  done < <(site_rows interface)
}

site_configs() {
  local name=$1 row list=
  while read -r row; do
    list+="${list:+, }\"$(site_field name <<< "$row")\""
  done < <(site_rows interface)
  mkdir -p "$lab/region" "$lab/rack" "$lab/images"
  cat > "$lab/region/region.toml" <<END
state_dir = "$lab/region"

[images]
dir = "$lab/images"

[link]
listen = "127.0.0.1"
endpoints = ["tcp://127.0.0.1:5250"]
END
  cat > "$lab/rack/rack.toml" <<END
name = "$name"
state_dir = "$lab/rack"
images_dir = "$lab/images"
join_token_file = "$lab/rack/token"
interfaces = [$list]
END
}

site_rack_known() {
  lab_api GET "/v1/racks/$1"
}

# Serves until Ctrl-C. State stays in the site's folder: leases outlive the process.
site_serve() {
  local name folder
  name=$(site_rows site | site_field name)
  name=${name:-rack}
  folder=$(site_rows site | site_field state_dir)
  lab=${folder:-$root/build/site}
  mkdir -p "$lab"
  api_in=
  # Real machines have a screen, or a serial line, or both; the launcher writes to the last one.
  lab_kernel_arguments="console=tty0 console=ttyS0,115200 ${SLIPWAY_KERNEL_ARGUMENTS-}"
  lab_down
  site_port udp 67 DHCP && site_port udp 69 TFTP && site_port tcp 5248 "the rack's HTTP" &&
    site_port tcp 5240 "the region's API" && site_port tcp 5250 "the control link" || return 1
  trap 'code=$?; trap - EXIT; lab_down; exit $code' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  rm -f "$lab/authorization"
  site_configs "$name"
  lab_region_start
  site_apply_all || die "the region refused the site file"
  lab_api GET /v1/images/launcher > /dev/null 2>&1 || lab_import_images > /dev/null ||
    die "cannot import the boot images"
  [ -s "$lab/rack/token" ] || lab_token
  "$bin/slipway-rack" --config "$lab/rack/rack.toml" >> "$lab/rack.log" 2>&1 8>&- &
  lab_process rack $!
  wait_for 20 site_rack_known "$name" ||
    { tail -5 "$lab/rack.log" >&2; die "the rack did not enrol; its log is $lab/rack.log"; }
  site_bind_interfaces "$name" || die "cannot bind the interfaces"
  cat <<END
Serving $(site_rows interface | site_field name | tr '\n' ' ')- the API is $region_api/v1, the admin token is in
$lab/region/admin-token. Try in another terminal:

  $bin/slipway --token-file $lab/region/admin-token machine list
  $bin/slipway --token-file $lab/region/admin-token lease list
  $bin/slipway --token-file $lab/region/admin-token event list --watch

Logs: $lab/region.log, $lab/rack.log. Ctrl-C ends it; state stays in $lab.
END
  while lab_alive region && lab_alive rack; do
    sleep 1 &
    wait $!
  done
  die "region or rack ended; their logs are in $lab"
}
