#!/usr/bin/env python3
"""What a request costs as Locum has more to keep: live sessions, policy rows, hosts of apps. And what else grows.

  growth.py [--only NAME,…] [--rounds 3] [--seconds 3] [--quick] [--out DIR] [--json FILE] [--dir DIR]

NAMES: sessions, used, rows, hosts (curves); cores, durability, memory, idle, start (figures). Locum has the first core, the app
(nginx) and the load (wrk) the others. Each point is measured in turns, a Locum of its own each time, and the median taken, so that
drift of the machine does not look like growth. What is compared is CPU microseconds a request:

  worker   the thread that serves
  all      every thread of the process, until it has done what it put off (the index of the journal yields to requests)

The binary is target/release/locum, or LOCUM. Sessions are made by `cargo build --example seed` (or SEED). Needs nginx and wrk.
Fails where an answer is not what was meant; no time is asserted. --out: where growth.svg goes. --dir: where Locum keeps its
journal, on the disk whose durability is measured.
"""
import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
from rig import chart, figures, locum, system, wrk  # noqa: E402
from rig.app import App  # noqa: E402

SESSIONS = [1, 10, 100, 1_000, 10_000, 100_000]
#: How many of them are in use: one a connection.
IN_USE = 64
USED = [1, 10, 100, 1_000, 10_000]
ROWS = [10, 100, 1_000, 10_000]
HOSTS = [1, 10, 100, 1_000]
CURVES = ["sessions", "used", "rows", "hosts"]
FIGURES = ["cores", "durability", "memory", "idle", "start"]


class Point:
    """One point of a curve: a Locum that starts anew for each round, and the requests for it."""

    def __init__(self, bench, curve, size, store, paths, in_use=None, **more):
        self.curve, self.size, self.store = curve, size, store
        self.locum = locum.Locum(bench.dir / f"{curve}-{size}", bench.app, **more)
        self.load = wrk.Load(bench.dir, f"{curve}-{size}", self.locum.port).of(self.locum, store.sessions[:in_use], paths)
        self.rounds = []

    def measure(self, seconds):
        self.locum.fresh(self.store)
        self.locum.start()
        pid = self.locum.pid
        try:
            self.load.warm()
            system.settle(pid)
            every, worker = system.cpu(pid), system.cpu_of_threads(pid, "locum-worker")
            came = self.load.run(seconds)
            worker = system.cpu_of_threads(pid, "locum-worker") - worker
            system.settle(pid)
            every = system.cpu(pid) - every
            self.rounds.append(dict(came, worker=1e6 * worker / came["n"], all=1e6 * every / came["n"], rss=system.memory(pid)))
        finally:
            code = self.locum.stop()
            shutil.rmtree(self.locum.dir / "var")
        if code != 0:
            raise RuntimeError(f"locum ended with {code}: {self.locum.log()[-800:]}")

    def median(self, key):
        return statistics.median(it[key] for it in self.rounds)

    def spread(self, key):
        """x, median, lowest, highest."""
        values = [it[key] for it in self.rounds]
        return self.size, statistics.median(values), min(values), max(values)


def points(bench, curve):
    """The points of a curve, smallest first."""
    api = ["/api/item.json"]
    if curve == "sessions":
        return [Point(bench, curve, size, bench.store(size), api, in_use=IN_USE) for size in SESSIONS]
    if curve == "used":
        return [Point(bench, curve, size, bench.store(size), api) for size in USED]
    if curve == "rows":
        paths = lambda size: [f"/area{n}/17/detail" for n in range(size)]
        return [Point(bench, curve, size, bench.store(1), paths(size), rows=size) for size in ROWS]
    return [Point(bench, curve, size, bench.store(size, size), api, hosts=size) for size in HOSTS]


