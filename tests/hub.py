# SPDX-License-Identifier: GPL-3.0-or-later
"""A site of published models on this machine, with the faults that real ones have. Its threads end with it."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub:
    """`files` by path. What `faults` says of a path is done once for each entry: ("cut", n), "no-range", "416", 503 ..."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.faults: dict[str, list] = {}
        self.listing: bytes | None = None  # in place of the true one
        self.asked: list[tuple[str, str | None]] = []  # path and range
        self.address = ""

    def list(self) -> bytes:
        entries: list[dict] = [{"type": "directory", "path": "folder", "size": 0}]
        for path, content in self.files.items():
            entry = {"type": "file", "path": path, "size": len(content), "oid": "0" * 40}
            if not path.endswith(".txt"):
                entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
            entries.append(entry)
        return json.dumps(entries).encode()


class _Handler(BaseHTTPRequestHandler):
    site: Hub

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path in ("/api/models/owner/model/tree/main", "/api/datasets/owner/model/tree/main"):
            return self.answer(200, self.site.listing if self.site.listing is not None else self.site.list())
        path = path.removeprefix("/datasets").removeprefix("/owner/model/resolve/main/").replace("%3D", "=")
        self.site.asked.append((path, self.headers.get("Range")))
        if path not in self.site.files:
            return self.answer(404, b"")
        faults = self.site.faults.get(path, [])
        return self.send(path, faults.pop(0) if faults else None)

    def send(self, path: str, fault) -> None:
        content, wanted = self.site.files[path], self.headers.get("Range")
        if isinstance(fault, int):
            return self.answer(fault, b"")
        if fault == "elsewhere":
            return self.answer(302, b"", {"Location": "http://example.invalid/"})
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and fault != "no-range" else 0
        headers = {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"} if begin else {}
        if fault == "other-range":
            headers = {"Content-Range": f"bytes 0-{len(content) - 1}/{len(content)}"}
        cut = fault[1] if isinstance(fault, tuple) else len(content)
        return self.answer(206 if begin else 200, content[begin:], headers, cut=cut)

    def answer(self, status: int, content: bytes, headers: dict[str, str] | None = None, *, cut: int = 1 << 40) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[:cut])
        self.close_connection = True

    def log_message(self, *_) -> None:
        pass


@contextmanager
def hub(files: dict[str, bytes]) -> Iterator[Hub]:
    site = Hub(files)

    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": site}))
    server.daemon_threads = True
    site.address = f"http://127.0.0.1:{server.server_port}/owner/model"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
