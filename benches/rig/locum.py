"""A Locum in a directory of its own: its configuration, its policy, its sessions, its process."""
import http.client
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from . import system
from .app import address

ROOT = Path(__file__).resolve().parent.parent.parent

CONFIG = """\
state_dir = "{dir}/var"
workers = {workers}
limits.max_sessions = 200_000
limits.idle_timeout = "10m"
listeners.apps = {{ address = "127.0.0.1:{port}", plain = true, external_scheme = "http", external_port = {port} }}
listeners.ops.address = "127.0.0.1:{ops}"
policy = {{ paths = ["{dir}/policy"], max_rows = 20_000, max_file_bytes = "64MiB" }}
grants = {{ session_idle = "1d", max_ttl = "1d" }}
audit.durability = "{durability}"
log.level = "warn"
"""
HOST = """
[[upstreams]]
name = "app-{n}"
addresses = ["{address}:{port}"]
pool.max_connections = 4096

[[apps]]
name = "app-{n}"
upstream = "app-{n}"
"""
POLICY = """\
scopes.view = ["*"]
rows = [
  {{ id = "read", match = "GET /api/{{*rest}}", action = "api.read", effect = "allow" }},
  {{ id = "page", match = "GET /page.html", action = "pages.read", effect = "allow" }},
  {{ id = "blob", match = "GET /blob.bin", action = "blobs.read", effect = "allow" }},
  {{ id = "refused", match = "* /export", action = "data.export", effect = "deny" }},
{more}]
"""
AREA = '  {{ id = "row-{n}", match = "GET /area{n}/{{item}}/detail", action = "area{n}.read", resource = "item:{{item}}", effect = "allow" }},\n'


def binary():
    """What is measured, and by what it is named in tables."""
    path = Path(os.environ.get("LOCUM") or ROOT / "target/release/locum")
    if not path.exists():
        raise SystemExit(f"{path} is missing: cargo build --release, or name another in LOCUM")
    return path.resolve()


def seeder():
    for path in [os.environ.get("SEED"), ROOT / "target/debug/examples/seed", ROOT / "target/release/examples/seed"]:
        if path and Path(path).exists():
            return Path(path)
    raise SystemExit("the program that makes sessions is missing: cargo build --example seed")


def build():
    """The commit that the repository is at, and which binary is measured."""
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    path = binary()
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
    return f"commit {commit or '?'}, {shown}"


class Store:
    """Sessions that have begun, made once and copied into each Locum that starts with them."""

    def __init__(self, directory, sessions, apps=1):
        self.dir, self.apps = Path(directory), apps
        self.dir.mkdir(parents=True)
        subprocess.run([seeder(), self.dir, str(sessions), str(apps)], check=True)
        self.sessions = [line.split() for line in (self.dir / "sessions").read_text().splitlines()]

    def put(self, state):
        for name in ["locum.db", "locum.db-wal"]:
            if (self.dir / name).exists():
                shutil.copy(self.dir / name, state / name)
                (state / name).chmod(0o600)


class Locum:
    """Its directory, and its process once `start` was called."""

    def __init__(self, directory, app, hosts=1, rows=200, workers=1, durability="process", extra="", more_rows=""):
        self.dir, self.port, self.ops = Path(directory), system.free_port(), system.free_port()
        self.process, self.cores = None, system.OURS
        (self.dir / "policy").mkdir(parents=True)
        self.config = self.dir / "locum.toml"
        text = CONFIG.format(dir=self.dir, workers=workers, port=self.port, ops=self.ops, durability=durability)
        text += extra + "".join(HOST.format(n=n, address=address(n), port=app.port) for n in range(hosts))
        self.config.write_text(text)
        areas = "".join(AREA.format(n=n) for n in range(rows))
        self.policy = self.dir / "policy/bench.toml"
        self.policy.write_text(POLICY.format(more=areas + more_rows))

    @property
    def pid(self):
        return self.process.pid

    @property
    def journal(self):
        return self.dir / "var/journal"

    def fresh(self, store=None):
        """No records, and the sessions of `store` alone."""
        state = self.dir / "var"
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir(mode=0o700)
        if store:
            store.put(state)

    def begin(self):
        """Starts it, and waits for nothing."""
        command = [binary(), "--config", self.config, "run"]
        self.process = system.spawn(command, self.cores, self.dir / "locum.log")

    def start(self, within=30):
        """Starts it, and waits until it is ready and has read all of its sessions."""
        self.begin()
        waited = self.ready(within)
        system.wait_for(lambda: not self.metric("locum_sessions_unread"), within, "locum does not read all sessions", pause=0.01)
        return waited

    def ready(self, within=30):
        """Waits until it says that it is; the seconds waited."""
        began = time.monotonic()
        system.wait_for(self._is_ready, within, "locum is not ready", pause=0.002)
        return time.monotonic() - began

    def _is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"locum ended with {self.process.returncode}: {self.log()[-800:]}")
        try:
            return self.ask_ops("/readyz")[0] == 200
        except OSError:
            return False

    def log(self):
        return (self.dir / "locum.log").read_text(errors="replace")

    def ask_ops(self, path):
        conn = http.client.HTTPConnection("127.0.0.1", self.ops, timeout=10)
        try:
            conn.request("GET", path)
            answer = conn.getresponse()
            return answer.status, answer.read().decode()
        finally:
            conn.close()

    def metric(self, name):
        """One sample of the exposition; `None` where there is no such."""
        for line in self.ask_ops("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        return None

    def stop(self):
        """SIGTERM; its exit code."""
        return system.stop(self.process)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def run(self, *arguments, check=True):
        """`locum …` to its end; what it printed as JSON, a list where it was several lines."""
        command = [binary(), "--config", self.config, "--json", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        if check and done.returncode != 0:
            raise RuntimeError(f"locum {' '.join(map(str, arguments))} ended with {done.returncode}: {done.stderr.strip()} {done.stdout[-600:]}")
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return lines[0] if len(lines) == 1 else lines

    def host(self, session, app):
        """The session's own origin, as a client names it."""
        return f"{session}.{app}.localhost:{self.port}"

    def request(self, session, path, method="GET", fields=(), body=b""):
        """The bytes of a request in a session (`[SESSION, APP, COOKIE]`, a line of the seeder's)."""
        name, app, cookie = session
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host(name, app)}", f"Cookie: __Host-locum={name}.{cookie}", *fields]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def issue(self, app="app-0"):
        """A new session by the command line and its start link, as an operator begins one: `[SESSION, APP, COOKIE]`."""
        made = self.run("grant", "issue", "--app", app, "--operator", "ada@support.example", "--subject", "kim@acme.example",
                        "--tenant", "acme", "--scope", "view", "--ticket", "SUP-1", "--reason", "Measured", "--ttl", "12h")
        session, query = made["session"], made["start_url"].split("?", 1)[1]
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            conn.request("GET", f"/.locum/start?{query}", headers={"Host": self.host(session, app)})
            answer = conn.getresponse()
            fields = answer.headers.get_all("set-cookie") or []
            found = [it.split(";")[0].split(".", 1)[1] for it in fields if it.startswith("__Host-locum=")]
            if not found:
                raise RuntimeError(f"the start code was not redeemed: {answer.status} {answer.read()[:300]}")
            return [session, app, found[0]]
        finally:
            conn.close()
