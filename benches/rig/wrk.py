"""wrk with requests that differ: those of a list, in turn."""
import random
import re
import subprocess
from pathlib import Path

from . import system

#: Arguments: a file with lines of host, cookie and path, separated by tabs; how many of them were sent before.
LUA = """
local all, at = {}, 0
function init(args)
  for line in io.lines(args[1]) do
    local host, cookie, path = line:match("^([^\\t]*)\\t([^\\t]*)\\t([^\\t]*)$")
    all[#all + 1] = wrk.format("GET", path, { ["Host"] = host, ["Cookie"] = cookie })
  end
  at = tonumber(args[2])
end
function request()
  at = at % #all + 1
  return all[at]
end
"""
UNITS = {"us": 1, "ms": 1e3, "s": 1e6}


class Load:
    """A list of requests, ready to be sent."""

    def __init__(self, directory, name, port):
        self.script, self.list, self.port = Path(directory) / "turns.lua", Path(directory) / f"{name}.requests", port
        self.sent = 0
        self.script.write_text(LUA)

    def of(self, locum, sessions, paths):
        """Sessions and paths in turn, as many as the longer list has; shuffled, so that no order helps a cache."""
        lines = []
        for n in range(max(len(sessions), len(paths))):
            session, app, cookie = sessions[n % len(sessions)]
            lines.append(f"{locum.host(session, app)}\t__Host-locum={session}.{cookie}\t{paths[n % len(paths)]}\n")
        random.Random(17).shuffle(lines)
        self.list.write_text("".join(lines))
        self.size = len(lines)
        return self

    def warm(self, longest=60):
        """Each of the list at least once, and at least a second long."""
        self.sent, rounds = 0, 0
        while rounds == 0 or self.sent < self.size:
            rounds += 1
            if rounds > longest:
                raise RuntimeError(f"{self.sent} of {self.size} requests in {longest} s")
            self.run(1)

    def run(self, seconds, connections=64, cores=None, threads=1):
        """What came of it: requests, requests a second, percentiles in µs. Anything but 2xx and 3xx raises."""
        command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s", "-s", self.script,
                   f"http://127.0.0.1:{self.port}/", "--", self.list, self.sent]
        pin = ["taskset", "-c", ",".join(map(str, cores or system.THEIRS))]
        done = subprocess.run([str(word) for word in pin + command], capture_output=True, text=True)
        came = read(done.stdout, done.stderr)
        self.sent += came["n"]
        return came


def read(out, err=""):
    """The figures in what wrk printed."""
    total = re.search(r"(\d+) requests in", out)
    if not total or total[1] == "0":
        raise RuntimeError(f"wrk: {out[-300:]} {err[-300:]}")
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: .*", out)
    if wrong:
        raise RuntimeError(f"not what was meant: {wrong[0]}")
    percentiles = {at: float(value) * UNITS[unit] for at, value, unit in re.findall(r"\s(50|99)%\s+([\d.]+)(us|ms|s)", out)}
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
    return dict(n=int(total[1]), rps=rate, p50=percentiles.get("50", 0.0), p99=percentiles.get("99", 0.0))
