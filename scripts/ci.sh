#!/usr/bin/env bash
# What a change must pass, in the order in which a failure is cheapest. Prints the time of each stage, leaves no process.
# Downloads (Debian, npm) wait on the network while the linter compiles, so they run beside it.
set -euo pipefail
cd "$(dirname "$0")/.."
export CI=true
begun=$SECONDS
times=()

stage() {
  local name=$1 start=$SECONDS
  shift
  echo "ci: --- $name"
  if ! "$@"; then
    echo "ci: FAILED at $name after $((SECONDS - start)) s"
    exit 1
  fi
  times+=("$(printf '%4d s  %s' $((SECONDS - start)) "$name")")
  echo "ci: ${times[-1]}"
}

setup_log=$(mktemp)
scripts/setup.sh >"$setup_log" 2>&1 &
setup=$!
# A failed stage does not cut an installation off half-way: it is waited for.
finish() {
  wait "$setup" 2>/dev/null || true
  rm -f "$setup_log"
}
trap finish EXIT

await_setup() {
  local status=0
  wait "$setup" || status=$?
  cat "$setup_log"
  return "$status"
}

stage "download modules" go mod download
# Two at a time: the SQLite engine is one package of several hundred thousand lines, and compiles on one core.
stage "tools, build" make -j2 -Otarget tools build BUILDFLAGS=
stage "setup (ran beside the above)" await_setup
stage "console fresh" make ui-fresh
stage "arch" make arch
stage "lint" make lint
stage "test" make test BUILDFLAGS=
# By itself: valgrind runs the shop fifty times slower, and its time limits must not strike.
stage "budget" make budget
stage "race" make race
stage "fuzz" make fuzz

echo "ci: passed in $((SECONDS - begun)) s"
printf 'ci: %s\n' "${times[@]}"
