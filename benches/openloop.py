#!/usr/bin/env python3
"""How long requests take when they come at a rate, whether or not earlier ones were answered: an open loop.

  openloop.py [--rates 4000,8000,16000 | --share 0.7] [--seconds 10] [--rounds 3] [--connections 64]

nginx that forwards alone, the bare hop and Locum with the whole job on, in turns, in front of the same app: 1 KiB of JSON. The
measured proxy has the first core, the app and the load (oha, with its correction for requests that start late) the others.
Without --rates each proxy's capacity is measured first (wrk), and all get the same rate: that share of Locum's capacity. Prints
milliseconds, medians of the rounds, and how much of the rate was reached: a row that falls short of it says nothing.

Needs nginx, wrk, oha (cargo install oha), the release build and the example bare_hop.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

from rig import locum, system, wrk
from rig.app import App, address

NGINX = """
worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/nginx.err warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/t1; fastcgi_temp_path {dir}/t2; uwsgi_temp_path {dir}/t3; scgi_temp_path {dir}/t4;
  keepalive_requests 1000000000;
  upstream app {{ server {app}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; }}
  }}
}}
"""
PATH = "/api/item.json"


class Nginx:
    name = "nginx, forwarding alone"

    def __init__(self, directory, app):
        self.dir, self.port, self.fields = directory, system.free_port(), []
        directory.mkdir()
        config = directory / "nginx.conf"
        config.write_text(NGINX.format(dir=directory, port=self.port, app=f"{address(0)}:{app.port}"))
        user = "user root;" if os.geteuid() == 0 else ""
        command = ["nginx", "-e", directory / "nginx.err", "-c", config, "-g", f"daemon off; {user}"]
        self.process = system.spawn(command, system.OURS, directory / "out")


class Bare:
    name = "bare hop"

    def __init__(self, directory, app):
        self.port, self.fields = system.free_port(), []
        path = Path(os.environ.get("BARE_HOP") or locum.ROOT / "target/release/examples/bare_hop")
        if not path.exists():
            raise SystemExit(f"{path} is missing: cargo build --release --example bare_hop")
        directory.mkdir()
        # It forwards to 127.0.0.1, where the app has an address of its own: a second server of the same files.
        self.process = system.spawn([path, str(self.port), str(app.plain)], system.OURS, directory / "out")


class Whole:
    name = "Locum"

    def __init__(self, directory, app):
        self.locum = locum.Locum(directory, app, hosts=1)
        self.locum.fresh()
        self.locum.start()
        session, name, cookie = self.locum.issue()
        self.port, self.process = self.locum.port, self.locum.process
        self.fields = [f"Host: {self.locum.host(session, name)}", f"Cookie: __Host-locum={session}.{cookie}"]


def capacity(proxy, connections, seconds):
    fields = [word for field in proxy.fields for word in ("-H", field)]
    command = ["taskset", "-c", ",".join(map(str, system.THEIRS)), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *fields,
               f"http://127.0.0.1:{proxy.port}{PATH}"]
    done = subprocess.run(command, capture_output=True, text=True)
    return wrk.read(done.stdout, done.stderr)["rps"]


def at_rate(proxy, rate, connections, seconds):
    fields = [word for field in proxy.fields for word in ("-H", field)]
    command = ["taskset", "-c", ",".join(map(str, system.THEIRS)), os.environ.get("OHA", "oha"), "-z", f"{seconds}s", "-q", str(rate), "-c", str(connections),
               "--latency-correction", "--no-tui", "--output-format", "json", *fields, f"http://127.0.0.1:{proxy.port}{PATH}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"oha: {done.stderr[-500:]}")
    said = json.loads(done.stdout)
    codes = said["statusCodeDistribution"]
    if set(codes) != {"200"}:
        raise RuntimeError(f"{proxy.name}: not what was meant: {codes} {said.get('errorDistribution')}")
    percentile = said["latencyPercentiles"]
    return dict(reached=codes["200"] / seconds / rate, **{at: 1000 * percentile[at] for at in ("p50", "p90", "p99", "p99.9")})


def measured(proxies, rate, arguments):
    found = {proxy.name: [] for proxy in proxies}
    for _ in range(arguments.rounds):
        for proxy in proxies:
            found[proxy.name].append(at_rate(proxy, rate, arguments.connections, arguments.seconds))
    for name, rounds in found.items():
        middle = {key: statistics.median(it[key] for it in rounds) for key in rounds[0]}
        print(f"| {name} | {rate:,} | {100 * middle['reached']:.1f} % | " + " | ".join(f"{middle[at]:.2f}" for at in ("p50", "p90", "p99", "p99.9")) + " |", flush=True)


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rates", default="")
    words.add_argument("--share", type=float, default=0.7)
    words.add_argument("--seconds", type=int, default=10)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--connections", type=int, default=64)
    words.add_argument("--dir", default=None)
    arguments = words.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="openloop-", dir=arguments.dir))
    directory.chmod(0o755)
    plain = system.free_port()
    app = App(directory / "app", more=f"listen 127.0.0.1:{plain} backlog=4096;")
    app.plain = plain
    try:
        proxies = [make(directory / make.__name__, app) for make in (Nginx, Bare, Whole)]
        can = {proxy.name: capacity(proxy, arguments.connections, 3) for proxy in proxies}
        rates = [int(rate) for rate in arguments.rates.split(",") if rate] or [int(arguments.share * can["Locum"])]
        print(f"{system.about()}; {locum.build()}; {arguments.rounds} rounds of {arguments.seconds} s, {arguments.connections} connections")
        print("capacity, requests a second: " + ", ".join(f"{name} {rps:.0f}" for name, rps in can.items()))
        print("\n| | rate | reached | p50 | p90 | p99 | p99.9 |\n| --- | --- | --- | --- | --- | --- | --- |")
        for rate in rates:
            measured(proxies, rate, arguments)
        for proxy in proxies:
            system.stop(proxy.process)
    finally:
        app.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
