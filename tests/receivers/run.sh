#!/usr/bin/env bash
# Against programs that are not ours: validates every kind of record against OCSF's own schema, then sends alerts to a mail server
# (aiosmtpd) and to the reference verifier of Standard Webhooks. Installs them where they are not there yet. None is ever skipped.
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
records=$(mktemp -d)
trap 'rm -rf "$log" "$records"' EXIT
cd "$root"

LOCUM_RECORDS=$records "${CARGO:-cargo}" test --quiet --lib audit::tests::every >/dev/null
"$venv/bin/python" tests/receivers/ocsf.py docs/record.schema.json "$records"

LOCUM_RECEIVERS=$venv/bin/python "${CARGO:-cargo}" test --quiet --test it receivers:: -- --ignored | tee "$log"
grep -Eq '^test result: ok\. [1-9][0-9]* passed; 0 failed; 0 ignored' "$log" ||
  { echo "receivers: expected at least one test, and none skipped" >&2; exit 1; }
