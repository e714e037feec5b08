#!/usr/bin/env bash
# lint.sh GOLANGCI GOFUMPT: everything about the source that needs no test run. Runs all checks, then fails if one did.
set -uo pipefail
cd "$(dirname "$0")/.."
golangci=$1 gofumpt=$2
failed=0

check() {
  local name=$1 out
  shift
  if out=$("$@" 2>&1); then
    echo "lint: ok    $name"
  else
    echo "lint: FAIL  $name"
    printf '%s\n' "$out" | sed 's/^/  /'
    failed=1
  fi
}

unformatted() {
  local files
  files=$(find . \( -name node_modules -o -name testdata -o -name '.?*' \) -prune -o -name '*.go' -print0 | xargs -0 "$gofumpt" -l) || return 1
  [ -z "$files" ] || { echo "$files"; echo "run: make fmt"; return 1; }
}

scripts_parse() {
  local f
  for f in scripts/*.sh .ci/run; do bash -n "$f" || return 1; done
}

check "shell scripts parse" scripts_parse
check "go mod verify" go mod verify
check "go mod tidy" go mod tidy -diff
check "gofumpt" unformatted
check "go vet" go vet ./...
check "go vet -tags faultpoints" go vet -tags faultpoints ./...
check "go vet -tags plantedsync" go vet -tags plantedsync ./internal/db/sqlite
check "golangci-lint" "$golangci" run ./...
exit "$failed"
