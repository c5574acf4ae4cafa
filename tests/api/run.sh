#!/usr/bin/env bash
# Holds the API of a running Locum to the document that it serves: Schemathesis makes calls that the document allows, and
# calls that it forbids, and looks at every answer.
#   tests/api/run.sh [--examples N] [--seed N] [options of `st run` …]
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)

"$root/tools/setup" api

venv=$root/target/api/venv
if ! cmp -s requirements.txt "$venv/.installed"; then
  echo "installing the packages of tests/api/requirements.txt" >&2
  rm -rf "$venv"
  mkdir -p "$root/target/api"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt
  cp requirements.txt "$venv/.installed"
fi

[ -n "${LOCUM_BUILT:-}" ] || (cd "$root" && "${CARGO:-cargo}" build --quiet --bin locum)

"$venv/bin/python" check.py "$@"
