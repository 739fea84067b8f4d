# Shows what happens, as it happens: follows the region's event stream and prints a line for each
# boot step, with the time since its machine was powered on. Sourced after lab.sh.

# events_follow: the stream, one JSON object a line, for as long as the region lives.
events_follow() {
  local region
  region=$(lab_pid region)
  while kill -0 "$region" 2> /dev/null; do
    $api_in curl --silent --no-buffer --header "@$lab/authorization" \
      --header 'Accept: text/event-stream' ${last_event:+--header "Last-Event-ID: $last_event"} \
      "$region_api/v1/events?topics=boot,event" 2>/dev/null
    sleep 0.5
  done | sed -u -n 's/^data: //p'
}

# json_field KEY OBJECT: sets `field` to a member of a flat object; "" if it is null or not there.
# (awk would do, but Debian's reads ahead: lines would come late.)
json_field() {
  local text="\"$1\" *: *(\"([^\"]*)\"|([^,}]*))"
  field=
  if [[ $2 =~ $text ]]; then
    field=${BASH_REMATCH[2]}${BASH_REMATCH[3]}
    field=${field//\\\//\/}
    [ "$field" != null ] || field=
  fi
}

# events_show MAC=NAME...: lines for people, from objects on stdin.
events_show() {
  local object time step name bytes duration ok mac address code subject detail
  local field key machine pair start since shown_since rack
  shown_since=$(now_ms)
  while IFS= read -r object; do
    for key in time step name bytes ok mac address code subject detail rack; do
      json_field "$key" "$object"
      printf -v "$key" %s "$field"
    done
    json_field duration_ms "$object"
    duration=$field
    machine=
    for pair in "$@"; do
      [ "${pair%%=*}" != "$mac" ] || machine=${pair#*=}
    done
    # Seconds since its machine was powered on; for the rest, since the display began.
    start=
    [ -z "$machine" ] || start=$(cat "$lab/vm-$machine.start" 2> /dev/null)
    since=$(($(date -d "$time" +%s%3N) - ${start:-$shown_since}))
    [ "$since" -ge 0 ] || since=0
    since=$(printf '%5d.%02d' $((since / 1000)) $((since % 1000 / 10)))
    if [ -n "$step" ]; then
      printf '  %s s  %-6s %-16s %s%s%s%s\n' "$since" "${machine:-$mac}" "$step" "${name:+$name }" \
        "${address:+$address }" "$(size_text "$bytes" "$duration")" \
        "$([ "$ok" != false ] || echo failed)"
    elif [ -n "$code" ]; then
      printf '  %s s  %-6s %-16s %s %s\n' "$since" \
        "$([ "${rack:-$subject}" = "$subject" ] && echo region || echo rack)" \
        "$code" "$subject" "$detail"
    fi
  done
}

# "8.2 MiB in 240 ms"; nothing for nothing.
size_text() {
  [ "${1:-0}" != 0 ] || return 0
  awk -v bytes="$1" -v ms="${2:-0}" 'BEGIN {
    if (bytes >= 1048576) text = sprintf("%.1f MiB", bytes / 1048576)
    else if (bytes >= 1024) text = sprintf("%.1f KiB", bytes / 1024)
    else text = bytes " B"
    if (ms > 0) text = text sprintf(" in %.0f ms", ms)
    printf "%s ", text
  }'
}
