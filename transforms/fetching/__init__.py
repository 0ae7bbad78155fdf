"""Sources that are fetched into landing, from where all goes on as for any file: queries on a database as Parquet, objects of a store byte for byte.

What the rows mean is for the adapters to say, and what becomes of a file for landing.
"""

from transforms.fetching.everything import fetch, has_fetched_sources
from transforms.fetching.outcome import Fetched

__all__ = ["Fetched", "fetch", "has_fetched_sources"]
