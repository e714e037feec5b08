#!/usr/bin/env bash
# Prints the packages whose tests run on the engine that PANSHI_TEST_ENGINE names, for a second round: those that open a
# database by dbtest.Open, and the black-box tests whose shops kit makes. test/powerloss is about the files of SQLite;
# internal/db/dbtest and test/cluster run both engines in their one round.
set -euo pipefail
cd "$(dirname "$0")/.."
{
  grep -rlE 'dbtest\.Open\(' --include='*_test.go' internal | grep -v '^internal/db/dbtest/'
  grep -rlE 'kit\.(NewShop|Stopped|Empty)\(' --include='*_test.go' test | grep -vE '^test/(powerloss|cluster)/'
} | xargs -n1 dirname | sort -u | sed 's|^|./|'
