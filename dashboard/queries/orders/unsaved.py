"""What planners have entered and not saved yet: kept in a file for each person, whatever becomes of their browser, a page or this process."""

import hashlib
import json
import logging
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from transforms.calendar import Region, Week
from transforms.errors import ConfigurationError
from transforms.lake.tables import Lake
from transforms.orders.record import Change

_LOG = logging.getLogger("shelfcast.pages")
_KEPT = timedelta(weeks=8)
"""After its week an edit that was never saved is of no use to anybody."""
_TABS = 100
_turn = threading.Lock()
_Week = tuple[str, str]


class Unsaved:
    """One person's unsaved edits of a lake, all pages and browsers of theirs together.

    Parameters
    ----------
    person
        Their name, which the file's name hides.
    """

    def __init__(self, lake: Lake, person: str) -> None:
        self._person = person
        self._file = lake.path("unsaved", f"{hashlib.sha256(person.encode()).hexdigest()[:32]}.json")

    def of(self, region: Region, target: Week, store: str) -> dict[str, Change]:
        """What is wanted in a store, by product."""
        found = [Change(**line["change"]) for line in self._read()["lines"] if _week(line) == (str(region), str(target))]
        return {change.product_id: change for change in found if change.store_id == store}

    def stores(self, region: Region, target: Week) -> dict[str, int]:
        """How many lines of each store of a region's week wait to be saved."""
        return Counter(line["change"]["store_id"] for line in self._read()["lines"] if _week(line) == (str(region), str(target)))

    def keep(self, region: Region, target: Week, changes: Sequence[Change], entered: tuple[str, int] | None = None) -> None:
        """Keep changes, each in place of an earlier one of its line; one that wants what is to be loaded anyway is none.

        Parameters
        ----------
        entered
            By which table of which page, and its number there: what is said a second time, since a page was cut off, is not taken twice.

        Raises
        ------
        ConfigurationError
            If the file cannot be written.
        """
        with _turn:
            kept = self._read()
            if entered is not None:
                page, number = entered
                if number <= kept["taken"].get(page, 0):
                    return
                kept["taken"] = dict([*((page_, n) for page_, n in kept["taken"].items() if page_ != page), entered][-_TABS:])
            self._write(kept, region, target, changes, [change for change in changes if change.quantity != change.seen])

    def drop(self, region: Region, target: Week, changes: Sequence[Change]) -> None:
        """Forget changes that were saved, or that nobody wants any more."""
        with _turn:
            self._write(self._read(), region, target, changes, [])

    def _read(self) -> dict[str, Any]:
        try:
            kept: dict[str, Any] = json.loads(self._file.read_text())
        except FileNotFoundError:
            pass
        except ValueError:
            # It is written as a whole: somebody has edited it.
            _LOG.warning("%s cannot be read, and what it held counts as dropped", self._file)
        else:
            return kept
        return {"person": self._person, "lines": [], "taken": {}}

    def _write(self, kept: dict[str, Any], region: Region, target: Week, replaced: Sequence[Change], changes: Sequence[Change]) -> None:
        of, gone = (str(region), str(target)), {(change.store_id, change.product_id) for change in replaced}
        oldest = str((datetime.now(UTC) - _KEPT).date())
        lines = [
            line
            for line in kept["lines"]
            if (_week(line) != of or (line["change"]["store_id"], line["change"]["product_id"]) not in gone) and line["kept_at"] >= oldest
        ]
        today = str(datetime.now(UTC).date())
        lines += [{"region": of[0], "target": of[1], "kept_at": today, "change": asdict(change)} for change in changes]
        fresh = self._file.with_suffix(".tmp")
        try:
            self._file.parent.mkdir(exist_ok=True)
            fresh.write_text(json.dumps({**kept, "lines": lines}))
            fresh.replace(self._file)
        except OSError as error:
            raise ConfigurationError(
                f"What was entered cannot be kept in {self._file.parent}: {error.strerror}. Tell an operator, and enter it again afterwards."
            ) from error


def units_wanted(basket: Mapping[str, Change]) -> dict[str, int]:
    """Units wanted, by product."""
    return {product: change.quantity for product, change in basket.items() if change.quantity is not None}


def _week(line: dict[str, Any]) -> _Week:
    return line["region"], line["target"]
