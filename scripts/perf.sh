#!/usr/bin/env bash
# Measures both engines at all sizes and puts what panshi bench said into docs/performance.md, between its markers.
# Takes about an hour on two quiet cores; SIZES, SECONDS_EACH, ROUNDS and ENGINES make it shorter. The reports stay in
# .tmp/perf/ as JSON, for panshi bench --compare.
set -euo pipefail
cd "$(dirname "$0")/.."

sizes=${SIZES:-1e3,1e5,1e6}
each=${SECONDS_EACH:-10}
rounds=${ROUNDS:-5}
engines=${ENGINES:-sqlite postgres}
page=docs/performance.md
out=.tmp/perf
mkdir -p "$out"

# between ENGINE FILE puts a file between the markers of an engine.
between() {
  local engine=$1 file=$2
  grep -q "<!-- bench:$engine -->" "$page" || { echo "perf: $page has no marker for $engine" >&2; exit 1; }
  awk -v engine="$engine" -v file="$file" '
    $0 == "<!-- bench:" engine " -->" { print; print "```"; while ((getline line < file) > 0) print line; print "```"; skip = 1; next }
    $0 == "<!-- end:" engine " -->" { skip = 0 }
    !skip { print }' "$page" >"$out/page.md"
  cat "$out/page.md" >"$page"
}

for engine in $engines; do
  echo "perf: $engine"
  bin/panshi bench --engine "$engine" --sizes "$sizes" --seconds "$each" --rounds "$rounds" --json >"$out/$engine.json"
  bin/panshi bench --show "$out/$engine.json" >"$out/$engine.txt"
  between "$engine" "$out/$engine.txt"
done
echo "perf: $page is up to date; look at the column 'others' before you believe it"
