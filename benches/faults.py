#!/usr/bin/env python3
"""What breaks, breaks under full load: kill -9, a disk that is full, revocation under hundreds of streams.

  faults.py [--kills 10] [--fills 3] [--revocations 10] [--streams 100] [--dir DIR]

The load is as much as one core of Locum takes (wrk, 64 connections), each request different, each answer looked at.

  kill -9      at a random moment; the next start is left alone, the journal verifies, the session goes on, and nothing that the app saw is
               without its record
  full disk    the journal on a tmpfs that fills up (needs root): 503 to every request and none of them to the app, then, once there is
               room again, it goes on by itself; the journal verifies
  revocation   of one session under open streams, beside one whose streams must live on: the time to the last cut is printed

The binary is target/release/locum, or LOCUM. Sessions are made by `cargo build --example seed` (or SEED). Needs nginx and wrk.
Ends with 1 and says what was not meant. No time is asserted.
"""
import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
from rig import actors, app, backend, journal, locum, mixed, system  # noqa: E402

SESSIONS = 64
#: The tmpfs under a journal, and what fills most of it from the start. MiB.
ROOM, FILLER = 256, 192
#: A run of the load that somebody stops lasts no longer than this.
LONG = 120


class Scene:
    """A Locum with an app that notes what it saw, and a load that is ready."""

    def __init__(self, arguments, name, extra="", paths=None, durability="process"):
        self.dir = Path(tempfile.mkdtemp(prefix=f"faults-{name}-", dir=arguments.dir))
        self.dir.chmod(0o755)
        self.app = app.App(self.dir / "app", log=f"log_format n '$arg_n'; access_log {self.dir}/seen n;")
        self.backend = backend.Backend(app.address(1), self.app.port)
        self.locum = locum.Locum(self.dir / "locum", self.app, hosts=2, extra=extra, durability=durability)
        self.store = locum.Store(self.dir / "sessions", SESSIONS)
        self.locum.fresh(self.store)
        self.load = mixed.Mixed(self.dir, self.locum, self.store.sessions, paths)
        self.stage = actors.Stage(self.locum, self.store.sessions)

    def begin(self, name):
        """Starts the load; `end` of what this returns stops it and tells what came of it."""
        run = self.load.begin(name, LONG)

        def end():
            # SIGINT: wrk stops and tells.
            run.send_signal(2)
            return mixed.result(run)

        return end

    def answers(self):
        """One of the sessions has an answer of the app."""
        status, body = self.stage.ask(self.store.sessions[0], self.stage.path("/api/item.json"))
        return status == 200 and body == app.JSON

    def seen(self):
        return sum(1 for _ in (self.dir / "seen").open("rb")) + len(self.backend.seen)

    def all_recorded(self):
        """How many requests the app saw; every one has its record."""
        whole = self.dir / "all"
        shutil.copy(self.dir / "seen", whole)
        with whole.open("a") as out:
            out.writelines(f"{it}\n" for it in self.backend.seen)
        missing, saw, _ = journal.unrecorded(self.locum, whole, self.dir)
        if missing:
            raise actors.Wrong(f"{len(missing)} requests that the app saw have no record: {missing[:10]}")
        return saw

    def close(self):
        if self.locum.process and self.locum.process.poll() is None:
            self.locum.kill()
        self.app.stop()
        self.backend.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def meant(came, *kinds):
    """Nothing but these kinds of answers came, and some of them."""
    others = {key: n for key, n in came.items() if key in ("json", "html", "blob", "refused", "unavailable", "wrong") and n and key not in kinds}
    actors.meant(not others, f"not meant: {others} {came['sample']}")
    actors.meant(sum(came[kind] for kind in kinds) > 0, f"no answers: {came}")


def kills(arguments, dice):
    scene = Scene(arguments, "kill", paths=mixed.SMALL)
    starts, answered = [], 0
    try:
        scene.locum.start()
        for n in range(arguments.kills):
            end = scene.begin(f"kill-{n}")
            time.sleep(1 + dice.random())
            scene.locum.kill()
            came = end()
            meant(came, "json")
            answered += came["json"]
            journal.verify(scene.locum)
            starts.append(scene.locum.start(within=60))
            actors.meant(scene.answers(), "the session does not go on")
            report = journal.verify(scene.locum)
            # This question's own exchange may be closing.
            actors.meant(report["open_exchanges"] <= 1, f"still open after the start: {report}")
        saw = scene.all_recorded()
        aborted = journal.count(scene.locum, "exchange.aborted")
        actors.meant(scene.locum.stop() == 0, "SIGTERM: it did not end in order")
        report = journal.verify(scene.locum)
        print(
            f"kill -9 x{arguments.kills} under full load: {answered:,} answers, the app saw {saw:,} requests and each is on record, {aborted:,} marked aborted, "
            f"{report['records']:,} records verified; ready again after {1000 * statistics.median(starts):.0f} ms (median), {1000 * max(starts):.0f} ms (slowest)"
        )
    finally:
        scene.close()


