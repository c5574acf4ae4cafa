"""The app behind: nginx, cheap on purpose, so that Locum is what is measured."""
import hashlib
import os
import signal
import socket
from pathlib import Path

from . import system

#: 1 KiB of JSON, a page of 32 KiB, a blob of 1 MiB.
JSON = b'{"items":[' + b",".join(b'"%020d"' % n for n in range(43)) + b"]}"
JSON += b"\n" * (1024 - len(JSON))
ROW = '<tr><td>Order {0}</td><td><a href="/orders/{0}">details</a></td><td class="num">{0}.00</td></tr>\n'
PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Orders</title></head>\n<body><table>'
    + "".join(ROW.format(n) for n in range(360))
    + "</table></body></html>\n"
).encode()
BLOB = os.urandom(1 << 20)
BLOB_DIGEST = hashlib.sha256(BLOB).hexdigest()

CONFIG = """
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/nginx.err warn;
events {{ worker_connections 20000; }}
http {{
  {log}
  sendfile on; tcp_nopush on; tcp_nodelay on;
  client_body_temp_path {dir}/body; client_max_body_size 0;
  proxy_temp_path {dir}/t1; fastcgi_temp_path {dir}/t2; uwsgi_temp_path {dir}/t3; scgi_temp_path {dir}/t4;
  keepalive_requests 1000000000; keepalive_timeout 1h;
  types {{ text/html html; application/json json; application/octet-stream bin; }}
  server {{
    {listen}
    root {dir}/www;
    location / {{ try_files $uri /item.json?$args; }}
    {more}
  }}
}}
"""


def address(n):
    """The `n`th host of the app: all of 127.0.0.0/8 is loopback."""
    return f"127.77.{n // 250}.{n % 250 + 1}"


class App:
    """Serves `/page.html`, `/blob.bin`, and the JSON for everything else, on as many addresses as wanted."""

    def __init__(self, directory, hosts=1, log="access_log off;", more=""):
        self.dir, self.port, self.hosts = Path(directory), system.free_port(), hosts
        www = self.dir / "www"
        www.mkdir(parents=True, exist_ok=True)
        self.dir.chmod(0o755)
        (www / "item.json").write_bytes(JSON)
        (www / "page.html").write_bytes(PAGE)
        (www / "blob.bin").write_bytes(BLOB)
        listen = "".join(f"listen {address(n)}:{self.port} backlog=4096; " for n in range(hosts))
        config = self.dir / "nginx.conf"
        config.write_text(CONFIG.format(dir=self.dir, listen=listen, log=log, more=more))
        user = "user root;" if os.geteuid() == 0 else ""
        command = ["nginx", "-e", self.dir / "nginx.err", "-c", config, "-g", f"daemon off; {user}"]
        self.process = system.spawn(command, system.THEIRS, self.dir / "nginx.out")
        system.wait_for(self._listens, 10, "nginx does not listen: " + str(self.dir / "nginx.err"))

    def _listens(self):
        try:
            socket.create_connection((address(self.hosts - 1), self.port), 0.2).close()
            return True
        except OSError:
            return False

    def stop(self):
        """In order: what is on its way into the log is written."""
        system.stop(self.process, signal.SIGQUIT)
