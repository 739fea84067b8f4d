# Programs of other makers that tests run against ours: unpacked from Debian's packages below
# build/debs/clients, never installed. Sourced; needs `root`.

# client_program PACKAGE PATH [LIBRARY-PACKAGE...]: where the unpacked program is; the libraries are
# unpacked beside it (see client_libraries).
client_program() {
  local folder=$root/build/debs/clients package=$1 path=$2 name
  shift
  shift
  mkdir -p "$folder"
  if [ ! -x "$folder/$package/$path" ]; then
    for name in "$package" "$@"; do
      (cd "$folder" && apt-get -o APT::Sandbox::User=root -qq download "$name" > /dev/null 2>&1 &&
        dpkg-deb --extract "$name"_*.deb "$folder/$package" && rm -f "$name"_*.deb) || return 1
    done
  fi
  echo "$folder/$package/$path"
}

# client_libraries PACKAGE: what LD_LIBRARY_PATH is to be for a program of it.
client_libraries() {
  echo "$root/build/debs/clients/$1/usr/lib/$(uname -m)-linux-gnu"
}
