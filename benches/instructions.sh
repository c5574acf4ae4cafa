#!/usr/bin/env bash
# Instructions a go of each stage, counted by callgrind on the main thread: the same on a busy machine as on a quiet one, so two
# commits can be compared. Two runs of different length, and the difference between them.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet --profile fast --example count
count=target/fast/examples/count
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

instructions() { # STAGE TIMES
  valgrind --tool=callgrind --separate-threads=yes --callgrind-out-file="$work/out" "$count" "$1" "$2" >/dev/null 2>"$work/err"
  awk '/^(totals|summary):/ { print $2; exit }' "$work/out-01"
  rm -f "$work"/out*
}

printf '%-28s %12s\n' stage instructions
"$count" | while IFS= read -r stage; do
  few=$(instructions "$stage" 1000) many=$(instructions "$stage" 3000)
  printf '%-28s %12d\n' "$stage" $(((many - few) / 2000))
done
