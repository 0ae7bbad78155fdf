"""Calendars of providers whose weeks have numbers of their own (retail 4-5-4, `2024-P03-W2`): CSV files in the landing folder.

Which Monday a period belongs to is `moments`' to say.
"""

import csv
import hashlib
import os
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path, PurePosixPath

import pyarrow as pa

from transforms.adapters.spec import FileSpec
from transforms.errors import LandingFileRefused

MAX_BYTES = 4 << 20
"""Size of a calendar: ten centuries of weeks take 2 MB."""
_WEEK = timedelta(days=7)


def calendars_of(specs: Iterable[FileSpec]) -> list[str]:
    """Paths of the calendars that mappings name, relative to the landing folder."""
    return sorted({column.calendar for spec in specs for column in spec.columns.values() if column.calendar is not None})


def table_name(calendar: str) -> str:
    """Name of a calendar's table in the database that reads a file."""
    return f"calendar_{hashlib.sha256(calendar.encode()).hexdigest()[:16]}"


def first_day(text: str, calendar: str) -> str:
    """SQL of the first day of a period as a timestamp; null where the calendar does not hold it."""
    return f"(select c.first_day::timestamp from {table_name(calendar)} as c where c.period = {text})"


def landing_folder(path: Path, name: str) -> Path:
    """The landing folder of a file that is called `name` there."""
    return path.parents[len(PurePosixPath(name).parts) - 1]


def fingerprint(top: Path, calendars: Iterable[str]) -> str:
    """What stands in these calendars: files are read again when it changes. Empty where there are none."""
    return "".join(hashlib.sha256(_bytes(top, calendar) or b"").hexdigest() for calendar in calendars)


def read_calendar(top: Path, calendar: str, name: str) -> pa.Table:
    """Periods with their first days.

    Raises
    ------
    LandingFileRefused
        If there is no such calendar in the landing folder, or its periods are no weeks; `name` is the file that needs it.
    """
    where = f"{name}: the calendar {calendar}"
    content = _bytes(top, calendar)
    if content is None:
        raise LandingFileRefused(f"{where} is not in the landing folder, or larger than {MAX_BYTES >> 20} MiB. Put it there, or correct 'calendar'.")
    try:
        rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines(), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise LandingFileRefused(f"{where} cannot be read as CSV in UTF-8: {error}. Save it as that.") from error
    found: dict[str, date] = {}
    for number, row in enumerate(rows, start=1):
        period, first = (row.get("period") or "").strip(), (row.get("first_day") or "").strip()
        try:
            day = date.fromisoformat(first)
        except ValueError:
            day = None
        if not period or day is None or found.setdefault(period, day) != day:
            raise LandingFileRefused(
                f"{where}, row {number}: expected a period and its first_day as YYYY-MM-DD, each period once, came {period!r} and {first!r}. "
                "Correct the row."
            )
    days = sorted({*found.values()})
    lengths = [later - earlier for earlier, later in pairwise(days)]
    if not days or len(days) != len(found) or any(length < _WEEK for length in lengths):
        raise LandingFileRefused(
            f"{where}: expected periods that begin at least a week apart, came {len(found)} periods with {len(days)} first days. Correct them."
        )
    if lengths and min(lengths) > _WEEK:
        raise LandingFileRefused(f"{where}: expected weeks, came periods of {lengths[0].days} days. Give the first day of each week of theirs.")
    return pa.table({"period": list(found), "first_day": pa.array(found.values(), pa.date32())})


def _bytes(top: Path, calendar: str) -> bytes | None:
    """Content of a calendar; None where there is none within the landing folder."""
    path = top / calendar
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(top)) or not path.is_file() or path.stat().st_size > MAX_BYTES:
        return None
    return path.read_bytes()
