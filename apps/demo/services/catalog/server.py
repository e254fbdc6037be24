"""The shop's catalogue. An ordinary HTTP server of Python's standard library."""
import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PRODUCTS = [
    {"id": 1, "name": "Tulle, silk", "price": 18},
    {"id": 2, "name": "Tulle, cotton", "price": 9},
    {"id": 3, "name": "Organza", "price": 14},
    {"id": 4, "name": "Chiffon", "price": 11},
]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/products":
            self.answer(200, {"products": PRODUCTS, "service": "catalog"})
        elif path == "/healthz":
            self.answer(200, {"ok": True})
        else:
            self.answer(404, {"error": "not found"})

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


server = Server(("127.0.0.1", int(os.environ.get("PORT", "8002"))), Handler)
print(f"catalog listens on 127.0.0.1:{server.server_address[1]}", flush=True)


def stop(*_):
    threading.Thread(target=server.shutdown).start()


signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
server.serve_forever()
