#!/usr/bin/env python3
"""Work for a Locum that counts what it executes, so that the compiler can lay it out for that: what `tools/release` runs between its two builds.

  train.py [--seconds 4] [--minutes 0.7]

The mixed load of `soak.py` (sessions that begin, end and are revoked, slow clients, uploads, streams, policies, a verified journal), then
`versus.sh` with each kind of request over plain HTTP/1.1 and over TLS with HTTP/1.1 and HTTP/2. Each must end in order, since the
counts are written at the end.

The binary is LOCUM; sessions are made by `cargo build --example seed` (or SEED). Needs nginx, wrk, h2load, openssl.
"""
import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
from rig import locum, system  # noqa: E402
from rig.app import App  # noqa: E402

HERE = Path(__file__).resolve().parent
PATHS = ("/api/item.json", "/page.html", "/blob.bin", "/export")


def certificate(directory):
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
               "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "tls.key", "-out", "tls.crt"]
    subprocess.run(command, cwd=directory, check=True, capture_output=True)


def loads(url, fields, seconds, tls):
    """One load after another, on the cores that Locum does not have."""
    words = [word for field in fields for word in ("-H", field)]
    yield ["wrk", "-t1", "-c64", f"-d{seconds}s", *words, url]
    if tls:
        yield ["h2load", "-t1", "-c16", "-m8", f"-D{seconds}", *words, url]
        # A connection for each request: handshakes, full and resumed.
        yield ["wrk", "-t1", "-c8", "-d1s", "-H", "Connection: close", *words, url]


def served(directory, app, seconds, tls):
    port, own = system.free_port(), directory / ("tls" if tls else "plain")
    own.mkdir()
    if tls:
        certificate(own)
    environment = os.environ | ({"VERSUS_TLS": "1"} if tls else {})
    process = system.spawn([HERE / "versus.sh", port, app.plain, own], system.OURS, own / "log", env=environment)
    try:
        system.wait_for(lambda: listens(port), 60, f"it does not listen: {own / 'log'}")
        fields = (own / "locum.headers").read_text().splitlines()
        for path in PATHS:
            url = f"{'https' if tls else 'http'}://127.0.0.1:{port}{path}"
            for load in loads(url, fields, seconds, tls):
                pinned = ["taskset", "-c", ",".join(map(str, system.THEIRS)), *load]
                subprocess.run(pinned, check=True, stdout=subprocess.DEVNULL, timeout=seconds + 60)
    finally:
        code = system.stop(process)
    if code != 0:
        raise SystemExit(f"locum ended with {code}: {own / 'log'}")


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
        return True
    except OSError:
        return False


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--seconds", type=int, default=4, help="of each load")
    words.add_argument("--minutes", type=float, default=0.7, help="of mixed load")
    arguments = words.parse_args()
    system.raise_files()
    directory = Path(tempfile.mkdtemp(prefix="train-"))
    directory.chmod(0o755)
    print(f"training {locum.binary()}", flush=True)
    try:
        command = [HERE / "soak.py", "--minutes", str(arguments.minutes), "--disk", "2", "--out", directory, "--dir", directory]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        port = system.free_port()
        app = App(directory / "app", more=f"listen 127.0.0.1:{port} backlog=4096;")
        app.plain = port
        try:
            for tls in (False, True):
                served(directory, app, arguments.seconds, tls)
        finally:
            app.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
