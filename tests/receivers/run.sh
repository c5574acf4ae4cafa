#!/usr/bin/env bash
# Against programs that are not ours: validates every kind of record against OCSF's own schema; streams records to rsyslog,
# nats-server, OTLP (opentelemetry-proto, grpcio), S3 (moto) and strict receivers of Splunk's and Elastic's protocols, stops and
# kills them; sends alerts to a mail server (aiosmtpd) and to the reference verifier of Standard Webhooks. Installs them where they
# are not there yet. None is ever skipped. With `kafka` as argument: to librdkafka's own mock cluster, which builds librdkafka.
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


# Each must run, and none may be skipped.
passed() {
  grep -Eq '^test result: ok\. [1-9][0-9]* passed; 0 failed; 0 ignored' "$log" ||
    { echo "receivers: expected at least one test, and none skipped" >&2; exit 1; }
}

export LOCUM_RECEIVERS=$venv/bin/python
if [ "${1:-}" = kafka ]; then
  "${CARGO:-cargo}" test --quiet --features kafka --lib audit::sink::real::kafka -- --ignored --nocapture 2>/dev/null | tee "$log"
  passed
  exit
fi
"${CARGO:-cargo}" test --quiet --lib audit::sink::real:: -- --ignored --nocapture --test-threads=2 2>/dev/null | tee "$log"
passed
"${CARGO:-cargo}" test --quiet --test it receivers:: -- --ignored --nocapture | tee "$log"
passed
