#!/usr/bin/env python3
"""Mixed load on a real Locum for as long as wanted: every answer is looked at, nothing may grow, all that the app saw is on record.

  soak.py [--minutes 20] [--disk 6] [--every 10] [--out DIR] [--dir DIR]

As many requests as one core takes (wrk: JSON, pages with their banner, blobs of 1 MiB, refused ones), and beside them readers and
senders that are slow, connections dropped in the middle, uploads, sessions that begin, end and are revoked under open streams,
policies reloaded, good and bad. Records take room: the load pauses where they would take more than --disk GiB by the end.
At the end: SIGTERM, exit 0, `locum audit verify`, and each request that the app saw has its record. Ends with 1 and says what was not meant.

The binary is target/release/locum, or LOCUM. Sessions are made by `cargo build --example seed` (or SEED). Needs nginx and wrk.
--out: where soak.svg goes. --every: seconds between two samples of memory, files and threads.
"""
import argparse
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
from rig import actors, app, backend, chart, journal, locum, mixed, system  # noqa: E402

#: Sessions that live from the first minute to the last.
SESSIONS = 64
#: Seconds of load in one go.
GO = 10
#: Of the disk, for others. GiB.
KEPT_FREE = 3
#: What the resident set may differ by between the second quarter and the last: MiB, caches of the allocator.
TOLERANCE = 24
#: Minutes after which that says something.
LONG_ENOUGH = 5
EXTRA = 'limits.header_timeout = "5s"\naudit.min_free = { alarm = 0, refuse = "64MiB" }\n'
UPLOAD = '  { id = "up", match = "POST /api/{*rest}", action = "api.write", effect = "allow" },\n'


