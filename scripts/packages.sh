#!/usr/bin/env bash
# Prints the packages of the module, those with the longest tests first, so that short ones fill the gaps at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
longest='/(internal/migrate|internal/checkout|test/[a-z0-9]+)$'
all=$(go list ./...)
grep -E "$longest" <<<"$all"
grep -vE "$longest" <<<"$all"
