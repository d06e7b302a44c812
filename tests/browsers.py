"""Real browsers in the home of a test, and pages on loopback that know who came."""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from conftest import needs_program
from ports import free_port
from waiting import WAIT_S, until


class Pages:
    """/NAME is a page with that title, /to/NAME leads there, /frame/NAME has it in a frame."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[str] = []

    def __call__(self, path: str, host: str = "localhost") -> str:
        """The address of a page, on a loopback host."""
        return f"http://{host}:{self.port}/{path}"

    def until_shown(self, name: str) -> None:
        """Wait for a browser that has shown a page."""
        until(f"the page {name}", lambda: f"shown/{name}" in self.asked)


@contextmanager
def pages() -> Iterator[Pages]:
    """Serve pages."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0].strip("/")
            kind, _, name = path.rpartition("/")
            served.asked.append(path)
            self.send_response(302 if kind == "to" else 200)
            if kind == "to":
                self.send_header("Location", f"/{name}")
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            frame = f"<iframe src=/{name}-inside></iframe>" if kind == "frame" else ""
            script = f"<script>fetch('/shown/{name}')</script>"
            self.wfile.write(f"<title>{name}</title>{frame}{script}".encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Pages(server.server_port)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _running(command: list[str], home: Path) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=os.environ | {"HOME": str(home)}, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(WAIT_S)
        finally:
            process.kill()


@contextmanager
def chromium(home: Path, *words: str, screen: bool = False) -> Iterator[Callable[[str], None]]:
    """Run a Chromium, on DISPLAY if `screen` is set; yield a function that visits an address in a new tab."""
    data = home / ".config/chromium"
    port_file = data / "DevToolsActivePort"
    port_file.unlink(missing_ok=True)
    command = [needs_program("chromium"), "--no-sandbox", "--no-first-run", *["--headless=new"] * (not screen)]
    with _running([*command, f"--user-data-dir={data}", "--remote-debugging-port=0", *words], home):
        port = until("Chromium's port", lambda: port_file.exists() and port_file.read_text().split("\n")[0])

        def visit(url: str) -> None:
            with urlopen(Request(f"http://127.0.0.1:{port}/json/new?{url}", method="PUT"), timeout=WAIT_S) as answer:
                assert answer.status == 200

        yield visit


@contextmanager
def firefox(home: Path, *words: str) -> Iterator[Callable[[str], None]]:
    """Run a Firefox; yield a function that visits an address in its tab."""
    profile = home / ".mozilla/firefox/test.default"
    profile.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (profile / "user.js").write_text(f'user_pref("marionette.port", {port});\n')
    command = [needs_program("firefox-esr"), "--headless", "--marionette", "--profile", str(profile)]
    with _running([*command, *words], home), until("Firefox's port", lambda: _connected(port)) as connection:
        said = connection.makefile("rb")
        _answer(said)
        _ask(connection, said, "WebDriver:NewSession", {})
        yield lambda url: _ask(connection, said, "WebDriver:Navigate", {"url": url})


def _connected(port: int) -> socket.socket | None:
    with suppress(ConnectionRefusedError):
        return socket.create_connection(("127.0.0.1", port), WAIT_S)
    return None


def _ask(connection: socket.socket, said: Any, name: str, parameters: dict[str, Any]) -> None:
    message = json.dumps([0, 1, name, parameters])
    connection.sendall(f"{len(message)}:{message}".encode())
    assert _answer(said)[2] is None


def _answer(said: Any) -> Any:
    """A message of Marionette: its length, a colon, JSON."""
    digits = b""
    while (one := said.read(1)) != b":":
        digits += one
    return json.loads(said.read(int(digits)))
