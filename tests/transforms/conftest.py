"""What tests of landing share."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from transforms.adapters import ProviderSpec
from transforms.calendar import blocks_of
from transforms.lake.tables import Lake
from transforms.landing import Registration, conditioning, finish, ingest, ingest_reference, pending, register

TakeIn = Callable[[Lake, ProviderSpec], Registration]


@pytest.fixture
def take_in() -> TakeIn:
    """Take in what is pending, an hour later each time, and put on record that it was conditioned; tests of the dbt project condition."""
    hours = (datetime(2022, 5, 18, tzinfo=UTC) + timedelta(hours=n) for n in count())

    def take_in(lake: Lake, provider: ProviderSpec) -> Registration:
        found = register(lake, provider, next(hours))
        ingest_reference(lake, provider)
        blocks = blocks_of(pending(lake, provider))
        ingest(lake, provider, blocks)
        for block in blocks:
            with conditioning(lake, block):
                pass
            finish(lake, block)
        return found

    return take_in
