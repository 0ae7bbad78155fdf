"""A real receiver of OpenLineage events, which takes what the client's own classes, made from the standard's schemas, can hold, and nothing else."""

import json
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Union, get_args, get_origin

import attr
from openlineage.client import generated
from openlineage.client.event_v2 import RunEvent

FACETS = {
    "run": {"processing_engine", "parent", "nominalTime", "errorMessage", "tags"},
    "job": {"jobType", "documentation", "ownership"},
    "dataset": {"schema", "documentation", "storage", "version", "columnLineage", "ownership"},
    "input": {"dataQualityAssertions"},
    "output": {"outputStatistics"},
}
"""The standard's keys of those facets that are sent."""
_MODULES = [import_module(f"{generated.__name__}.{module.name}") for module in iter_modules(generated.__path__)]
_BY_SCHEMA = {
    found._get_schema(): found for module in _MODULES for found in vars(module).values() if attr.has(found) and hasattr(found, "_get_schema")
}


def read(event: dict[str, Any]) -> RunEvent:
    """Read an event; raise an error where a field is missing, is of another type, or is none of the standard's."""
    for part, owner in (("run", event["run"]), ("job", event["job"])):
        assert set(owner["facets"]) <= FACETS[part], owner["facets"].keys()
    for dataset in [*event["inputs"], *event["outputs"]]:
        assert set(dataset.get("facets", {})) <= FACETS["dataset"], dataset["facets"].keys()
        assert set(dataset.get("inputFacets", {})) <= FACETS["input"]
        assert set(dataset.get("outputFacets", {})) <= FACETS["output"]
    return _of(RunEvent, event)


def _of(kind: Any, value: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if value is None or kind is Any:
        found = value
    elif origin in {types.UnionType, Union}:
        [inner] = [argument for argument in arguments if argument is not type(None)]
        found = _of(inner, value)
    elif origin in {list, dict}:
        assert isinstance(value, origin), f"{value!r} is no {kind}"
        found = [_of(arguments[0], one) for one in value] if origin is list else {key: _of(arguments[1], one) for key, one in value.items()}
    elif attr.has(kind):
        found = _of_class(kind, value)
    elif issubclass(kind, Enum):
        found = kind(value)
    else:
        assert isinstance(value, kind), f"{value!r} is no {kind.__name__}"
        found = value
    return found


def _of_class(kind: Any, value: dict[str, Any]) -> Any:
    kind = _BY_SCHEMA.get(value.get("_schemaURL"), kind)
    attr.resolve_types(kind)
    fields = {field.name: field for field in attr.fields(kind)}
    assert set(value) <= set(fields), f"{kind.__name__} has no {set(value) - set(fields)}"
    given = {fields[name].alias: _of(fields[name].type, one) for name, one in value.items() if fields[name].init}
    return kind(**given)


class Receiver:
    """What a receiver was sent, and how it answers."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.asked = 0
        self.answers: list[int] = []
        """Status of the next answers; 201 where there is none."""
        self.address = ""

    @property
    def ids(self) -> list[tuple[str, str]]:
        """Run and type of each event."""
        return [(event["run"]["runId"], event["eventType"]) for event in self.events]


@contextmanager
def receiver(port: int = 0) -> Iterator[Receiver]:
    """A receiver that listens until the end."""
    found, turn = Receiver(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with turn:
                found.asked += 1
                status = found.answers.pop(0) if found.answers else 201
                if status == 201:
                    assert self.path == "/api/v1/lineage", self.path
                    event = json.loads(body)
                    read(event)
                    found.events.append(event)
                    found.headers.append(dict(self.headers))
            said = b"" if status == 201 else b"no: key=hidden-key"
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            if status == 302:
                self.send_header("Location", "/sign-in")
            self.end_headers()
            self.wfile.write(said)

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Not into the tests' output."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        found.address = f"http://127.0.0.1:{server.server_address[1]}"
        yield found
        server.shutdown()
