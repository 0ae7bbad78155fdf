"""What the first person would wait for, done while the process starts: files are opened, and the overview's questions answered."""

from contextlib import suppress

from dashboard.queries import health, monitoring, overview, scoring
from dashboard.queries.reader import Reader, reader_of
from transforms.errors import ShelfcastError
from transforms.lake.tables import Lake


def ask_ahead(lake: Lake) -> None:
    """Ask what pages ask first, and keep the answers. What is wrong with the lake, the pages say themselves."""
    with suppress(ShelfcastError):
        _ask(reader_of(lake))


def _ask(reader: Reader) -> None:
    week, span = overview.this_week(reader), overview.settled(reader)
    if week is None:
        return
    overview.plans(reader, week)
    overview.lower_rungs(reader, week)
    if span is not None:
        overview.errors(reader, span)
        overview.money(reader, span)
    overview.error_trend(reader)
    overview.units_trend(reader)
    health.model_errors(reader)
    scoring.forecast_regions(reader)
    monitoring.newest_origin(reader)
