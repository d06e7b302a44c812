"""A web server on this machine for tests, with or without TLS: it answers as told and keeps what it was sent."""

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from conftest import needs_program


@dataclass
class Sent:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Web:
    """What a server was sent, and what it answers: each status once, the last one from then on."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [204])
    headers: dict[str, str] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    connections: int = 0
    ended: int = 0
    before: Callable[[], object] = lambda: None
    """Called before each answer."""


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Web]:
    """A server at a free port; with a certificate (and its key in the same file) by TLS."""
    web = Web()

    class Answers(BaseHTTPRequestHandler):
        def setup(self) -> None:
            web.connections += 1
            super().setup()

        def finish(self) -> None:
            super().finish()
            web.ended += 1

        def do_POST(self) -> None:  # noqa: N802
            body = self.rfile.read(int(self.headers["Content-Length"]))
            web.sent.append(Sent(self.path, dict(self.headers), body))
            web.before()
            self.send_response(web.answers.pop(0) if len(web.answers) > 1 else web.answers[0])
            for name, value in web.headers.items():
                self.send_header(name, value)
            self.end_headers()

        do_GET = do_POST  # noqa: N815

        def log_message(self, format: str, *given: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that go away are part of a test."""

    server = Server(("127.0.0.1", 0), Answers)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    web.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()


def self_signed(folder: Path, names: Sequence[str] = ("IP:127.0.0.1",)) -> Path:
    """A certificate for these names, and its key, in one file."""
    file = folder / "certificate.pem"
    command = [
        needs_program("openssl"),
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=test",
    ]
    command += ["-addext", f"subjectAltName={','.join(names)}", "-keyout", str(file), "-out", f"{file}.crt"]
    subprocess.run(command, check=True, capture_output=True)
    with file.open("a") as both:
        both.write(Path(f"{file}.crt").read_text())
    return file
