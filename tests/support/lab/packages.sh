# Debian packages that `run` and `test` need; docs/dependencies.md says what each is for. Sourced.
# None of them starts a service or takes over a part of the host.

build_packages="
  g++ cmake ninja-build pkg-config ccache mold
  flatbuffers-compiler libflatbuffers-dev libboost-json1.81-dev libboost-url1.81-dev
  libboost-system1.81-dev libboost1.81-dev libtomlplusplus-dev libcli11-dev libfmt-dev libspdlog-dev
  liburing-dev libzmq3-dev cppzmq-dev libsodium-dev liblmdb-dev libcurl4-openssl-dev
  libxxhash-dev libcap-dev libseccomp-dev prometheus-cpp-dev"
image_packages="cpio kmod zstd binutils"
lab_packages="qemu-system-x86 ipxe-qemu ovmf seabios iproute2 procps curl"
test_packages="libgtest-dev libbenchmark-dev clang-format-14 jq"
long_packages="clang-14 libclang-rt-14-dev"  # the fuzz preset

# missing_packages NAME...: those that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
      echo "$package"
    fi
  done
}

# install_packages NAME...: one apt-get call, and only if something is missing.
install_packages() {
  local missing
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  command -v apt-get > /dev/null ||
    die "missing: $(echo $missing); only Debian 12 is served so far"
  echo "installing: $(echo $missing)"
  # Lists that know all of them are good enough; the network may be slow or away.
  if ! apt-cache show --no-all-versions $missing > /dev/null 2>&1; then
    apt-get -qq update || die "apt-get update failed: is the network there?"
  fi
  apt_install $missing || { apt-get -qq update && apt_install $missing; } ||
    die "apt-get install failed; its output is in $work/apt.log"
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install --yes \
    --no-install-recommends "$@" > "$work/apt.log" 2>&1
}
