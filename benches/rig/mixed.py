"""Load as much as one core of Locum takes, where every request differs and every answer is looked at. By wrk."""
import json
import subprocess
from pathlib import Path

from . import app, system

#: Arguments: a file with lines of host, cookie and path; what makes the names of this run's requests its own; the page's length.
LUA = """
local begin, rest, at, prefix, page = {}, {}, 0, "", 0
json, html, blob, refused, unavailable, wrong, sample = 0, 0, 0, 0, 0, 0, ""
local threads = {}
function setup(thread) threads[#threads + 1] = thread end
function init(args)
  for line in io.lines(args[1]) do
    local host, cookie, path = line:match("^([^\\t]*)\\t([^\\t]*)\\t([^\\t]*)$")
    begin[#begin + 1] = "GET " .. path .. "?n=" .. args[2] .. "-"
    rest[#rest + 1] = " HTTP/1.1\\r\\nHost: " .. host .. "\\r\\nCookie: " .. cookie .. "\\r\\nAccept: "
      .. (path == "/page.html" and "text/html" or "*/*") .. "\\r\\n\\r\\n"
  end
  page = tonumber(args[3])
end
function request()
  at = at + 1
  local which = at % #begin + 1
  return begin[which] .. at .. rest[which]
end
function response(status, headers, body)
  local kind = headers["content-type"] or ""
  if status == 200 and kind == "application/json" and #body == 1024 then json = json + 1
  elseif status == 200 and kind == "text/html" and #body > page and body:find('data-locum="bar"', 1, true)
    and body:sub(-8) == "</html>\\n" then html = html + 1
  elseif status == 200 and kind == "application/octet-stream" and #body == 1048576 then blob = blob + 1
  elseif status == 403 and body:find('"rule":"refused"', 1, true) then refused = refused + 1
  elseif status == 503 and body:find("urn:locum:refusal:journal", 1, true) then unavailable = unavailable + 1
  else
    wrong = wrong + 1
    if sample == "" then sample = status .. " " .. kind .. " " .. #body .. " bytes: " .. body:sub(1, 300):gsub("[%c\\"\\\\]", " ") end
  end
end
function done(summary, latency, requests)
  local sum = function(name)
    local all = 0
    for _, thread in ipairs(threads) do all = all + thread:get(name) end
    return all
  end
  local e = summary.errors
  io.write(string.format('{"json":%d,"html":%d,"blob":%d,"refused":%d,"unavailable":%d,"wrong":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d,'
    .. '"requests":%d,"us":%d,"p50":%d,"p99":%d,"sample":"%s"}\\n', sum("json"), sum("html"), sum("blob"), sum("refused"), sum("unavailable"), sum("wrong"),
    e.connect, e.read, e.write, e.timeout, summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), threads[1]:get("sample")))
end
"""
#: How often each is asked for: more of what takes a whole core without filling the disk with records.
MIX = ["/api/item.json"] * 3 + ["/page.html"] * 4 + ["/blob.bin"] * 5 + ["/export"]
SMALL = ["/api/item.json"]


class Mixed:
    """The sessions that the load is within."""

    def __init__(self, directory, locum, sessions, paths=None):
        self.script, self.list, self.port = Path(directory) / "mixed.lua", Path(directory) / "mixed.requests", locum.port
        self.script.write_text(LUA)
        paths = paths or MIX
        lines = (f"{locum.host(name, of)}\t__Host-locum={name}.{cookie}\t{path}\n" for name, of, cookie in sessions for path in paths)
        self.list.write_text("".join(lines))

    def begin(self, name, seconds, connections=64):
        """Starts a run whose requests are `?n=NAME-1`, `?n=NAME-2`, …"""
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", self.script, f"http://127.0.0.1:{self.port}/", "--"]
        command += [self.list, name, len(app.PAGE)]
        pin = ["taskset", "-c", ",".join(map(str, system.THEIRS))]
        return subprocess.Popen([str(word) for word in pin + command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, name, seconds, connections=64):
        return result(self.begin(name, seconds, connections))


def result(run):
    """What came of a run: counts by outcome, socket errors, percentiles in µs."""
    out = run.communicate()[0]
    for line in out.splitlines():
        if line.startswith('{"json"'):
            return json.loads(line)
    raise RuntimeError(f"wrk said: {out[-600:]}")
