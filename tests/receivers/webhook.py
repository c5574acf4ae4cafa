"""A webhook's receiver that verifies with the reference library of Standard Webhooks. Prints its port, then one line of
JSON for each request.

    webhook.py SECRET
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            payload = Webhook(sys.argv[1]).verify(body, headers)
            told, status = {"verified": True, "id": headers["webhook-id"], "payload": payload}, 204
        except WebhookVerificationError as error:
            told, status = {"verified": False, "why": str(error)}, 401
        print(json.dumps(told), flush=True)
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
server.serve_forever()
