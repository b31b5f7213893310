"""A hub of models on this machine, of which the client of the real one sees no difference."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


class LocalHub:
    """What was pushed, one commit a repository.

    Attributes:
        files: {repository: {path: content}}.
        private: {repository: whether it was made private}.
        address: of the server.
    """

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.address = ""

    def commit(self, repository: str) -> str:
        """Forty digits that change with the files."""
        every = sorted(self.files[repository].items())
        return hashlib.sha1(b"".join(name.encode() + body for name, body in every)).hexdigest()


@contextmanager
def running() -> Iterator[LocalHub]:
    """A hub that answers until the block ends."""
    hub = LocalHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def say(self, value: Any, status: int = 200, **headers: str) -> None:
            self.answer(
                json.dumps(value).encode(), status, Content_Type="application/json", **headers
            )

        def nowhere(self) -> None:
            self.say({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            parts = urlsplit(self.path).path.strip("/").split("/")
            if (
                self.headers.get("Authorization") != "Bearer hf_right"
                and parts[1] != "validate-yaml"
            ):
                self.say({"error": "Invalid username or password."}, 401)
            elif parts[1:] == ["repos", "create"]:
                asked = json.loads(body)
                name = f"{asked['organization']}/{asked['name']}"
                hub.private.setdefault(name, asked["visibility"] == "private")
                hub.files.setdefault(name, {})
                self.say({"url": f"{hub.address}/{name}", "name": name})
            elif parts[1] == "validate-yaml":
                self.say({"errors": [], "warnings": []})
            elif parts[4] == "preupload":
                files = json.loads(body)["files"]
                modes = {"uploadMode": "regular", "shouldIgnore": False, "oid": None}
                self.say({"files": [{"path": file["path"]} | modes for file in files]})
            else:
                name = f"{parts[2]}/{parts[3]}"
                lines = [json.loads(line) for line in body.splitlines()]
                for line in (line["value"] for line in lines if line["key"] == "file"):
                    hub.files[name][line["path"]] = base64.b64decode(line["content"])
                commit = hub.commit(name)
                address = f"{hub.address}/{name}/commit/{commit}"
                self.say({"commitOid": commit, "commitUrl": address})

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            parts = unquote(urlsplit(self.path).path).strip("/").split("/")
            name = "/".join(parts[2:4] if parts[0] == "api" else parts[:2])
            if name not in hub.files:
                self.nowhere()
                return
            files, commit = hub.files[name], hub.commit(name)
            if parts[0] == "api" and parts[4] == "tree":
                rows = [(name, len(body), digest(body)) for name, body in files.items()]
                keys = ("path", "size", "oid")
                self.say([{"type": "file"} | dict(zip(keys, row, strict=True)) for row in rows])
            elif parts[0] == "api":
                siblings = [{"rfilename": file} for file in sorted(files)]
                self.say({"id": name, "sha": commit, "siblings": siblings, "tags": []})
            else:
                body = files["/".join(parts[4:])]
                self.answer(body, ETag=f'"{digest(body)}"', X_Repo_Commit=commit)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def digest(body: bytes) -> str:
    """As git names a file."""
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


def sha256(body: bytes) -> str:
    """As a recommender names its files."""
    return hashlib.sha256(body).hexdigest()