def fills(arguments, _):
    if os.geteuid() != 0:
        return print("full disk: not root here, no small file system can be mounted: not done")
    for durability in ("process", "disk"):
        for marks, name in (('audit.min_free = { alarm = 0, refuse = 0 }', "to the last byte"), ('audit.min_free = { alarm = 0, refuse = "8MiB" }', "to the mark")):
            for _ in range(arguments.fills):
                fill(arguments, durability, marks, name)


def fill(arguments, durability, marks, name):
    scene = Scene(arguments, "full", marks + "\n", mixed.SMALL, durability)
    place = scene.locum.journal
    place.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}m,mode=0700", "locum-faults", place], check=True)
    try:
        filler = place / "filler"
        filler.write_bytes(bytes(FILLER << 20))
        scene.locum.start()
        end = scene.begin("full")
        system.wait_for(lambda: scene.locum.ask_ops("/readyz")[0] == 503, LONG, "the disk does not become full")
        # What was on its way has come to its end.
        time.sleep(1)
        before = scene.seen()
        time.sleep(1)
        actors.meant(scene.seen() == before, "requests reach the app while the disk is full")
        first = end()
        meant(first, "json", "unavailable")
        journal.verify(scene.locum)
        end = scene.begin("still")
        time.sleep(1)
        filler.unlink()
        freed = time.monotonic()
        system.wait_for(scene.answers, LONG, "it does not go on by itself")
        after = time.monotonic() - freed
        time.sleep(0.5)
        second = end()
        meant(second, "json", "unavailable")
        saw = scene.all_recorded()
        actors.meant(scene.locum.stop() == 0, "SIGTERM: it did not end in order")
        report = journal.verify(scene.locum)
        print(
            f"full disk ({name}, durability {durability}) under full load: {first['json']:,} answers, then {first['unavailable'] + second['unavailable']:,} × 503, "
            f"none of them forwarded; {after * 1000:.0f} ms after there was room it went on by itself, {second['json']:,} answers; "
            f"the app saw {saw:,} and each is on record, {report['records']:,} records verified"
        )
    finally:
        if scene.locum.process and scene.locum.process.poll() is None:
            scene.locum.kill()
        subprocess.run(["umount", "-l", place], check=False)
        scene.close()


def revocations(arguments, _):
    scene = Scene(arguments, "revoke")
    cuts = []
    try:
        scene.locum.start()
        end = scene.begin("revoke")
        for _ in range(arguments.revocations):
            cuts.append(revoke(scene, arguments.streams))
        came = end()
        meant(came, "json", "html", "blob", "refused")
        actors.meant(not any(came[it] for it in ("connect", "read", "write", "timeout")), f"the load was hit, too: {came}")
        saw = scene.all_recorded()
        actors.meant(scene.locum.stop() == 0, "SIGTERM: it did not end in order")
        journal.verify(scene.locum)
        last = [it[1] for it in cuts]
        print(
            f"revocation x{arguments.revocations} under full load, {arguments.streams} streams each: all cut, none goes on, another session's live on; the last one "
            f"{statistics.median(last):.0f} ms (median), {max(last):.0f} ms (slowest) after the command had ended, which took "
            f"{statistics.median(it[0] - it[1] for it in cuts):.0f} ms; then 401. Meanwhile {came['json'] + came['html'] + came['blob'] + came['refused']:,} answers of "
            f"others, all as meant; the app saw {saw:,} requests and each is on record"
        )
    finally:
        scene.close()


def revoke(scene, count):
    """Milliseconds from the start, and from the end, of the command to the last stream's cut."""
    stage = scene.stage
    session, other = actors.begin(stage), actors.begin(stage)
    ends, spared = actors.Ends(actors.streams(stage, session, count)), actors.streams(stage, other, 10)
    began = time.monotonic()
    stage.locum.run("grant", "revoke", session[0])
    written = time.monotonic()
    last = ends.last()
    actors.gone(stage, session)
    for client in spared:
        actors.meant(client.recv(4096), "another session's stream was cut, too")
        client.close()
    stage.locum.run("grant", "revoke", other[0])
    return 1000 * (last - began), 1000 * max(0.0, last - written)


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, often, what in (("kills", 10, "kill -9"), ("fills", 3, "full disks of each kind"), ("revocations", 10, "revocations"), ("streams", 100, "streams each")):
        words.add_argument(f"--{name}", type=int, default=often, help=what)
    words.add_argument("--dir", default=None)
    arguments = words.parse_args()
    system.raise_files()
    os.sched_setaffinity(0, system.THEIRS)
    print(f"{system.about()}; {locum.build()}")
    seed = time.time_ns()
    code = 0
    for fault in (kills, fills, revocations):
        if getattr(arguments, fault.__name__) == 0:
            continue
        try:
            fault(arguments, random.Random(seed))
        except Exception as why:
            print(f"{fault.__name__}: NOT AS MEANT: {type(why).__name__}: {why}")
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
