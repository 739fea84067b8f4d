# Building, with one line on the screen and the rest in a log. Sourced after lab.sh.

# Paths relative to the checkout, so that a clone finds what another one has compiled.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1

# run_logged LOG COMMAND...: shows the end of the log if it fails.
run_logged() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  if ! "$@" > "$log" 2>&1; then
    tail -40 "$log" >&2
    return 1
  fi
}

# build_preset PRESET [TARGET...]
build_preset() {
  local preset=$1 before=$SECONDS
  shift
  echo "build: preset $preset"
  if [ ! -f "$root/build/$preset/build.ninja" ]; then
    run_logged "$work/configure-$preset.log" cmake --preset "$preset" ||
      die "cmake failed; its output is in $work/configure-$preset.log"
  fi
  run_logged "$work/build-$preset.log" cmake --build "$root/build/$preset" ${1:+--target "$@"} ||
    die "the build failed; its output is in $work/build-$preset.log"
  [ $((SECONDS - before)) -lt 5 ] || echo "  built in $((SECONDS - before)) s"
}

build_programs() {
  build_preset release
}

build_boot_files() {
  "$root/dataplane/launcher/build-image" --build "$root/build" \
    --launcher "$bin/slipway-launcher" || die "the boot files could not be made"
}
