"""Messages in words: plain text, and HTML for mails. File names, reasons and the like are whoever wrote them's: they stay texts, and link nowhere."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from urllib.parse import urlsplit

from orchestration.alerts.alert import Item
from orchestration.alerts.delivery import Message, Urgency
from orchestration.alerts.due import Due
from transforms.printing import MOVING

_MOST_ITEMS = 20
_LONGEST = 400
_TAKEN_FOR_MORE = re.compile(r"(?<=[<@])|(?<=:)(?=//)|(?<=www)(?=\.)|(?<=\])(?=\()", re.IGNORECASE)
"""Where chat services and mail programs make a link, a picture or a call to everybody out of a text."""
_WORDS = {"opened": "", "grew": "More of ", "reminded": "Still: ", "recovered": "Over: "}
_URGENCY: dict[str, Urgency] = {"info": "info", "warning": "warning", "critical": "failure"}
_WHY = {
    "opened": "It is told once, and once more when it is over.",
    "grew": "What is new stands first.",
    "reminded": "It has been told before and is open still.",
    "recovered": "Nothing of it is left.",
}


@dataclass(frozen=True, slots=True)
class Lake:
    """What a message says of where it is from: the company's name, the lake's root, and the address of the UI, empty where none is known."""

    company: str
    root: str
    ui: str = ""

    def link(self, page: str) -> str:
        """Where a page is found."""
        return f"{self.ui}{page}" if self.ui else f"{page} of the UI (shelfcast ui --address)"


def ui_address(trusted_proxy: str, reports_url: str) -> str:
    """Address of the UI as the settings know it: the team's proxy, or the server on which the reports' links begin; empty where neither is said."""
    if trusted_proxy:
        return trusted_proxy.rstrip("/")
    found = urlsplit(reports_url)
    return f"{found.scheme}://{found.netloc}{found.path.removesuffix('/').removesuffix('/reports')}" if found.scheme in {"http", "https"} else ""


def of_alert(message: Due, lake: Lake) -> Message:
    """The message on an alert."""
    alert, state = message.alert, message.state
    name = alert.what if state == "recovered" else alert.title
    items = sorted(alert.items, key=lambda item: item.key not in message.new)
    since = [f"Open since {moment(message.since)}."] if message.since and state in {"grew", "reminded", "recovered"} else []
    happened = "It is told once." if alert.happened else _WHY[state]
    return compose(
        f"{_WORDS[state]}{name}",
        [" ".join([happened, *since])],
        [_told(item, message) for item in items],
        [alert.advice] if alert.advice and state != "recovered" else [],
        alert.page,
        lake,
        "success" if state == "recovered" else _URGENCY[alert.severity],
    )


def of_trial(rule: str, lake: Lake) -> Message:
    """A message that shows that a rule's address works."""
    text = f"The rule {rule} of the project file reaches this address. Nothing is wrong: somebody asked for this by 'shelfcast alerts test'."
    return compose(f"Test of the rule {rule}", [text], [], [], "/pages/monitoring", lake, "info")


def compose(title: str, lead: Sequence[str], items: Sequence[str], advice: Sequence[str], page: str, lake: Lake, urgency: Urgency) -> Message:
    """A message of sentences, a list, advice, and where to look; all texts may be foreign."""
    heading = foreign(f"Shelfcast {lake.company}: {title}")
    shown = [foreign(item) for item in items[:_MOST_ITEMS]]
    if len(items) > _MOST_ITEMS:
        shown.append(f"and {len(items) - _MOST_ITEMS} more")
    before, after = [foreign(line) for line in lead], [foreign(line) for line in advice]
    where = lake.link(page)
    foot = f"Lake: {lake.root}"
    text = "\n".join([*before, "", *(f"- {item}" for item in shown), *([""] if shown else []), *after, f"Look: {where}", foot])
    anchor = f'<a href="{escape(where)}">{escape(where)}</a>' if lake.ui else escape(where)
    listed = f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in shown)}</ul>" if shown else ""
    html = "".join(
        [
            f"<h3>{escape(heading)}</h3>",
            *(f"<p>{escape(line)}</p>" for line in before),
            listed,
            *(f"<p>{escape(line)}</p>" for line in after),
            f"<p>Look: {anchor}</p><p>{escape(foot)}</p>",
        ]
    )
    return Message(heading, text, html, urgency)


def foreign(text: str) -> str:
    """A text in one line, cut to what is read, that nobody makes a link, a picture or a call to everybody of."""
    line = " ".join(MOVING.sub(" ", text).split())
    return _TAKEN_FOR_MORE.sub("\N{WORD JOINER}", line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…")


def moment(at: datetime) -> str:
    """2024-07-08 06:12 UTC."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _told(item: Item, message: Due) -> str:
    """An item as it is listed: by its sentence, with its key where that does not say it."""
    text = item.text if item.key in item.text or item.regions else f"{item.key}: {item.text}"
    return f"new: {text}" if message.state == "grew" and item.key in message.new else text
