"""Receivers of records that check what they get, and refuse what their documentation does not allow.

    sinks.py otlp-http|otlp-grpc|splunk|elastic PORT CERT KEY IDS

Prints the sequence number of each record it keeps, one a line, before it answers. IDS is a file for what must survive a kill.
"""

import json
import os
import re
import ssl
import sys
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc

KEEPING = Lock()


class Wrong(Exception):
    """What the sender must not do."""


def need(holds, what):
    if not holds:
        raise Wrong(what)


def keep(sequences):
    with KEEPING:
        sys.stdout.write("".join(f"{seq}\n" for seq in sequences))
        sys.stdout.flush()


def value(it):
    """An OTLP AnyValue as Python has it."""
    kind = it.WhichOneof("value")
    if kind == "kvlist_value":
        return {one.key: value(one.value) for one in it.kvlist_value.values}
    if kind == "array_value":
        return [value(one) for one in it.array_value.values]
    return getattr(it, kind) if kind else None


def logs(request):
    sequences = []
    for resource in request.resource_logs:
        named = {it.key: value(it.value) for it in resource.resource.attributes}
        need(named.get("service.name") == "locum", "no service.name")
        for scope in resource.scope_logs:
            need(scope.scope.name, "no scope")
            for record in scope.log_records:
                body = value(record.body)
                given = {it.key: value(it.value) for it in record.attributes}
                need(record.time_unix_nano == body["time"] * 1_000_000, "another time")
                need(1 <= record.severity_number <= 24 and record.severity_text, "no severity")
                need(record.event_name == body["metadata"]["event_code"], "another event")
                need(given["log.record.uid"] == body["metadata"]["uid"], "another id")
                need(given["locum.seq"] == body["seq"], "another sequence number")
                sequences.append(body["seq"])
    keep(sequences)
    return logs_service_pb2.ExportLogsServiceResponse()


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            status, kind, answer = self.take(body)
        except Wrong as wrong:
            print(f"refused: {wrong}", file=sys.stderr)
            status, kind, answer = 400, "application/json", json.dumps({"text": str(wrong), "code": 6}).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def authorized(self, scheme):
        return self.headers["authorization"] == f"{scheme} hunter2"

    def log_message(self, *_):
        pass


class Collector(Receiver):
    """https://opentelemetry.io/docs/specs/otlp/#otlphttp"""

    def take(self, body):
        if not self.authorized("Bearer"):
            return 401, "text/plain", b""
        need(self.path == "/v1/logs", "another path")
        need(self.headers["content-type"] == "application/x-protobuf", "another content type")
        request = logs_service_pb2.ExportLogsServiceRequest.FromString(body)
        return 200, "application/x-protobuf", logs(request).SerializeToString()


class Splunk(Receiver):
    """https://docs.splunk.com/Documentation/Splunk/latest/Data/HTTPEventCollector"""

    acknowledged = {}

    def take(self, body):
        if not self.authorized("Splunk"):
            return self.says(403, text="Invalid token", code=4)
        channel = self.headers["x-splunk-request-channel"] or ""
        uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
        if not re.fullmatch(uuid, channel):
            return self.says(400, text="Data channel is missing", code=10)
        if self.path == "/services/collector/ack":
            asked = json.loads(body)["acks"]
            # The first question is always too early.
            acks = {}
            for ack in asked:
                acks[str(ack)] = self.acknowledged.get((channel, ack), False)
                if (channel, ack) in self.acknowledged:
                    self.acknowledged[channel, ack] = True
            return self.says(200, acks=acks)
        need(self.path == "/services/collector/event", "another path")
        sequences, text, decoder, at = [], body.decode(), json.JSONDecoder(), 0
        while text[at:].strip():
            event, at = decoder.raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
            known = {"time", "host", "source", "sourcetype", "index", "fields", "event"}
            need(set(event) <= known, f"unknown keys: {set(event) - known}")
            need(event.get("event"), "Event field is required")
            need(float(event["time"]) == event["event"]["time"] / 1000, "another time")
            need(all(isinstance(it, str) for it in event["fields"].values()), "fields must be flat")
            need(event["fields"]["uid"] == event["event"]["metadata"]["uid"], "another id")
            sequences.append(event["event"]["seq"])
        keep(sequences)
        ack = len(self.acknowledged)
        self.acknowledged[channel, ack] = False
        return self.says(200, text="Success", code=0, ackId=ack)

    def says(self, status, **what):
        return status, "application/json", json.dumps(what).encode()


class Elastic(Receiver):
    """https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk"""

    known = set()
    path_of_ids = None

    def take(self, body):
        if not self.authorized("ApiKey"):
            return 401, "application/json", b"{}"
        path, _, query = self.path.partition("?")
        need(path == "/locum-audit/_bulk" and query.startswith("filter_path="), "another path")
        need(self.headers["content-type"] == "application/x-ndjson", "another content type")
        need(body.endswith(b"\n"), "The bulk request must be terminated by a newline [\\n]")
        lines = [json.loads(line) for line in body.splitlines()]
        items, sequences, fresh = [], [], []
        for action, source in zip(lines[::2], lines[1::2], strict=True):
            need(list(action) == ["create"], "a data stream takes create only")
            uid = action["create"]["_id"]
            need(len(uid) <= 512 and uid == source["metadata"]["uid"], "another id")
            need(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", source["@timestamp"]), "no @timestamp")
            if uid in self.known:
                why = {"type": "version_conflict_engine_exception", "reason": "document already exists"}
                items.append({"create": {"status": 409, "error": why}})
                continue
            self.known.add(uid)
            fresh.append(uid)
            sequences.append(source["seq"])
            items.append({"create": {"status": 201}})
        keep(sequences)
        with open(self.path_of_ids, "a") as file:
            file.writelines(f"{uid}\n" for uid in fresh)
        errors = any("error" in item["create"] for item in items)
        return 200, "application/json", json.dumps({"errors": errors, "items": items}).encode()


class Grpc(logs_service_pb2_grpc.LogsServiceServicer):
    def Export(self, request, context):
        need(dict(context.invocation_metadata()).get("authorization") == "Bearer hunter2", "who are you?")
        return logs(request)


def main(kind, port, cert, key, ids):
    # Whoever started this has died if nobody reads any more.
    Thread(target=lambda parent=os.getppid(): wait_for(parent), daemon=True).start()
    if kind == "otlp-grpc":
        server = grpc_server(int(port), cert, key)
        server.wait_for_termination()
        return
    handler = {"otlp-http": Collector, "splunk": Splunk, "elastic": Elastic}[kind]
    if os.path.exists(ids):
        Elastic.known = set(open(ids).read().split())
    Elastic.path_of_ids = ids
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer.allow_reuse_address = True
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None
    server.serve_forever()


def grpc_server(port, cert, key):
    import grpc

    # One at a time, as the order is looked at.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    logs_service_pb2_grpc.add_LogsServiceServicer_to_server(Grpc(), server)
    credentials = grpc.ssl_server_credentials([(open(key, "rb").read(), open(cert, "rb").read())])
    server.add_secure_port(f"127.0.0.1:{port}", credentials)
    server.start()
    return server


def wait_for(parent):
    import time

    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


main(*sys.argv[1:])
