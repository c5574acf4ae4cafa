#!/usr/bin/env bash
# Installs what the browser tests need and is not there yet, then runs them all in Chromium. None is ever skipped.
#   tests/browser/run.sh [FILE …]       LOCUM_SCREENSHOTS=keep renews docs/screenshots/
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)

"$root/tools/setup" browser

# What a lock file names is installed again only when the lock file changes.
node_modules() {
  cmp -s "$1/package-lock.json" "$1/node_modules/.installed" && return
  echo "installing the packages of $1/package-lock.json" >&2
  (cd "$1" && npm ci --no-audit --no-fund --loglevel=error)
  cp "$1/package-lock.json" "$1/node_modules/.installed"
}

python_packages() {
  local requirements=$1 venv=$2
  cmp -s "$requirements" "$venv/.installed" && return
  echo "installing the packages of $requirements" >&2
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$venv/.installed"
}

mkdir -p "$root/target/browser"
node_modules .
node_modules apps/node-red
node_modules provider
node_modules archive
python_packages apps/datasette/requirements.txt "$root/target/browser/datasette"
python_packages archive/requirements.txt "$root/target/browser/warcio"

[ -n "${LOCUM_BUILT:-}" ] || (cd "$root" && "${CARGO:-cargo}" build --quiet --bin locum --examples)

files=("$@")
shopt -s nullglob
[ ${#files[@]} -gt 0 ] || files=(storefront.mjs control.mjs portal.mjs replay.mjs archive.mjs apps/*.mjs banner*.mjs)

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# One file at a time: several tests hold Locum to a second.
node --test --test-concurrency=1 --test-timeout=480000 --test-reporter=spec "${files[@]}" | tee "$log"

for line in '^ℹ tests [1-9]' '^ℹ fail 0$' '^ℹ cancelled 0$' '^ℹ skipped 0$' '^ℹ todo 0$'; do
  grep -Eq "$line" "$log" || { echo "browser tests: expected a line like $line" >&2; exit 1; }
done
