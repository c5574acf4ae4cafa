"""What people and machines do to Locum beside the load: each does one thing over and over, and checks what comes of it."""
import hashlib
import http.client
import os
import random
import selectors
import signal
import socket
import threading
import time
from collections import Counter

from . import app, system

BAR = b'data-locum="bar"'
#: How long anything may take here. Not a demand on speed: whatever takes longer has got stuck.
PATIENCE = 60


class Wrong(Exception):
    """Something was not as it was meant to be."""


class Stage:
    """What the actors share."""

    def __init__(self, locum, sessions):
        self.locum, self.sessions = locum, sessions
        self.over, self.counts, self.wrong, self.cuts = threading.Event(), Counter(), [], []
        #: Held by whoever changes the policy's files, or runs a command that reads them.
        self.files = threading.Lock()
        self._numbers, self._lock = 0, threading.Lock()

    def name(self):
        with self._lock:
            self._numbers += 1
            return f"actor-{self._numbers}"

    def note(self, what):
        with self._lock:
            self.counts[what] += 1

    def start(self, actors):
        self.threads = [threading.Thread(target=self._act, args=(actor, n), daemon=True) for n, actor in enumerate(actors)]
        for thread in self.threads:
            thread.start()

    def _act(self, actor, n):
        dice = random.Random(n)
        while not self.over.is_set():
            try:
                actor(self, dice)
            except Exception as why:
                with self._lock:
                    self.wrong.append(f"{time.strftime('%H:%M:%S')} {actor.__name__}: {type(why).__name__}: {why}"[:500])
                self.over.wait(1)

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(2 * PATIENCE)
        stuck = sum(thread.is_alive() for thread in self.threads)
        if stuck:
            self.wrong.append(f"{stuck} actors do not come to an end")

    def path(self, path):
        return f"{path}?n={self.name()}"

    def ask(self, session, path, method="GET", body=None, connection=None, **fields):
        """One request within a session: status and body."""
        name, of, cookie = session
        own = connection or http.client.HTTPConnection("127.0.0.1", self.locum.port, timeout=PATIENCE)
        try:
            headers = {"Host": self.locum.host(name, of), "Cookie": f"__Host-locum={name}.{cookie}"}
            headers |= {key.replace("_", "-"): value for key, value in fields.items()}
            own.request(method, path, body=body, headers=headers)
            answer = own.getresponse()
            return answer.status, answer.read()
        finally:
            if connection is None:
                own.close()

    def open(self, request, buffer=None):
        """A connection on which this was sent."""
        client = socket.socket()
        if buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", self.locum.port))
        client.sendall(request)
        return client


def meant(so, text):
    if not so:
        raise Wrong(text)


def is_right(kind, status, body):
    """Whether an answer is the one that the path stands for."""
    if kind == "/api/item.json":
        return status == 200 and body == app.JSON
    if kind == "/page.html":
        return status == 200 and body.count(BAR) == 1 and body.endswith(b"</html>\n") and b"[Support: " in body
    if kind == "/blob.bin":
        return status == 200 and hashlib.sha256(body).hexdigest() == app.BLOB_DIGEST
    return status == 403 and b'"rule":"refused"' in body


