#!/usr/bin/env bash
# Alerts to real receivers: installs a mail server (aiosmtpd) and the reference verifier of Standard Webhooks where they are
# not there yet, then runs the tests that send to them. None is ever skipped.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)

"$root/tools/setup" receivers

venv=$root/target/receivers
if ! cmp -s requirements.txt "$venv/.installed"; then
  echo "installing the packages of tests/receivers/requirements.txt" >&2
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt
  cp requirements.txt "$venv/.installed"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
cd "$root"
LOCUM_RECEIVERS=$venv/bin/python "${CARGO:-cargo}" test --quiet --test it receivers:: -- --ignored | tee "$log"
grep -Eq '^test result: ok\. [1-9][0-9]* passed; 0 failed; 0 ignored' "$log" ||
  { echo "receivers: expected at least one test, and none skipped" >&2; exit 1; }
