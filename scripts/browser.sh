#!/usr/bin/env bash
# browser.sh test|screenshots: runs that npm script of test/browser against bin/panshi.
set -euo pipefail
cd "$(dirname "$0")/.."

PANSHI_BIN=$PWD/bin/panshi
export PANSHI_BIN CHROMIUM=${CHROMIUM:-/usr/bin/chromium}
cd test/browser
exec npm run --silent "$1" </dev/null
