#!/usr/bin/env bash
# ui.sh build|fresh: builds the console's pages into ui/console/dist, or proves that what is committed is what the source makes.
set -euo pipefail
cd "$(dirname "$0")/../ui/console"

stamp=node_modules/.panshi-lock
if ! cmp -s package-lock.json "$stamp"; then
  npm ci --no-audit --no-fund --loglevel=error </dev/null
  cp package-lock.json "$stamp"
fi

case ${1:-} in
build)
  npm run --silent types </dev/null
  npm run --silent build </dev/null
  ;;
fresh)
  types=$(mktemp) dist=$(mktemp -d)
  trap 'rm -rf "$types" "$dist"' EXIT
  npx openapi-typescript openapi.json -o "$types" --root-types --root-types-no-schema-prefix </dev/null >/dev/null
  npx vite build --logLevel error --outDir "$dist" --emptyOutDir </dev/null
  diff -q "$types" src/api/schema.d.ts && diff -rq "$dist" dist && exit
  echo "ui: what is committed is not what the source makes; run make ui" >&2
  exit 1
  ;;
*)
  echo "usage: ui.sh build|fresh" >&2
  exit 2
  ;;
esac
