#!/bin/bash
# An error in rack.toml or region.toml: file, line, column, reason and a suggestion, exit 2, and
# nothing was started or written.
. "$(dirname "$0")/e2e.sh"
mkdir -p "$lab"
folder=$lab/config-error
trap 'rm -rf "$folder"' EXIT
rm -rf "$folder"
mkdir -p "$folder"

# refuses PROGRAM FILE TEXT
refuses() {
  local code
  timeout 10 "$bin/$1" --config "$2" > "$folder/said" 2>&1
  code=$?
  check "$1 refuses $(basename "$2")" test "$code" = 2
  check "it says where and why" grep -q -e "$3" "$folder/said" || { cat "$folder/said"; exit 1; }
  check "it says only that" test "$(wc -l < "$folder/said")" -le 2
  check "nothing was made" test ! -e "$folder/state"
}

cat > "$folder/rack.toml" <<END
state_dir = "$folder/state"
  interfaxes = ["eth0"]
END
refuses slipway-rack "$folder/rack.toml" "$folder/rack.toml:2:3: .*interfaxes.*interfaces"
cat > "$folder/region.toml" <<END
state_dir = "$folder/state"

[link]
listn = "127.0.0.1"
END
refuses slipway-region "$folder/region.toml" "$folder/region.toml:4:1: .*listn.*listen"
cat > "$folder/rack-type.toml" <<END
state_dir = "$folder/state"
shards = "two"
END
refuses slipway-rack "$folder/rack-type.toml" "$folder/rack-type.toml:2:[0-9]*: .*shards"
printf 'state_dir = "%s"\nshards = = 2\n' "$folder/state" > "$folder/rack-syntax.toml"
refuses slipway-rack "$folder/rack-syntax.toml" "$folder/rack-syntax.toml:2:[0-9]*: "
check "a file that is not there is an error too" \
  bash -c "'$bin/slipway-rack' --config '$folder/nowhere.toml'; [ \$? = 2 ]"
