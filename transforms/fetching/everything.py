"""All that a provider's sources are fetched from, one after the other and never twice at once."""

from collections.abc import Callable
from datetime import date

from transforms.adapters import ProviderSpec
from transforms.fetching.objects import fetch_objects
from transforms.fetching.outcome import Fetched
from transforms.fetching.snapshots import fetch_queries
from transforms.lake.lease import turn
from transforms.lake.remote.working_copy import pulled, push
from transforms.lake.tables import Lake
from transforms.landing import folder, refuse_borrowed


def has_fetched_sources(provider: ProviderSpec) -> bool:
    """True where some of the provider's sources are queries, or objects in a store."""
    return any(provider.is_fetched(spec) for specs in provider.sources.values() for spec in specs)


def fetch(lake: Lake, provider: ProviderSpec, value_of: Callable[[str], str], today: date, progress: Callable[[str], None]) -> Fetched:
    """Fetch the provider's queries and objects into landing; what cannot be fetched stays as it stands there.

    Parameters
    ----------
    value_of
        Finds what a variable of the environment holds, and an empty text where it is not set; raises `ConfigurationError` where it cannot be read.
    today
        Of a query by week, weeks that end later are not asked for.

    Raises
    ------
    ConfigurationError
        If the landing folder is another lake's.
    """
    found = Fetched()
    if not has_fetched_sources(provider):
        return found
    refuse_borrowed(lake)
    with turn(lake, "fetching"):
        pulled(lake, "landing")
        try:
            fetch_queries(lake, provider, value_of, today, progress, found)
            fetch_objects(lake, provider, value_of, progress, found)
        finally:
            push(lake, folder(lake, provider), *lake.path("landing").glob(".fetched-*.json"))
    return found
