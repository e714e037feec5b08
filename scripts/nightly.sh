#!/usr/bin/env bash
# nightly.sh: everything long, one stage after the other. A stage that fails or takes too long does not stop the others; the
# summary at the end names it, and the exit code is 1. Logs and the summary are in .tmp/nightly/. Hours; STAGES="moments loss"
# runs only these.
set -uo pipefail
cd "$(dirname "$0")/.."
out=.tmp/nightly
mkdir -p "$out"
export PANSHI_BIN=$PWD/bin/panshi
summary=()
failed=0
all="ci race fuzz torture failures moments tampering backups loss bench"
stages=${STAGES:-$all}
total=$(wc -w <<<"$stages")
number=0
test="go test -vet=off -count=1 -v"

# stage NAME MINUTES COMMAND...: runs a stage if it is wanted, within its time.
stage() {
  local name=$1 minutes=$2 begun=$SECONDS verdict=ok
  shift 2
  grep -qw "$name" <<<"$stages" || return 0
  number=$((number + 1))
  echo "nightly: $number/$total $name: begun $(date -u +%H:%M:%S), at most $minutes min, $out/$name.log"
  if ! timeout --kill-after=30 $((minutes * 60)) "$@" >"$out/$name.log" 2>&1; then
    verdict=FAIL
    failed=1
    grep -E -- '--- FAIL|FAIL|panic:|Error:' "$out/$name.log" | head -20
  fi
  summary+=("$(printf '%-4s %6d s  %s' "$verdict" $((SECONDS - begun)) "$name")")
  echo "nightly: ${summary[-1]}"
}

# figures NAME PATTERN: what a stage measured, without the places in files.
figures() {
  [ -f "$out/$1.log" ] && grep -w -q "$1" <<<"$stages" || return 0
  grep -hE "$2" "$out/$1.log" | sed -E "s/^ *[a-z_]+\.go:[0-9]+: */  $1: /"
}

make build >"$out/build.log" 2>&1 || { cat "$out/build.log"; exit 1; }
stage ci 60 make ci
stage race 60 make race RACEPKGS=./...
stage fuzz 60 make fuzz FUZZTIME=60s
stage torture 240 make torture
stage failures 120 scripts/failures.sh "${PANSHI_SEEDS:-20}"
stage moments 30 env PANSHI_TORTURE=long $test -timeout 30m -run Moments ./test/recovery
stage tampering 30 env PANSHI_TORTURE=long $test -timeout 30m -run 'OfADestination|Planted' ./test/recovery
stage backups 60 env PANSHI_TORTURE=long $test -timeout 60m ./internal/backup/... ./test/powerloss/backups
stage loss 30 go test -vet=off -count=10 -v -timeout 30m -run 'TestALostDataDirectoryComesBack|TestALostMachineComesBack' ./test/e2e
stage bench 60 bin/panshi bench --scenarios ship,copy,full,restore --sizes "${SIZES:-1e6}" --seconds 10 --rounds 5

{
  echo "nightly: $(git rev-parse --short HEAD), $(date -u +%F), $(nproc) cores, $(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo)"
  printf '%s\n' "${summary[@]}"
  for name in $all; do
    grep -qw "$name" <<<"$stages" || echo "not run: $name"
  done
  figures moments 'moments, [0-9]+ orders'
  figures tampering 'flips seen|bytes in map'
  figures loss 'orders lost'
  figures bench '^ +(ship|copy) |^(full|restore)'
} | tee "$out/summary.txt"
exit "$failed"
