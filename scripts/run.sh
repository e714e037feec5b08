#!/usr/bin/env bash
# Builds Panshi, fills the demo shop and serves it together with the payment sandbox, until Ctrl-C.
# Needs Go alone. Addresses and folder can be changed:
#   PANSHI_HTTP=127.0.0.1:9000 PANSHI_CONSOLE=… PANSHI_SANDBOX=… PANSHI_DATA=… make run
set -euo pipefail
cd "$(dirname "$0")/.."

http=${PANSHI_HTTP:-127.0.0.1:8080}
console=${PANSHI_CONSOLE:-127.0.0.1:8081}
sandbox=${PANSHI_SANDBOX:-127.0.0.1:8090}
data=${PANSHI_DATA:-.demo/shop}

fail() {
  echo "run: $*" >&2
  exit 1
}

# taken ADDRESS: something listens there. A wildcard address is asked on loopback.
taken() {
  local host=${1%:*} port=${1##*:}
  case "$host" in '' | 0.0.0.0 | '[::]') host=127.0.0.1 ;; esac
  (exec 3<>"/dev/tcp/$host/$port") 2>/dev/null
}

command -v go >/dev/null || fail "Go is not installed (https://go.dev/dl, 1.26 or newer)"
for pair in "shop=$http=PANSHI_HTTP" "console=$console=PANSHI_CONSOLE" "payment sandbox=$sandbox=PANSHI_SANDBOX"; do
  IFS== read -r what address name <<<"$pair"
  ! taken "$address" || fail "$address is taken by another program. Stop it, or choose another address for the $what: $name=127.0.0.1:PORT make run"
done

echo "run: building (the first time takes a minute or two)"
make build
mkdir -p "$(dirname "$data")"
bin/panshi demo --data "$data"
exec bin/panshi serve --data "$data" --http "$http" --console "$console" --sandbox "$sandbox"
