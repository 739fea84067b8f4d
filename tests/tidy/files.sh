# Names of the tree's own text files, relative to its root, which becomes the current folder; also
# where git is not there. Sourced.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"

tree_files() {
  if [ -d .git ] || [ -f .git ]; then
    git -c safe.directory="$root" ls-files --cached --others --exclude-standard |
      while IFS= read -r file; do [ ! -f "$file" ] || echo "$file"; done
  else
    find . -path ./build -prune -o -type f -printf '%P\n'
  fi | grep -v -e '^tests/fuzz/corpus/' -e '^tests/vectors/' -e '^LICENSE$' | LC_ALL=C sort
}
