#!/usr/bin/env bash
# Starts `locum run` as one of the proxies that a side-by-side measurement compares.
#
#   benches/versus.sh PORT UPSTREAM DIR
#
# Serves plain HTTP on 127.0.0.1:PORT (TLS with DIR/tls.crt and DIR/tls.key where VERSUS_TLS is set), forwards to
# 127.0.0.1:UPSTREAM, and writes the header that lets a request through to DIR/locum.headers before it listens.
# The whole job is on: session check, 200 policy rows beside the three denied paths and the built-in pack, a durable
# record of each request (`process`), the subject's identity, the banner in HTML.
set -euo pipefail
port=$1 upstream=$2 dir=$3
here=$(cd "$(dirname "$0")/.." && pwd)
locum=${LOCUM:-$here/target/release/locum}
[ -x "$locum" ] || { echo "build it first: cargo build --release" >&2; exit 1; }
work=$(mktemp -d "$dir/locum.XXXXXX")
mkdir -p "$work/policy"

scheme=http listener='plain = true'
if [ -n "${VERSUS_TLS:-}" ]; then
  scheme=https listener="tls = { cert = \"$dir/tls.crt\", key = \"$dir/tls.key\" }"
fi
[ "$scheme" = http ] && listener="$listener
external_scheme = \"http\"
external_port = $port"

cat > "$work/locum.toml" <<EOF
state_dir = "$work/var"
workers = ${LOCUM_WORKERS:-1}

[listeners.apps]
address = "127.0.0.1:$port"
$listener

[listeners.ops]
address = "127.0.0.1:0"

[[upstreams]]
name = "app"
addresses = ["127.0.0.1:$upstream"]

[[apps]]
name = "bench"
upstream = "app"
origin = "shared"
public_url = "$scheme://127.0.0.1:$port"

[policy]
paths = ["$work/policy"]

[audit]
durability = "${LOCUM_DURABILITY:-process}"

[grants]
session_idle = "1d"
max_ttl = "1d"

[log]
level = "warn"
EOF

{
  cat <<'EOF'
[scopes]
view = ["*"]

[[rows]]
id = "json"
match = "GET /api/{*rest}"
action = "api.read"
effect = "allow"

[[rows]]
id = "page"
match = "GET /page.html"
action = "pages.read"
effect = "allow"

[[rows]]
id = "blob"
match = "GET /blob.bin"
action = "blobs.read"
effect = "allow"

[[rows]]
id = "no-export"
match = "* /export"
action = "data.export"
effect = "deny"

[[rows]]
id = "no-mfa-reset"
match = "* /mfa/reset"
action = "mfa.reset"
effect = "deny"

[[rows]]
id = "no-password"
match = "* /account/password"
action = "password.change"
effect = "deny"
EOF
  for n in $(seq 1 200); do
    printf '\n[[rows]]\nid = "row-%s"\nmatch = "GET /area%s/{item}/detail"\naction = "area%s.read"\nresource = "item:{item}"\neffect = "allow"\n' "$n" "$n" "$n"
  done
} > "$work/policy/bench.toml"

# A grant can be issued while nobody serves; its start code is redeemed once the listener is up.
issued=$("$locum" --config "$work/locum.toml" --json grant issue --operator ada@support.example --operator-name "Ada Byron" \
  --subject customer-42 --tenant acme --scope view --ticket SUP-1 --reason "Measured side by side" --ttl 12h)
url=$(printf '%s' "$issued" | sed -n 's/.*"start_url": *"\([^"]*\)".*/\1/p')

# The header must be known before the port answers: a first instance redeems the code on another port, then makes way.
first=$((port == 65000 ? 64999 : 65000))
sed "s/^address = \"127.0.0.1:$port\"/address = \"127.0.0.1:$first\"/" "$work/locum.toml" > "$work/first.toml"
"$locum" --config "$work/first.toml" run > "$work/first.log" 2>&1 &
pid=$!
for _ in $(seq 100); do
  cookie=$(curl -ks -o /dev/null -D - -H "Host: 127.0.0.1:$port" "$scheme://127.0.0.1:$first/.locum/start?${url#*\?}" 2>/dev/null |
    sed -n 's/^[Ss]et-[Cc]ookie: \(__Host-locum=[^;]*\).*/\1/p' | tr -d '\r') || true
  [ -n "$cookie" ] && break
  sleep 0.05
done
kill "$pid"; wait "$pid" 2>/dev/null || true
[ -n "$cookie" ] || { echo "the start code was not redeemed:" >&2; cat "$work/first.log" >&2; exit 1; }
# Asked for as a browser's navigation asks: else no page would be one, and none would carry the banner.
printf 'Cookie: %s\nAccept: text/html\n' "$cookie" > "$dir/locum.headers"
exec "$locum" --config "$work/locum.toml" run
