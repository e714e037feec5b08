#!/usr/bin/env bash
# failures.sh [SEEDS]: runs every test that docs/recovery-proof.md names for a failure, SEEDS times (default 1), each time by
# another seed. A line for each package; what failed prints the seed that repeats it.
set -euo pipefail
cd "$(dirname "$0")/.."
seeds=${1:-1}
status=0
# "`dir TestName`" of the rows that begin with a number, a directory a line with its tests joined by |.
tests=$(grep -E '^\| [0-9]+ \|' docs/recovery-proof.md | grep -oE '`[a-z0-9/]+ Test[A-Za-z0-9]+`' | tr -d '`' | sort -u |
  awk '{ if ($1 in names) names[$1] = names[$1] "|" $2; else names[$1] = $2 } END { for (d in names) print d, names[d] }' | sort)
while read -r dir names; do
  begun=$SECONDS
  count=$(tr '|' '\n' <<<"$names" | wc -l)
  if out=$(go test -vet=off -timeout 90m -count="$seeds" -run "^($names)\$" "./$dir" 2>&1); then
    printf 'failures: ok    %s: %d tests, %d seeds, %d s\n' "$dir" "$count" "$seeds" $((SECONDS - begun))
  else
    printf 'failures: FAIL  %s\n%s\n' "$dir" "$out"
    status=1
  fi
done <<<"$tests"
exit "$status"
