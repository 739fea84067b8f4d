#!/bin/bash
# The README's commands are ./run and ./test and nothing else; ./run stays up, the commands that it
# prints work in another terminal, and Ctrl-C removes everything.
. "$(dirname "$0")/e2e.sh"
trap cleanup EXIT
mkdir -p "$work"
run_pid=
cleanup() {
  local code=$?
  [ -z "$run_pid" ] || kill "$run_pid" 2>/dev/null
  e2e_end "$code"
}

# The commands of the fenced "sh" blocks, without comments.
awk '/^```sh$/ { on = 1; next } /^```/ { on = 0 } on' "$root/README.md" |
  sed 's/ *#.*//; /^$/d' > "$work/readme-commands"
check "the README names the two commands and no other" \
  diff "$work/readme-commands" - <<< $'./run\n./test'
check "./test explains itself" "$root/test" --help
check "./run explains itself" "$root/run" --help
check "an unknown argument is a usage error" bash -c "'$root/run' --nonsense; [ \$? = 2 ]"

out=$work/readme-run.log
rm -f "$out"
# With job control, as in a terminal: otherwise the shell has it ignore Ctrl-C.
set -m
"$root/run" > "$out" 2>&1 &
run_pid=$!
set +m
run_is_up() {
  grep -q 'Ctrl-C ends it' "$out"
}
wait_for 240 run_is_up || { tail -40 "$out"; e2e_evidence; exit 1; }
echo "ok: ./run says what to try"
grep -E "^  /.*/slipway " "$out" > "$work/readme-try"
check "it prints three commands" test "$(wc -l < "$work/readme-try")" = 3
while read -r command; do
  case $command in
    *--watch*)
      # It goes on until it is stopped: 124 is timeout's word for that.
      check "works: $command" bash -c "cd / && timeout 3 $command; [ \$? = 124 ]"
      ;;
    *) check "works: $command" bash -c "cd / && $command" ;;
  esac
done < "$work/readme-try"
kill -INT "$run_pid"
gone() {
  ! kill -0 "$run_pid" 2>/dev/null
}
check "Ctrl-C ends it" wait_for 20 gone
run_pid=
check "and removes the namespaces" bash -c "! ip netns list | grep -q '^$SLIPWAY_LAB-'"
