"""Fixtures of tests of queries."""

from collections.abc import Callable

import pytest

from tests.dashboard.lakes import put

Fill = Callable[..., None]


@pytest.fixture(scope="session")
def fill() -> Fill:
    """Puts rows into a table of a lake."""
    return put
