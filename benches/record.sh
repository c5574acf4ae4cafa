#!/usr/bin/env bash
# What a record costs: bytes, microseconds, allocations, records for each sync. Prints a table. The journal goes to a directory
# beside the build, so that `disk` means a disk.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet --release --example record
record=target/release/examples/record
dir=$(mktemp -d target/record.XXXXXX)
trap 'rm -rf "$dir"' EXIT
cc -shared -fPIC -O2 -o "$dir/allocs.so" benches/allocs.c

run() { rm -rf "$dir/journal"; "$@" "$dir/journal" "$durability" "$exchanges" "$at_once"; }
allocations() { exchanges=$1 run env LD_PRELOAD="$dir/allocs.so" "$record" 2>&1 >/dev/null | awk '/^allocations/ { print $2 }'; }

echo "| durability | at once | bytes | µs | allocations | records a sync |"
echo "| --- | --- | --- | --- | --- | --- |"
while read -r durability at_once exchanges; do
  # What starting and stopping takes is in both.
  few=$(allocations "$exchanges") many=$(allocations $((2 * exchanges)))
  for _ in 1 2 3; do run "$record"; done | sort -k6n | sed -n 2p | awk -v durability="$durability" -v at_once="$at_once" \
    -v allocations="$((many - few))" -v records="$((2 * exchanges))" '{
      printf "| `%s` | %s | %d | %.2f | %.2f | %s |\n", durability, at_once, $4 / $2, $6 / $2, allocations / records,
        $8 ? sprintf("%.1f", $2 / $8) : "–" }'
done <<'CASES'
process 1 100000
process 64 102400
disk 1 500
disk 64 12800
disk 256 25600
CASES
