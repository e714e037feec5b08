#!/usr/bin/env bash
# fuzz.sh [TIME]: runs every fuzz function of the module for TIME (default 3s), one a core, and prints a line for each.
# Failing inputs stay below testdata/fuzz of the package: commit them with the fix.
#
# `go test -fuzz` would build a binary a function and watch the coverage of everything in it, the translated SQLite and
# the standard library too. Here each package is built once, and only this module's code is watched: what is parsed here
# is parsed by this module.
set -euo pipefail
cd "$(dirname "$0")/.."
FUZZTIME=${1:-3s}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
corpus=$(go env GOCACHE)/fuzz/$(go list -m)
export FUZZTIME work corpus

# one FILE:NAME fuzzes one function. The engine sometimes reports its own deadline as a failure (golang/go#75804,
# fixed in Go 1.27). It leaves no failing input, by which it is told from a finding, and tried again.
one() {
  local dir=${1%/*} name=${1##*:} log try
  log=$work/${1//\//_}
  for try in 1 2 3; do
    if (cd "$dir" && "$work/${dir##*/}.test" -test.run '^$' -test.fuzz "^$name\$" -test.fuzztime "$FUZZTIME" \
      -test.parallel 1 -test.fuzzcachedir "$corpus/${dir#./}") >"$log" 2>&1; then
      printf 'fuzz: ok    %s %s (%s)\n' "$dir" "$name" "$(grep -o 'execs: [0-9]*' "$log" | tail -n 1)"
      return 0
    fi
    grep -q 'Failing input written' "$log" && break
    grep -q 'context deadline exceeded' "$log" || break
  done
  printf 'fuzz: FAIL  %s %s\n' "$dir" "$name"
  sed 's/^/  /' "$log"
  return 1
}
export -f one

# Folders of other people's code and hidden ones are no part of the module.
list=$(find . \( -name node_modules -o -name testdata -o -name '.?*' \) -prune -o -name '*_test.go' -print0 |
  xargs -0 awk '/^func Fuzz[A-Za-z0-9_]*\(/ { split($2, name, "("); print FILENAME ":" name[1] }' | sort)
if [ -z "$list" ]; then
  echo "fuzz: no fuzz function in the module"
  exit 0
fi
# Two packages of one name are an error of go test, not a mix-up.
printf '%s\n' "$list" | sed 's|/[^/]*$||' | sort -u |
  xargs go test -c -o "$work/" -ldflags='-s -w' -gcflags="$(go list -m)/...=-d=libfuzzer"
status=0
printf '%s\n' "$list" | xargs -P "$(nproc)" -I{} bash -c 'one {}' || status=1
echo "fuzz: $(printf '%s\n' "$list" | wc -l) functions, $FUZZTIME each"
exit "$status"
