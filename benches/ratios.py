#!/usr/bin/env python3
"""Turns what a side-by-side measurement wrote with --json into the tables of docs/performance.md.

  ratios.py FILE.json [OURS] [FLOOR]

OURS is the proxy that the others are compared with (locum), FLOOR the bare hop (bare). Prints Markdown: medians of CPU
microseconds a request with ratios, requests a second, the 99th percentile, added latency and peak memory.
"""
import json, statistics, sys

rows = json.load(open(sys.argv[1]))
ours = sys.argv[2] if len(sys.argv) > 2 else "locum"
floor = sys.argv[3] if len(sys.argv) > 3 else "bare"
median = {(r["work"], r["proxy"]): {k: statistics.median(run[k] for run in r["runs"]) for k in ("us", "rps", "p99", "added", "rss")} for r in rows}
works = list(dict.fromkeys(r["work"] for r in rows))
proxies = [p for p in dict.fromkeys(r["proxy"] for r in rows) if p != "(app alone)"]
compared = [p for p in ("nginx-plain", "nginx-same-job", floor) if p in proxies and ours in proxies]


def table(title, key, digits):
    print(f"\n{title}\n\n| | {' | '.join(proxies)} | {' | '.join(f'{ours} / {p}' for p in compared)} |")
    print("| --- " * (1 + len(proxies) + len(compared)) + "|")
    for work in works:
        value = lambda proxy: median.get((work, proxy), {}).get(key)
        cells = ["–" if value(p) is None else f"{value(p):.{digits}f}" for p in proxies]
        over = ["–" if not value(p) or value(ours) is None else f"{value(ours) / value(p):.2f}" for p in compared]
        print(f"| {work} | {' | '.join(cells + over)} |")


runs = len(rows[0]["runs"])
print(f"medians of {runs} rounds")
table("CPU microseconds a request", "us", 1)
table("Requests a second", "rps", 0)
table("99th percentile at full load, microseconds", "p99", 0)
table("Added latency on one connection, microseconds", "added", 0)
table("Peak memory, MiB", "rss", 1)
