"""A page without its data: what is missing and the one step that brings it, or what could not be read and who can help."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import streamlit as st

from dashboard.parts.numbers import dated
from dashboard.parts.words import plain
from transforms.errors import MissingData, ShelfcastError
from transforms.lake.tables import STORAGE_FAILED

_LOG = logging.getLogger("shelfcast.pages")
_STALE_DAYS = 14


def empty(what: str, step: str) -> None:
    """Say what is missing, and the one step that brings it."""
    st.info(f"**{what}** {step}")


def lead(sentence: str) -> None:
    """The page's answer, in words and one number, before all else."""
    st.markdown(f"<p class='lead'>{sentence}</p>", unsafe_allow_html=True)


@contextmanager
def guarded() -> Iterator[None]:
    """Show an error of the lake as a sentence. What nobody expected is a defect: its traceback goes to the log of the services."""
    try:
        yield
    except MissingData as error:
        st.info(str(error))
    except ShelfcastError as error:
        _say_unreadable(str(error))
    except STORAGE_FAILED as error:
        _LOG.error("a file or table could not be read or written", exc_info=error)
        named = error.filename if isinstance(error, OSError) and error.filename else "the lake"
        why = (error.strerror if isinstance(error, OSError) else None) or str(error).splitlines()[0]
        _say_unreadable(f"{named} cannot be read or written: {why}. What was entered and not saved is kept.")


def _say_unreadable(what: str) -> None:
    st.error(f"{plain(what)}\n\nSince {time.strftime('%H:%M')}. If it stays so: an operator finds what happened in services.log.")


def report_defect(error: Exception) -> bool:
    """Tell a person that a page failed, and put what happened on the log of the services."""
    _LOG.error("a page failed", exc_info=error)
    st.error(
        "This page could not be drawn, which is a defect of Shelfcast and not yours. What happened stands in services.log below the lake's root: "
        "an operator can read it there. Other pages are not touched by it."
    )
    return True


def freshness(newest: date | None, today: date) -> None:
    """A bar with the age of the data, where they are old."""
    if newest is not None and (age := (today - newest).days) > _STALE_DAYS:
        st.warning(
            f"The newest deliveries are of the week of {dated(newest)}, {age} days ago: all that follows is as of then.", icon=":material/history:"
        )
