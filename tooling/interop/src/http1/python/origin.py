"""An HTTP/1.1 origin by Python's http.server, for requests through a Tulle proxy. Prints where it listens."""

import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = self.path.split("?")[0]
        getattr(self, "at_" + path.strip("/"), self.at_echo)()

    do_HEAD = do_POST = do_PUT = do_GET

    def read_body(self):
        """Body and trailers; http.server leaves chunks to its users."""
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0))), {}
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        trailers = {}
        while line := self.rfile.readline().strip():
            name, value = line.decode("latin1").split(":", 1)
            trailers.setdefault(name.title(), []).append(value.strip())
        return body, trailers

    def at_echo(self):
        body, trailers = self.read_body()
        length = self.headers.get("content-length")
        answer = json.dumps(
            {
                "method": self.command,
                "target": self.path,
                "length": 0 if self.command in ("GET", "HEAD") else -1 if length is None else int(length),
                "bytes": len(body),
                "hash": hashlib.sha256(body).hexdigest(),
                "trailers": trailers,
                "peer": "%s:%d" % self.client_address,
            }
        ).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    def send_chunks(self, chunks, trailer=None):
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        if trailer:
            self.send_header("trailer", trailer[0])
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n" + (b"%s: %s\r\n" % tuple(part.encode() for part in trailer) if trailer else b"") + b"\r\n")

    def at_chunks(self):
        self.send_chunks([b"piece %d\n" % i for i in range(5)])

    def at_trailers(self):
        self.send_chunks([b"body before trailers\n"], ("x-checksum", "abc123"))

    def at_hints(self):
        self.send_response_only(103)
        self.send_header("link", "</style.css>; rel=preload")
        self.end_headers()
        body = b"after hints\n"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def at_upgrade(self):
        self.send_response(101)
        self.send_header("connection", "upgrade")
        self.send_header("upgrade", self.headers.get("upgrade", ""))
        self.end_headers()
        self.close_connection = True
        while data := self.rfile.read1(65536):
            self.wfile.write(data)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("origin on 127.0.0.1:%d" % server.server_port, flush=True)
server.serve_forever()
