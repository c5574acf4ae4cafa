#!/usr/bin/env bash
# Starts `locum run` in front of an app whose customers come this way too, for a side-by-side measurement of their requests: no
# support session, nothing recorded, but every request is looked at.
#
#   benches/inline.sh PORT UPSTREAM DIR
#
# Serves plain HTTP on 127.0.0.1:PORT, forwards to 127.0.0.1:UPSTREAM.
set -euo pipefail
port=$1 upstream=$2 dir=$3
here=$(cd "$(dirname "$0")/.." && pwd)
locum=${LOCUM:-$here/target/release/locum}
[ -x "$locum" ] || { echo "build it first: cargo build --release" >&2; exit 1; }
work=$(mktemp -d "$dir/inline.XXXXXX")

cat > "$work/policy.toml" <<END
scopes.view = ["*"]
rows = [{ id = "read", match = "GET /{*rest}", action = "app.read", effect = "allow" }]
END
cat > "$work/locum.toml" <<END
state_dir = "$work/var"
workers = ${LOCUM_WORKERS:-1}
listeners.apps = { address = "127.0.0.1:$port", plain = true, external_scheme = "http", external_port = $port }
listeners.ops.address = "127.0.0.1:0"
policy.paths = ["$work/policy.toml"]
log.level = "warn"

[[upstreams]]
name = "app"
addresses = ["127.0.0.1:$upstream"]

[[apps]]
name = "bench"
upstream = "app"
placement = "inline"
origin = "shared"
public_url = "http://127.0.0.1:$port"
END
exec "$locum" --config "$work/locum.toml" run