class Soak:
    def __init__(self, arguments):
        self.arguments = arguments
        self.dir = Path(tempfile.mkdtemp(prefix="soak-", dir=arguments.dir))
        self.dir.chmod(0o755)
        log = f"log_format n '$arg_n'; access_log {self.dir}/seen n buffer=64k;"
        self.app = app.App(self.dir / "app", log=log)
        self.backend = backend.Backend(app.address(1), self.app.port)
        self.locum = locum.Locum(self.dir / "locum", self.app, hosts=2, extra=EXTRA, more_rows=UPLOAD)
        store = locum.Store(self.dir / "sessions", SESSIONS)
        self.locum.fresh(store)
        self.locum.start()
        self.stage = actors.Stage(self.locum, store.sessions)
        self.stage.uploads = self.locum.issue("app-1")
        self.load = mixed.Mixed(self.dir, self.locum, store.sessions)
        self.samples, self.rates, self.total, self.busy = [], [], Counter(), 0.0
        self.began = time.monotonic()

    @property
    def minutes(self):
        return (time.monotonic() - self.began) / 60

    def sample(self):
        pid = self.locum.pid
        self.samples.append((self.minutes, system.memory(pid) / 1024, system.files(pid), system.threads(pid)))

    def watch(self):
        while not self.stage.over.wait(self.arguments.every):
            self.sample()

    def run(self):
        """Load in goes of some seconds, as much as the disk allows, while the actors act."""
        watcher = threading.Thread(target=self.watch, daemon=True)
        watcher.start()
        self.stage.start(actors.ALL)
        goes, free = 0, shutil.disk_usage(self.dir).free / 2**30
        disk = min(self.arguments.disk, max(free - KEPT_FREE, 0.1))
        if disk < self.arguments.disk:
            print(f"{free:.1f} GiB are free: records may take {disk:.1f} of them, so that the load pauses more often")
        while self.minutes < self.arguments.minutes and len(self.stage.wrong) < 100:
            allowed = disk * 2**30 * (self.minutes + GO / 60) / self.arguments.minutes
            if journal.size(self.locum) > allowed:
                time.sleep(1)
                continue
            goes += 1
            began = time.monotonic()
            came = self.load.run(f"load-{goes}", GO)
            self.busy += time.monotonic() - began
            self.rates.append((self.minutes, came["requests"] / GO))
            sample = came.pop("sample")
            self.total.update({key: value for key, value in came.items() if key not in ("p50", "p99")})
            self.total["p99"] = max(self.total["p99"], came["p99"])
            if came["wrong"] or came["requests"] == 0 or any(came[it] for it in ("connect", "read", "write", "timeout", "unavailable")):
                self.stage.wrong.append(f"the load: {came} {sample}")
        self.stage.stop()
        watcher.join()

    def check(self):
        """After the load: what is left, the end in order, the records."""
        wrong = self.stage.wrong
        system.settle(self.locum.pid, 60)
        idle = system.files(self.locum.pid), system.threads(self.locum.pid), system.memory(self.locum.pid) / 1024
        print(f"\nafter the load: {idle[0]} open files, {idle[1]} threads, {idle[2]:.1f} MiB resident")
        code = self.locum.stop()
        if code != 0:
            wrong.append(f"SIGTERM: locum ended with {code}")
        self.app.stop()
        self.backend.stop()
        report = journal.verify(self.locum)
        if report["open_exchanges"]:
            wrong.append(f"{report['open_exchanges']} exchanges are still open after a stop in order")
        with (self.dir / "seen").open("a") as seen:
            seen.writelines(f"{it}\n" for it in self.backend.seen)
        missing, saw, recorded = journal.unrecorded(self.locum, self.dir / "seen", self.dir)
        print(f"journal: {report['records']:,} records verified, {journal.size(self.locum) / 2**30:.2f} GiB with what is beside it; ended with {code}")
        print(f"the app saw {saw:,} requests, {recorded:,} are on record, {len(missing)} are not")
        answered = sum(self.total[key] for key in ("json", "html", "blob"))
        if saw < answered:
            wrong.append(f"{answered} answers of the app, and it saw {saw} requests: its log is not whole")
        if missing:
            wrong.append(f"without a record: {', '.join(missing[:20])}")
        reloads = self.stage.counts["policies reloaded, good and bad"]
        refused = journal.count(self.locum, "policy.refused") + journal.count(self.locum, "config.refused")
        if refused < reloads:
            wrong.append(f"{reloads} bad policies, {refused} refusals of one on record")

    def growth(self):
        """The second quarter beside the last."""
        half = len(self.samples) // 4
        if half < 3:
            return print("\ntoo short to say what grows")
        print("\n| | second quarter, median | last quarter, median |\n| --- | --- | --- |")
        for n, name in ((1, "resident set, MiB"), (2, "open files"), (3, "threads")):
            before = statistics.median(it[n] for it in self.samples[half : 2 * half])
            after = statistics.median(it[n] for it in self.samples[-half:])
            print(f"| {name} | {before:.1f} | {after:.1f} |")
            if n == 1 and after > before + TOLERANCE and self.minutes_run >= LONG_ENOUGH:
                self.stage.wrong.append(f"the resident set grew from {before:.1f} to {after:.1f} MiB")

    def tell(self):
        print("\n| what | how often |\n| --- | --- |")
        for key in ("json", "html", "blob", "refused"):
            print(f"| the load: {key} | {self.total[key]:,} |")
        for key, n in sorted(self.stage.counts.items()):
            print(f"| {key} | {n:,} |")
        print(f"\nunder full load {100 * self.busy / 60 / max(self.minutes_run, 0.01):.0f} % of {self.minutes_run:.1f} minutes, "
              f"{self.total['requests'] / max(self.busy, 1):.0f} requests a second then; the worst p99 of {GO} s {self.total['p99'] / 1000:.0f} ms")
        if self.stage.cuts:
            slowest = max(self.stage.cuts)
            after = [it[1] for it in self.stage.cuts]
            print(f"revocations: {len(self.stage.cuts)}; the last stream of each cut {statistics.median(after):.0f} ms (median) and {max(after):.0f} ms (slowest) after the "
                  f"command had ended; {slowest[0]:.0f} ms at most from the start of the command")

    def draw(self, out):
        panels = []
        for n, name, unit in ((1, "resident set", "MiB"), (2, "open files", "files"), (3, "threads", "threads")):
            panels.append(chart.Panel(name, "minutes", unit, {"": [(it[0], it[n]) for it in self.samples]}))
        if self.rates:
            panels.append(chart.Panel("the load while it runs", "minutes", "requests a second", {"": self.rates}))
        chart.write(out / "soak.svg", f"{self.minutes_run:.0f} minutes of mixed load", panels, columns=2, note=locum.build())
        print(f"\nwritten: {out / 'soak.svg'}")

    def close(self):
        for end in (self.locum.kill, self.app.stop):
            try:
                end()
            except OSError:
                pass
        if not self.stage.wrong or not os.environ.get("KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)


def options():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--minutes", type=float, default=20)
    words.add_argument("--disk", type=float, default=6, help="GiB that records may take")
    words.add_argument("--every", type=float, default=10)
    words.add_argument("--out", type=Path, default=locum.ROOT / "docs/performance")
    words.add_argument("--dir", default=None)
    return words.parse_args()


def main():
    arguments = options()
    system.raise_files()
    os.sched_setaffinity(0, system.THEIRS)
    soak = Soak(arguments)
    try:
        print(f"{system.about()}; {locum.build()}; {arguments.minutes:g} minutes")
        soak.sample()
        soak.run()
        soak.sample()
        soak.minutes_run = soak.minutes
        soak.tell()
        soak.check()
        soak.growth()
        if len(soak.samples) > 1:
            soak.draw(arguments.out)
        wrong = soak.stage.wrong
        print(f"\n{len(wrong)} things were not as they were meant to be" if wrong else "\neverything was as it was meant to be")
        for line in wrong[:50]:
            print(f"  {line}")
        return 1 if wrong else 0
    finally:
        soak.close()


if __name__ == "__main__":
    sys.exit(main())
