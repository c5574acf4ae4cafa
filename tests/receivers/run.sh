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
said=$(mktemp)
records=$(mktemp -d)
trap 'rm -rf "$log" "$said" "$records"' EXIT
cd "$root"

LOCUM_RECORDS=$records "${CARGO:-cargo}" test --quiet --lib audit::tests::every >/dev/null
"$venv/bin/python" tests/receivers/ocsf.py docs/record.schema.json "$records"

# Runs tests, of which each must pass and none may be skipped. What the receivers say of themselves is shown where one fails.
run() {
  "${CARGO:-cargo}" test --quiet "$@" 2>"$said" | tee "$log" || { cat "$said" >&2; exit 1; }
  grep -Eq '^test result: ok\. [1-9][0-9]* passed; 0 failed; 0 ignored' "$log" ||
    { echo "receivers: expected at least one test, and none skipped" >&2; exit 1; }
}

export LOCUM_RECEIVERS=$venv/bin/python
if [ "${1:-}" = kafka ]; then
  run --features kafka --lib audit::sink::real::kafka -- --ignored --nocapture
  exit
fi
run --lib audit::sink::real:: -- --ignored --nocapture --test-threads=2
run --test it receivers:: -- --ignored --nocapture
