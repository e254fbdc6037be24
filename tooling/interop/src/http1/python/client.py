"""An HTTP/1.1 client by Python's http.client: client.py CASE URL. Exits with what was wrong."""

import hashlib
import http.client
import json
import socket
import sys

case, url = sys.argv[1:]
host, port = url.removeprefix("http://").split(":")


def connect():
    return http.client.HTTPConnection(host, int(port), timeout=20)


def echoed(connection, method="GET", path="/echo", **request):
    connection.request(method, path, **request)
    response = connection.getresponse()
    body = response.read()
    assert response.status == 200, "%d %r" % (response.status, body)
    return json.loads(body)


def raw(request):
    """Sends bytes; gives the socket and a file to read what comes back."""
    sock = socket.create_connection((host, int(port)), timeout=20)
    sock.sendall(request)
    return sock, sock.makefile("rb")


def head_of(file):
    lines = []
    while line := file.readline().strip():
        lines.append(line.decode("latin1"))
    return lines


def keep_alive():
    connection = connect()
    peers, sock = set(), None
    for _ in range(10):
        peers.add(echoed(connection)["peer"])
        assert sock in (None, connection.sock) and connection.sock, "the proxy closed the connection"
        sock = connection.sock
    assert len(peers) == 1, "the origin saw connections %s" % peers


def chunked_request():
    seen = echoed(connect(), "PUT", "/echo?x=1", body=iter([b"first ", b"second"]), encode_chunked=True)
    assert (seen["length"], seen["bytes"], seen["method"], seen["target"]) == (-1, 12, "PUT", "/echo?x=1"), seen


def chunked_response():
    connection = connect()
    connection.request("GET", "/chunks")
    response = connection.getresponse()
    body = response.read()
    assert response.chunked and body == b"".join(b"piece %d\n" % i for i in range(5)), body


def request_trailers():
    sock, file = raw(
        b"POST /echo HTTP/1.1\r\nhost: origin\r\ntransfer-encoding: chunked\r\ntrailer: x-checksum\r\nconnection: close\r\n\r\n"
        b"4\r\nbody\r\n0\r\nx-checksum: of the request\r\n\r\n"
    )
    head = head_of(file)
    assert head[0].startswith("HTTP/1.1 200"), head
    assert b"of the request" in file.read()
    sock.close()


def response_trailers():
    sock, file = raw(b"GET /trailers HTTP/1.1\r\nhost: origin\r\nconnection: close\r\n\r\n")
    head_of(file)
    body = file.read()
    assert body.lower().endswith(b"0\r\nx-checksum: abc123\r\n\r\n"), body
    sock.close()


def expect_continue():
    sock, file = raw(
        b"POST /echo HTTP/1.1\r\nhost: origin\r\nexpect: 100-continue\r\ncontent-length: 100000\r\nconnection: close\r\n\r\n"
    )
    head = head_of(file)  # the body goes only after this
    assert head == ["HTTP/1.1 100 Continue"], head
    sock.sendall(b"x" * 100_000)
    assert head_of(file)[0].startswith("HTTP/1.1 200")
    assert b'"bytes": 100000' in file.read().replace(b'"bytes":1', b'"bytes": 1')
    sock.close()


def early_hints():
    sock, file = raw(b"GET /hints HTTP/1.1\r\nhost: origin\r\nconnection: close\r\n\r\n")
    head = head_of(file)
    assert head[0].startswith("HTTP/1.1 103") and any("style.css" in line for line in head), head
    assert head_of(file)[0].startswith("HTTP/1.1 200")
    assert b"after hints" in file.read()
    sock.close()


def large():
    body = bytes((i * 31 >> 3) & 255 for i in range(8 << 20))
    seen = echoed(connect(), "POST", "/echo", body=body)
    assert seen["hash"] == hashlib.sha256(body).hexdigest(), "%d bytes" % seen["bytes"]


def head():
    connection = connect()
    connection.request("HEAD", "/echo")
    response = connection.getresponse()
    assert response.status == 200 and response.getheader("content-type") == "application/json"
    assert response.read() == b""
    assert echoed(connection)["method"] == "GET"  # the connection is still in step


def upgrade():
    sock, file = raw(b"GET /upgrade HTTP/1.1\r\nhost: origin\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
    head = head_of(file)
    assert head[0].startswith("HTTP/1.1 101") and "upgrade: echo" in map(str.lower, head), head
    for line in (b"hello\n", b"z" * 100_000 + b"\n"):
        sock.sendall(line)
        assert file.readline() == line
    sock.close()


try:
    {
        "keep-alive": keep_alive,
        "chunked-request": chunked_request,
        "chunked-response": chunked_response,
        "request-trailers": request_trailers,
        "response-trailers": response_trailers,
        "continue": expect_continue,
        "early-hints": early_hints,
        "large": large,
        "head": head,
        "upgrade": upgrade,
    }[case]()
except AssertionError as error:
    import traceback

    sys.exit(traceback.format_exc())
