"""Sources that are no files: the queries of a provider are snapshotted into landing as Parquet files, from where all goes on as for any file.

What the rows mean is for the adapters to say, and what becomes of a file for landing.
"""

from transforms.fetching.snapshots import Fetched, fetch, has_queries

__all__ = ["Fetched", "fetch", "has_queries"]