def look(stage, dice):
    """Everything, each answer to the last byte, some of them on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", stage.locum.port, timeout=PATIENCE)
    try:
        for _ in range(20):
            session = dice.choice(stage.sessions)
            kind = dice.choice(["/api/item.json", "/page.html", "/blob.bin", "/export"])
            fields = {"Accept": "text/html", "Sec_Fetch_Dest": "document", "Sec_Fetch_Mode": "navigate"} if kind == "/page.html" else {}
            status, body = stage.ask(session, stage.path(kind), connection=connection, **fields)
            meant(is_right(kind, status, body), f"{kind} answered {status}, {len(body)} bytes: {body[:200]}")
            stage.note(f"answers looked at: {kind}")
            stage.over.wait(0.02)
    finally:
        connection.close()


def read_slowly(stage, dice):
    """A blob, a byte now and then at first."""
    client = stage.open(stage.locum.request(dice.choice(stage.sessions), stage.path("/blob.bin")), buffer=4096)
    with client:
        got = b""
        while len(got) < 20 and not stage.over.is_set():
            got += client.recv(1)
            stage.over.wait(dice.random() / 2)
        while b"\r\n\r\n" not in got:
            got += client.recv(4096)
        head, body = got.split(b"\r\n\r\n", 1)
        while len(body) < len(app.BLOB):
            piece = client.recv(16384)
            meant(piece, f"cut off after {len(body)} bytes")
            body += piece
            stage.over.wait(0.02)
    meant(is_right("/blob.bin", int(head.split()[1]), body), f"a slow reader's blob: {head[:200]}")
    stage.note("blobs read slowly, whole")


def send_slowly(stage, dice):
    """A head in small pieces: whole in time, or never."""
    request = stage.locum.request(dice.choice(stage.sessions), stage.path("/api/item.json"), fields=["Connection: close"])
    whole = dice.random() < 0.6
    pieces = 12
    size = len(request) // pieces + 1
    with stage.open(request[:size]) as client:
        for n in range(1, pieces if whole else pieces - 2):
            if stage.over.wait(0.25):
                return
            client.sendall(request[n * size : (n + 1) * size])
        got = b""
        while piece := client.recv(65536):
            got += piece
    if whole:
        meant(got.startswith(b"HTTP/1.1 200") and got.endswith(app.JSON), f"a head sent slowly: {got[:200]}")
        stage.note("heads sent slowly, answered")
    else:
        meant(got.startswith(b"HTTP/1.1 408"), f"a head without an end: {got[:200]}")
        stage.note("heads without an end, refused")


def leave(stage, dice):
    """Connections dropped in the middle: of a head, of an answer, of an upload."""
    session, how = dice.choice(stage.sessions), dice.choice(["head", "answer", "upload"])
    if how == "upload":
        request = stage.locum.request([session[0], session[1], session[2]], stage.path("/api/upload"), "POST", body=bytes(300_000))[:-200_000]
    else:
        request = stage.locum.request(session, stage.path("/blob.bin"))
    if how == "head":
        request = request[: dice.randrange(1, len(request))]
    with stage.open(request) as client:
        if how == "answer":
            client.recv(dice.randrange(1, 200_000))
        else:
            stage.over.wait(dice.random() / 20)
        if dice.random() < 0.5:
            # A reset instead of an end.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    stage.note(f"left in the middle of: {how}")
    stage.over.wait(0.05)


def upload(stage, dice):
    """A body up, with its length or in chunks; the app says what came."""
    body = os.urandom(dice.choice([1, 1000, 65_536, 1_000_000, 4_000_000]))
    chunked = dice.random() < 0.5
    sent = (body[at : at + 50_000] for at in range(0, len(body), 50_000)) if chunked else body
    status, came = stage.ask(stage.uploads, stage.path("/api/upload"), "POST", sent)
    want = f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()
    meant(status == 200 and came == want, f"{len(body)} bytes up, chunked {chunked}: {status} {came[:300]}")
    stage.note("uploads, chunked" if chunked else "uploads, with a length")
    stage.over.wait(0.1)


def begin(stage):
    with stage.files:
        return stage.locum.issue("app-1")


def gone(stage, session):
    status, body = stage.ask(session, stage.path("/api/stream"))
    meant(status == 401 and b"session-ended" in body, f"a session that is over: {status} {body[:200]}")


def come_and_go(stage, dice):
    """A session by its start link, used, ended from its own page; then it is over."""
    session = begin(stage)
    status, _ = stage.ask(session, stage.path("/api/upload"), "POST", b"hello")
    meant(status == 200, f"a session that has begun: {status}")
    origin = f"http://{stage.locum.host(session[0], session[1])}"
    status, body = stage.ask(session, "/.locum/end", "POST", b"", Origin=origin)
    meant(status == 200, f"its end: {status} {body[:200]}")
    gone(stage, session)
    stage.note("sessions begun and ended")
    stage.over.wait(0.5)


def streams(stage, session, count):
    """Open streams, each of which has brought something."""
    clients = []
    try:
        for _ in range(count):
            clients.append(stage.open(stage.locum.request(session, stage.path("/api/stream"))))
        for client in clients:
            got = b""
            while b"data: " not in got:
                piece = client.recv(4096)
                meant(piece, f"a stream ended at once: {got[:200]}")
                got += piece
    except BaseException:
        for client in clients:
            client.close()
        raise
    return clients


class Ends:
    """Reads streams until each is cut, on one thread, so that a hundred of them do not wait for each other."""

    def __init__(self, clients):
        self.ends, self.left = [], len(clients)
        self.thread = threading.Thread(target=self._read, args=(clients,), daemon=True)
        self.thread.start()

    def _read(self, clients):
        with selectors.DefaultSelector() as ready:
            for client in clients:
                client.setblocking(False)
                ready.register(client, selectors.EVENT_READ)
            while self.left and (some := ready.select(PATIENCE)):
                for key, _ in some:
                    if not more(key.fileobj):
                        self.ends.append(time.monotonic())
                        ready.unregister(key.fileobj)
                        key.fileobj.close()
                        self.left -= 1

    def last(self):
        """When the last one was cut."""
        self.thread.join(PATIENCE + 5)
        meant(self.left == 0, f"{self.left} streams go on after the revocation")
        return max(self.ends)


def more(client):
    """Whether the stream goes on."""
    try:
        return bool(client.recv(65536))
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def revoke(stage, dice, count=5):
    """A session is revoked while its streams are open: they are cut, and those of another go on."""
    session, other = begin(stage), begin(stage)
    ends, spared = Ends(streams(stage, session, count)), streams(stage, other, 1)
    with stage.files:
        began = time.monotonic()
        stage.locum.run("grant", "revoke", session[0])
        written = time.monotonic()
    last = ends.last()
    gone(stage, session)
    # More comes on the one that was spared.
    spared[0].settimeout(PATIENCE)
    meant(spared[0].recv(4096), "another session's stream was cut, too")
    spared[0].close()
    with stage.files:
        stage.locum.run("grant", "revoke", other[0])
    stage.note("sessions revoked under their streams")
    stage.cuts.append((1000 * (last - began), 1000 * max(0.0, last - written)))
    stage.over.wait(1)


def taken(stage, result):
    return stage.locum.metric(f'locum_reloads_total{{result="{result}"}}') or 0


def reload(stage, dice):
    """Another policy, taken while requests come; then a bad one, refused whole."""
    name = f"extra-{dice.randrange(1 << 40)}"
    row = f'  {{ id = "{name}", match = "GET /{name}", action = "extra.read", effect = "allow" }},\n]'
    session, path = dice.choice(stage.sessions), f"/{name}"
    with stage.files:
        good = stage.locum.policy.read_text()
        try:
            status, _ = stage.ask(session, stage.path(path))
            meant(status == 403, f"what no row allows: {status}")
            told(stage, good.rstrip().removesuffix("]") + row + "\n", "taken")
            status, body = stage.ask(session, stage.path(path))
            meant(status == 200 and body == app.JSON, f"what the new row allows: {status}")
            told(stage, good + "\n[[rows]]\nid = 7\n", "refused")
            status, body = stage.ask(session, stage.path(path))
            meant(status == 200 and body == app.JSON, f"the last good policy, after a bad one: {status}")
            told(stage, good, "taken")
        finally:
            stage.locum.policy.write_text(good)
    stage.note("policies reloaded, good and bad")
    stage.over.wait(5)


def told(stage, policy, result):
    """Puts a policy in place and sends SIGHUP, and waits for what comes of it."""
    before = taken(stage, result)
    stage.locum.policy.write_text(policy)
    os.kill(stage.locum.pid, signal.SIGHUP)
    system.wait_for(lambda: taken(stage, result) > before, PATIENCE, f"a reload was not {result}", pause=0.05)


#: Each as often as there are threads of it.
ALL = [look, look, read_slowly, read_slowly, send_slowly, leave, upload, come_and_go, revoke, reload]
