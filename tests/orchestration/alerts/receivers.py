"""Real receivers on this machine: a mail server and a webhook, which keep what they got and may be told to refuse."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.orchestration.waiting import free_port


@dataclass
class MailServer:
    """An SMTP server: `mails` as they came, each with its recipients in `recipients`."""

    port: int = 0
    refuse: str = ""
    login: tuple[str, str] | None = None
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    peers: int = 0

    @property
    def subjects(self) -> list[str]:
        return [str(mail["subject"]) for mail in self.mails]

    def address(self, login: str = "") -> str:
        return f"mailto://{login}127.0.0.1:{self.port}?from=shelfcast@example.com&to=ops@example.com&mode=insecure"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refuse:
            return self.refuse
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 OK"

    def authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        good = self.login is not None and (data.login.decode(), data.password.decode()) == self.login
        return AuthResult(success=good, handled=False, message=None if good else f"535 no such user {data.login.decode()}")


@contextmanager
def mail_server(login: tuple[str, str] | None = None) -> Iterator[MailServer]:
    """A server at a port of its own until the end."""
    server = MailServer(login=login)
    options: dict[str, Any] = {} if login is None else {"authenticator": server.authenticate, "auth_required": True, "auth_require_tls": False}
    server.port = free_port()
    controller = Controller(server, hostname="127.0.0.1", port=server.port, **options)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


@dataclass
class Hook:
    """A webhook: what was posted, as JSON, and every request's line."""

    port: int = 0
    status: int = 200
    location: str = ""
    before_answering: Callable[[], object] | None = None
    posted: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.port}/hook"

    @property
    def titles(self) -> list[str]:
        return [str(one["title"]) for one in self.posted]


@contextmanager
def webhook() -> Iterator[Hook]:
    """A server at a port of its own until the end."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            hook.asked.append(f"POST {self.path}")
            if hook.status == 200:
                hook.posted.append(json.loads(body))
            if hook.before_answering:
                hook.before_answering()
            self._answer()

        def do_GET(self) -> None:
            hook.asked.append(f"GET {self.path}")
            self._answer()

        def _answer(self) -> None:
            self.send_response(hook.status)
            if hook.location:
                self.send_header("location", hook.location)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
