"""What grows that is no curve: each prints its figures and returns them. `bench` is growth.py's."""
import socket
import statistics
import subprocess
import time

from . import locum, system, wrk

API = ["/api/item.json"]
MANY = 100_000
IDLE = 10_000


def _one(bench, name, store=None, **more):
    one = locum.Locum(bench.dir / name, bench.app, **more)
    one.fresh(store or bench.store(1))
    return one


def _load(bench, name, one, paths=API, store=None):
    return wrk.Load(bench.dir, name, one.port).of(one, (store or bench.store(1)).sessions, paths)


def _cost(one, load, seconds):
    """Microseconds a request of all threads until it has done what it put off, and what the load said."""
    load.warm()
    system.settle(one.pid)
    began = system.cpu(one.pid)
    came = load.run(seconds)
    system.settle(one.pid)
    return 1e6 * (system.cpu(one.pid) - began) / came["n"], came


def cores(bench):
    """One worker on one core against two on two."""
    rounds = {1: [], 2: []}
    enough = len(system.CORES) >= 5
    for n in range(bench.arguments.rounds):
        for workers in rounds:
            one = _one(bench, f"cores-{n}-{workers}", workers=workers)
            one.cores = system.CORES[:workers]
            one.start()
            load = _load(bench, one.dir.name, one)
            if enough:
                load_on = system.CORES[3:]
                run = load.run
                load.run = lambda seconds: run(seconds, connections=128, cores=load_on, threads=2)
            try:
                rounds[workers].append(_cost(one, load, bench.arguments.seconds))
            finally:
                one.stop()
    cost = {workers: statistics.median(it[0] for it in some) for workers, some in rounds.items()}
    rate = {workers: statistics.median(it[1]["rps"] for it in some) for workers, some in rounds.items()}
    print("\n| workers | all, µs | requests a second | two cores' worth of one |")
    print("| --- | --- | --- | --- |")
    print(f"| 1 | {cost[1]:.1f} | {rate[1]:.0f} | 1.00 |")
    worth = rate[2] / rate[1] if enough else 2 * cost[1] / cost[2]
    print(f"| 2 | {cost[2]:.1f} | {rate[2]:.0f} | {worth:.2f} |")
    if not enough:
        print(
            f"\n{len(system.CORES)} cores: the app and the load take their part of the second one, so that requests a second do not show it. "
            "'Two cores' worth' is 2 × the CPU a request of one worker / that of two."
        )
    return dict(cost=cost, rate=rate, worth=worth)


def durability(bench):
    """Records in the system's hands against records on disk, 64 connections."""
    rounds = {"process": [], "disk": []}
    for n in range(bench.arguments.rounds):
        for kind in rounds:
            one = _one(bench, f"durability-{n}-{kind}", durability=kind)
            one.start()
            try:
                load = _load(bench, one.dir.name, one)
                load.warm()
                rounds[kind].append(load.run(bench.arguments.seconds))
                system.settle(one.pid)
            finally:
                one.stop()
    median = lambda kind, key: statistics.median(it[key] for it in rounds[kind])
    where = subprocess.run(["stat", "-f", "-c", "%T", bench.dir], capture_output=True, text=True).stdout.strip()
    print(f"\n| durability, 64 connections, {where} | requests a second | of `process` | median, ms | p99, ms |")
    print("| --- | --- | --- | --- | --- |")
    for kind in rounds:
        ratio = median(kind, "rps") / median("process", "rps")
        print(f"| `{kind}` | {median(kind, 'rps'):.0f} | {ratio:.2f} | {median(kind, 'p50') / 1000:.2f} | {median(kind, 'p99') / 1000:.2f} |")
    return rounds


