"""Many people at the pages at once, without their browsers: sessions that say what a browser says to Streamlit and read all that it answers.

Twenty browsers on the machine of the server would be measured themselves. What a browser then does with an answer is `pages`'s to measure.
"""

import asyncio
import statistics
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.Selectbox_pb2 import Selectbox
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.page_server import PageServer

_PATIENCE_SECONDS = 120
_LARGEST_MESSAGE = 64 << 20
_ANSWER = "class='lead'"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody opens, and the picker that they then change."""

    page: str
    selection: dict[str, str]
    changes: str


@dataclass(slots=True)
class Seen:
    """One view: seconds until its answer came and until all of it had come."""

    answer: float = 0.0
    whole: float = 0.0
    pickers: dict[str, Selectbox] = field(default_factory=dict)
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Round:
    """What several people waited for at the same moment, and what it cost the process that draws pages, in CPU seconds a view."""

    views: Sequence[Seen]
    cpu: float

    @property
    def median(self) -> float:
        """Seconds until a view was whole, for half of them."""
        return statistics.median(view.whole for view in self.views)

    @property
    def slowest(self) -> float:
        """Seconds until the last view was whole."""
        return max(view.whole for view in self.views)

    @property
    def answer(self) -> float:
        """Seconds until the answer came, for half of them."""
        return statistics.median(view.answer for view in self.views)


def visited(server: PageServer, wishes: Sequence[Wish]) -> tuple[Round, Round]:
    """Let each open their page at the same moment, and once all are there change it at the same moment."""
    return asyncio.run(_visit(server, wishes))


async def _visit(server: PageServer, wishes: Sequence[Wish]) -> tuple[Round, Round]:
    sessions = await asyncio.gather(*(_connected(server) for _ in wishes))
    try:
        opened = await _round(server, [_asked(session, _message(wish)) for session, wish in zip(sessions, wishes, strict=True)])
        changes = [_changing(wish, view) for wish, view in zip(wishes, opened.views, strict=True)]
        changed = await _round(server, [_asked(session, change) for session, change in zip(sessions, changes, strict=True)])
    finally:
        await asyncio.gather(*(session.close() for session in sessions))
    return opened, changed


async def _connected(server: PageServer) -> ClientConnection:
    address = f"{server.origin.replace('http', 'ws', 1)}/pages/_stcore/stream"
    return await connect(address, additional_headers=server.sign_in, subprotocols=["streamlit"], max_size=_LARGEST_MESSAGE, proxy=None)  # type: ignore[list-item]


async def _round(server: PageServer, asked: Sequence[Coroutine[None, None, Seen]]) -> Round:
    before = server.cpu_seconds()
    views = await asyncio.gather(*asked)
    if failed := sum(view.failed for view in views):
        raise RuntimeError(f"{failed} of {len(views)} views came without an answer: what was measured is not the pages.")
    return Round(views, (server.cpu_seconds() - before) / len(views))


async def _asked(session: ClientConnection, message: BackMsg) -> Seen:
    """Say something and read until the page is whole."""
    seen, begun = Seen(), time.perf_counter()
    await session.send(message.SerializeToString())
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not seen.whole:
            said = ForwardMsg.FromString(await session.recv(decode=False))
            kind = said.WhichOneof("type")
            if kind == "delta":
                _note(seen, said.delta, time.perf_counter() - begun)
            # A script that starts again has not answered yet.
            elif kind == "script_finished" and said.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                seen.whole = time.perf_counter() - begun
    seen.failed = seen.failed or not seen.answer
    return seen


def _note(seen: Seen, delta: Delta, after: float) -> None:
    element = delta.new_element
    kind = element.WhichOneof("type")
    if kind == "markdown" and _ANSWER in element.markdown.body:
        seen.answer = seen.answer or after
    elif kind == "selectbox":
        seen.pickers[element.selectbox.label] = element.selectbox
    seen.failed = seen.failed or kind == "exception" or (kind == "alert" and element.alert.format == element.alert.ERROR)


def _changing(wish: Wish, view: Seen) -> BackMsg:
    """Choose the option after the one that is chosen, all else as it is."""
    message, picker = _message(wish), view.pickers[wish.changes]
    for one in view.pickers.values():
        state = message.rerun_script.widget_states.widgets.add(id=one.id)
        at = list(one.options).index(chosen(one))
        state.string_value = one.options[(at + (one.id == picker.id)) % len(one.options)]
    return message


def chosen(picker: Selectbox) -> str:
    """What a picker shows: what the page put there, else its default."""
    return str(picker.raw_value if picker.set_value else picker.options[picker.default])


def _message(wish: Wish) -> BackMsg:
    message = BackMsg()
    message.rerun_script.query_string = urlencode(wish.selection)
    message.rerun_script.page_name = wish.page
    message.rerun_script.context_info.locale = "en-US"
    return message
