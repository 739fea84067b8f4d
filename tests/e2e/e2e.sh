# What the end-to-end tests share. Sourced; needs SLIPWAY_BIN (the programs) from ctest.
# Exit 77: not possible here, counted as skipped.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$root/build/lab
bin=${SLIPWAY_BIN:-$root/build/dev/bin}
export SLIPWAY_BIN=$bin
export SLIPWAY_LAB=${SLIPWAY_LAB:-slipway-e2e}
. "$root/tests/support/lab/lab.sh"
. "$root/tests/support/lab/packages.sh"
. "$root/tests/support/lab/build.sh"

[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }

# check WHAT COMMAND...: says what failed, and ends the test.
check() {
  local what=$1
  shift
  if ! "$@" > "$work/check.log" 2>&1; then
    echo "FAILED: $what ($*)"
    tail -20 "$work/check.log"
    e2e_evidence
    exit 1
  fi
  echo "ok: $what"
}

# What helps to understand a failure.
e2e_evidence() {
  local file
  for file in "$lab"/region.log "$lab"/rack*.log "$lab"/vm-*.log "$lab"/vm-*.console; do
    [ -s "$file" ] || continue
    echo "---- the end of $file"
    tail -c 3000 "$file" | tr -d '\r' | tail -15
  done
}

# e2e_end [CODE]: a trap of the test's own calls it with the code that it was entered with.
e2e_end() {
  local code=${1-$?}
  trap - EXIT INT TERM
  lab_down
  exit "$code"
}

# A lab of this test's own, removed when the script ends.
e2e_lab() {
  trap e2e_end EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  mkdir -p "$work"
  build_boot_files > /dev/null
  lab_lock
  lab_down
  lab_up
}

# console_says NAME TEXT
console_says() {
  grep -a -q -- "$2" "$lab/vm-$1.console"
}

# query PATH FILTER: jq over an answer of the API.
query() {
  lab_api GET "$1" | jq --raw-output "$2"
}

# is VALUE PATH FILTER
is() {
  [ "$(query "$2" "$3")" = "$1" ] || { echo "expected $1, got:"; query "$2" "$3"; return 1; }
}