class Bench:
    """What all measurements share: a directory, the app, the sessions made so far."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.dir = Path(tempfile.mkdtemp(prefix="growth-", dir=arguments.dir))
        self.dir.chmod(0o755)
        self.seeds = Path(tempfile.mkdtemp(prefix="growth-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else arguments.dir))
        self.stores = {}
        self.app = App(self.dir / "app", hosts=max(HOSTS))

    def store(self, sessions, apps=1):
        key = (sessions, apps)
        if key not in self.stores:
            self.stores[key] = locum.Store(self.seeds / f"{sessions}-{apps}", sessions, apps)
        return self.stores[key]

    def close(self):
        self.app.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.rmtree(self.seeds, ignore_errors=True)


def curves(bench, wanted):
    """All points of all curves, in turns."""
    found = {curve: points(bench, curve) for curve in wanted}
    every = [point for some in found.values() for point in some]
    for n in range(bench.arguments.rounds):
        for at, point in enumerate(every):
            progress(f"round {n + 1} of {bench.arguments.rounds}: {point.curve} {point.size} ({at + 1} of {len(every)})")
            point.measure(bench.arguments.seconds)
    return found


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def print_curves(found):
    for curve, some in found.items():
        print(f"\n| {NAMES[curve]} | worker, µs | to the first | all, µs | to the first | requests a second | p99, ms | resident, MiB |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        first = some[0]
        for point in some:
            worker, every = point.median("worker"), point.median("all")
            print(
                f"| {point.size:,} | {worker:.1f} | {100 * (worker / first.median('worker') - 1):+.1f} % | {every:.1f} "
                f"| {100 * (every / first.median('all') - 1):+.1f} % | {point.median('rps'):.0f} | {point.median('p99') / 1000:.1f} | {point.median('rss') / 1024:.1f} |"
            )


NAMES = {"sessions": f"live sessions, {IN_USE} at most in use", "used": "sessions, all in use", "rows": "policy rows", "hosts": "upstream hosts"}


def draw(found, out):
    panels = []
    top = max(point.spread("all")[3] for some in found.values() for point in some)
    for curve, some in found.items():
        series = {"all threads, what is put off included": [it.spread("all") for it in some], "worker thread": [it.spread("worker") for it in some]}
        panels.append(chart.Panel(f"by {NAMES[curve]}", NAMES[curve], "µs", series, log=True, top=top))
    note = f"medians and ranges; 64 connections, one core, 1 KiB of JSON; {locum.build()}"
    chart.write(out / "growth.svg", "CPU a request, microseconds", panels, columns=2, note=note)
    print(f"\nwritten: {out / 'growth.svg'}")


def options():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--only", default=",".join(CURVES + FIGURES))
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--seconds", type=int, default=3)
    words.add_argument("--quick", action="store_true", help="one round of one second: does it work?")
    words.add_argument("--out", type=Path, default=locum.ROOT / "docs/performance")
    words.add_argument("--json", type=Path)
    words.add_argument("--dir", default=None)
    arguments = words.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.seconds = 1, 1
    arguments.only = arguments.only.split(",")
    unknown = set(arguments.only) - set(CURVES + FIGURES)
    if unknown:
        words.error(f"not known: {', '.join(sorted(unknown))}")
    return arguments


def main():
    arguments = options()
    system.raise_files()
    os.sched_setaffinity(0, system.THEIRS)
    bench = Bench(arguments)
    kept = {}
    try:
        print(f"{system.about()}; {locum.build()}; {arguments.rounds} rounds of {arguments.seconds} s, medians")
        wanted = [curve for curve in CURVES if curve in arguments.only]
        if wanted:
            found = curves(bench, wanted)
            progress("")
            print_curves(found)
            draw(found, arguments.out)
            kept = {curve: [dict(size=it.size, rounds=it.rounds) for it in some] for curve, some in found.items()}
        for name in FIGURES:
            if name in arguments.only:
                progress(name)
                kept[name] = getattr(figures, name)(bench)
    finally:
        bench.close()
    if arguments.json:
        arguments.json.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
