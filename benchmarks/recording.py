"""Where measurements go: one JSON object each, appended to `benchmarks/results.jsonl`, with the command and the versions that they were made with."""

import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).with_name("results.jsonl")
_PACKAGES = ("duckdb", "deltalake", "dbt-core", "torch", "scikit-learn", "lightgbm", "statsforecast")


def record(rows: Sequence[dict[str, object]], command: str) -> None:
    """Append rows of name, value, unit, peer, peer_value."""
    about = {"command": command, "python": platform.python_version(), "versions": {name: version(name) for name in _PACKAGES}}
    with RESULTS.open("a") as results:
        results.writelines(json.dumps({**row, **about}) + "\n" for row in rows)
