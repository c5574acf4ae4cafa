"""A second app, in Python: it takes uploads and says what came, and sends streams that never end."""
import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

#: Seconds between two pieces of a stream.
BEAT = 0.2


class Backend:
    """Serves until `stop`; `seen` has what each request bore as `n`."""

    def __init__(self, host, port):
        self.seen, self.over = [], threading.Event()
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def note(self):
                found = parse_qs(urlsplit(self.path).query).get("n")
                backend.seen.extend(found or [self.path])

            def do_POST(self):
                self.note()
                digest, length = hashlib.sha256(), 0
                try:
                    for piece in self.pieces():
                        digest.update(piece)
                        length += len(piece)
                except (OSError, ValueError):
                    self.close_connection = True
                    return
                self.answer(f"{length} {digest.hexdigest()}".encode())

            def pieces(self):
                if "chunked" in self.headers.get("transfer-encoding", ""):
                    while size := int(self.rfile.readline().split(b";")[0], 16):
                        yield self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                    return
                left = int(self.headers.get("content-length", 0))
                while left > 0:
                    piece = self.rfile.read(min(left, 65536))
                    if not piece:
                        raise ValueError("cut off")
                    left -= len(piece)
                    yield piece

            def do_GET(self):
                self.note()
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                try:
                    while not backend.over.wait(BEAT):
                        self.wfile.write(b"9\r\ndata: 1\n\n\r\n")
                except OSError:
                    pass
                self.close_connection = True

            def answer(self, body):
                try:
                    self.send_response(200)
                    self.send_header("Content-Type", "text/plain")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 1024

            def handle_error(self, *_):
                """Whoever leaves in the middle is no error here."""

        self.server = Server((host, port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.over.set()
        self.server.shutdown()
        time.sleep(2 * BEAT)
        self.server.server_close()