def memory(bench):
    """The resident set by live sessions, and with 64 blobs of 1 MiB at once."""
    found = {}
    for size in (1, MANY):
        one = _one(bench, f"memory-{size}", bench.store(size))
        one.start()
        system.settle(one.pid)
        found[f"stored {size}"] = system.memory(one.pid)
        if size == 1:
            found.update(_blobs(bench, one))
        one.stop()
    each = 1024 * (found[f"stored {MANY}"] - found["stored 1"]) / (MANY - 1)
    used = _used(bench)
    print("\n| memory | MiB |\n| --- | --- |")
    print(f"| one session stored, at the start | {found['stored 1'] / 1024:.1f} |")
    print(f"| {MANY:,} sessions stored, at the start | {found[f'stored {MANY}'] / 1024:.1f} |")
    print(f"| 64 blobs of 1 MiB at once, over and over: before | {found['before blobs'] / 1024:.1f} |")
    print(f"| – peak (`VmHWM`) | {found['peak of blobs'] / 1024:.1f} |")
    print(f"\nA live session: {each:.0f} bytes. One that was used: {used:.0f} bytes more.")
    return dict(found, each=each, used=used)


def _blobs(bench, one):
    load = _load(bench, "blobs", one, ["/blob.bin"])
    load.run(1, connections=1)
    before = system.memory(one.pid)
    system.forget_peak(one.pid)
    load.run(bench.arguments.seconds, connections=64)
    return {"before blobs": before, "peak of blobs": system.memory(one.pid, "VmHWM")}


def _used(bench, size=10_000):
    """Bytes that a session keeps once it was used, beside those that it takes stored."""
    store = bench.store(size)
    one = _one(bench, "used-memory", store)
    one.start()
    try:
        # The first of them brings the process to its size under load.
        _load(bench, "few", one, store=bench.store(size)).of(one, store.sessions[:64], API).warm()
        system.settle(one.pid)
        before = system.memory(one.pid)
        _load(bench, "all", one, store=store).warm()
        system.settle(one.pid)
        return 1024 * (system.memory(one.pid) - before) / size
    finally:
        one.stop()


def idle(bench):
    """The resident set with 10,000 connections that each had an answer and now say nothing."""
    store = bench.store(1)
    one = _one(bench, "idle", store)
    one.start()
    wanted = IDLE if system.raise_files() >= IDLE + 1000 else 1000
    request = one.request(store.sessions[0], API[0])
    held = []
    try:
        _load(bench, "idle", one).warm()
        system.settle(one.pid)
        before = system.memory(one.pid)
        for _ in range(wanted):
            client = socket.create_connection(("127.0.0.1", one.port), 10)
            client.sendall(request)
            held.append(client)
            got = client.recv(65536)
            while b"\r\n\r\n" not in got:
                got += client.recv(65536)
            if not got.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"not what was meant: {got[:200]}")
        system.settle(one.pid)
        each = (system.memory(one.pid) - before) / wanted
        open_now = one.metric("locum_connections")
        if open_now is not None and open_now < wanted:
            raise RuntimeError(f"{open_now} of {wanted} connections are open")
    finally:
        for client in held:
            client.close()
        one.stop()
    print(f"\n{wanted:,} idle keep-alive connections after one answer each: {each:.1f} KiB each.")
    return dict(connections=wanted, kib=each)


def start(bench):
    """From the start of the process to the first byte of the first 200."""
    found = {}
    for size in (1, MANY):
        store = bench.store(size)
        one = _one(bench, f"start-{size}", store)
        found[size] = [_start(one, store) for _ in range(max(3, 2 * bench.arguments.rounds))]
    print("\n| sessions stored | start to first byte, ms: median | slowest |\n| --- | --- | --- |")
    for size, times in found.items():
        print(f"| {size:,} | {statistics.median(times):.0f} | {max(times):.0f} |")
    return found


def _start(one, store):
    request = one.request(store.sessions[-1], API[0])
    began = time.monotonic()
    one.begin()
    try:
        while time.monotonic() - began < 30:
            try:
                with socket.create_connection(("127.0.0.1", one.port), 5) as client:
                    client.sendall(request)
                    if client.recv(65536).startswith(b"HTTP/1.1 200"):
                        return 1000 * (time.monotonic() - began)
            except OSError:
                pass
            time.sleep(0.0005)
        raise RuntimeError(f"no answer: {one.log()[-600:]}")
    finally:
        one.stop()
