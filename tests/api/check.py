"""Runs Locum with demo personas, makes things to ask about, and holds its API to its own document."""

import argparse
import html
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PATIENCE = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Locum:
    """The real program in a directory of its own."""

    def __init__(self, scratch):
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        env = dict(
            os.environ,
            LOCUM_STATE_DIR=str(scratch / "var"),
            LOCUM_POLICY__PATHS=str(ROOT / "config/policy"),
            LOCUM_ACCESS__POLICY=str(ROOT / "config/policy/access.cedar"),
            LOCUM_ACCESS__TENANT_POLICY=str(ROOT / "config/policy/tenants"),
            LOCUM_LISTENERS__APPS__ADDRESS=f"127.0.0.1:{free_port()}",
            LOCUM_LISTENERS__OPS__ADDRESS=f"127.0.0.1:{free_port()}",
            LOCUM_LISTENERS__PORTAL__ADDRESS=f"127.0.0.1:{self.port}",
            LOCUM_LISTENERS__PORTAL__PUBLIC_URL=self.origin,
        )
        self.log = open(scratch / "locum.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [ROOT / "target/debug/locum", "run", "--config", HERE / "locum.toml"],
            env=env,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.send("GET", "/api/v1/openapi.json")[0] == 200:
                    return
            except OSError:
                time.sleep(0.1)
        self.stop()
        sys.exit("Locum did not come up:\n" + self.told())

    def told(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)

    def send(self, method, path, headers=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.headers, text


class Person:
    """A persona who signed in."""

    def __init__(self, locum, name):
        self.locum = locum
        status, headers, page = locum.send("GET", "/login")
        assert status == 200, page
        state = field(page, "state")
        flow = headers["set-cookie"].split(";")[0]
        form = f"state={state}&id={name.replace('@', '%40')}"
        sent = {
            "Cookie": flow,
            "Origin": locum.origin,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        status, headers, page = locum.send("POST", "/login/persona", sent, form)
        assert status in (302, 303), f"{status} {page}"
        cookies = [it.split(";")[0] for it in headers.get_all("set-cookie")]
        cookie = next(it for it in cookies if "portal" in it)
        _, _, page = locum.send("GET", "/requests/new", {"Cookie": cookie})
        self.headers = {
            "Cookie": cookie,
            "Origin": locum.origin,
            "X-Locum-Csrf": field(page, "csrf"),
        }

    def get(self, path):
        status, _, text = self.locum.send("GET", path, self.headers)
        assert status == 200, f"{path}: {text}"
        return json.loads(text)

    def post(self, path, body=None):
        headers = dict(self.headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        status, _, text = self.locum.send("POST", path, headers, body)
        assert status in (200, 201), f"{path}: {status} {text}"
        return json.loads(text)


def field(page, name):
    for tag in re.findall(r"<input[^>]*>", page):
        if f'name="{name}"' in tag:
            return html.unescape(re.search(r'value="([^"]*)"', tag).group(1))
    raise AssertionError(f"no field {name} in {page}")


def seed(locum):
    """A request of each kind, a session, a lock, a workload."""
    agent, lead = Person(locum, "agent@support.example"), Person(locum, "lead@support.example")
    root = Person(locum, "everything@support.example")
    scopes = root.get("/api/v1/apps")["items"][0]["scopes"]
    ask = {
        "app": "shop",
        "tenant": "globex",
        "subject": "kim@globex.example",
        "ticket": "SUP-1",
        "reason_code": "customer-request",
        "reason": "An invoice is missing",
    }
    for scope in scopes:
        made = agent.post("/api/v1/requests", ask | {"scopes": [scope["name"]]})
        if made["state"] == "pending":
            vote = {"digest": made["digest"], "verdict": "approve"}
            made = lead.post(f"/api/v1/requests/{made['id']}/votes", vote)
        if made["state"] == "approved":
            agent.post(f"/api/v1/requests/{made['id']}/activate")
            made = agent.post("/api/v1/requests", ask | {"scopes": [scope["name"]]})
    root.post("/api/v1/locks", {"key": "tenant:initech", "reason": "An example"})
    root.post(
        "/api/v1/workloads",
        {
            "id": "spiffe://example/report",
            "owner": "lead@support.example",
            "system": "reports",
            "purpose": "Monthly reports",
            "scopes": [scopes[0]["name"]],
            "apps": ["shop"],
            "tenants": ["globex"],
            "budget": 100,
            "renew_by": "2099-01-01T00:00:00Z",
        },
    )
    return root


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", default="30")
    parser.add_argument("--seed", default="1")
    options, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        locum = Locum(scratch)
        try:
            root = seed(locum)
            command = [Path(sys.executable).parent / "st", "--config-file", HERE / "schemathesis.toml"]
            command += ["run", f"{locum.origin}/api/v1/openapi.json"]
            command += ["--max-examples", options.examples, "--seed", options.seed]
            for name, value in root.headers.items():
                command += ["--header", f"{name}: {value}"]
            failed = subprocess.run(command + more, cwd=scratch, check=False).returncode
        finally:
            locum.stop()
        told = locum.told()
        if "panicked" in told:
            sys.exit(told)
        sys.exit(failed)


if __name__ == "__main__":
    main()
