#!/usr/bin/env bash
# Installs what tests need and this machine lacks: Debian packages and the npm packages of test/browser.
# Run again it does nothing. Without root it says what to install.
set -euo pipefail
cd "$(dirname "$0")/.."

# package=a file that it brings; a command may also come from elsewhere
needed=(
  chromium=/usr/bin/chromium
  fonts-noto-cjk=/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc
  gcc=/usr/bin/gcc
  libc6-dev=/usr/include/stdlib.h
  openssh-sftp-server=/usr/lib/openssh/sftp-server
  nginx-light=/usr/sbin/nginx
  postgresql-15=/usr/lib/postgresql/15/bin/postgres
  valgrind=/usr/bin/valgrind
)

fail() {
  echo "setup: $*" >&2
  exit 1
}

# Go and Node.js are left to the reader: Debian 12 has them too old.
command -v go >/dev/null || fail "Go is missing (1.26 or newer, https://go.dev/dl)"
command -v npm >/dev/null || fail "Node.js with npm is missing (20 or newer, https://nodejs.org)"

missing=()
for entry in "${needed[@]}"; do
  file=${entry#*=}
  [ -e "$file" ] || command -v "${file##*/}" >/dev/null || missing+=("${entry%%=*}")
done
if [ "${#missing[@]}" -gt 0 ]; then
  command -v apt-get >/dev/null || fail "missing: ${missing[*]} (no apt-get here; install them your way)"
  [ "$(id -u)" = 0 ] || fail "missing: ${missing[*]}. Run: sudo apt-get update && sudo apt-get install -y ${missing[*]}"
  echo "setup: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -o DPkg::Lock::Timeout=300 update -qq
  apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" </dev/null
  # Debian starts servers of its own when it installs PostgreSQL and Nginx; the tests start theirs.
  case " ${missing[*]} " in *" postgresql-15 "*) pg_ctlcluster 15 main stop >/dev/null 2>&1 || true ;; esac
  case " ${missing[*]} " in *" nginx-light "*) service nginx stop >/dev/null 2>&1 || true ;; esac
fi

# npm ci starts from nothing each time, so it runs only when the lock file differs from what it last installed.
browser=test/browser
if [ -f "$browser/package-lock.json" ]; then
  stamp=$browser/node_modules/.panshi-lock
  if ! cmp -s "$browser/package-lock.json" "$stamp"; then
    echo "setup: npm ci in $browser"
    (cd "$browser" && npm ci --no-audit --no-fund --loglevel=error </dev/null)
    mkdir -p "$browser/node_modules"
    cp "$browser/package-lock.json" "$stamp"
  fi
fi
