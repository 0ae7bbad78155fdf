"""Which past versions of the lake's tables the record names: what has to stay readable for good, whatever its age.

A version of the data names the tables that hold it, a model those that it was trained on; of bronze, whose versions nobody names, a trace reads what
stood when a version of the data was recorded. Who removes files of other versions is `transforms.lake.maintenance`.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime

from transforms.contracts import SOURCES
from transforms.contracts.life_cycle import MODEL_VERSIONS
from transforms.errors import AuditFailed
from transforms.lake.tables import Lake
from transforms.records.dataset_versions import log


def named_versions(lake: Lake) -> dict[str, set[int]]:
    """Versions of each table that a version of the data or a model names.

    Raises
    ------
    AuditFailed
        If a model's record of its data cannot be read: what it names is not known then, and nothing may be removed.
    """
    named: dict[str, set[int]] = {}
    datasets = log(lake)
    pins: list[Mapping[str, int]] = [dataset.delta_versions for dataset in datasets]
    if lake.exists(MODEL_VERSIONS.name):
        rows = lake.read(MODEL_VERSIONS.name, columns="distinct model_version, data_versions").to_pylist()
        pins += [_pins(row["model_version"], row["data_versions"]) for row in rows]
    for each in pins:
        for table, version in each.items():
            named.setdefault(table, set()).add(version)
    moments = {dataset.recorded_at for dataset in datasets}
    for source in SOURCES:
        table = f"bronze/{source}"
        if moments and lake.exists(table):
            named.setdefault(table, set()).update(_standing(lake, table, moments))
    return named


def _standing(lake: Lake, table: str, moments: Iterable[datetime]) -> set[int]:
    """Versions that `Lake.as_of` finds for the moments, with one look at the table's history."""
    commits = [(commit["version"], commit["timestamp"]) for commit in lake.history(table, None)]
    found = (max((version for version, at in commits if at <= moment.timestamp() * 1000), default=None) for moment in moments)
    return {version for version in found if version is not None}


def _pins(model: str, recorded: str) -> dict[str, int]:
    try:
        pins = json.loads(recorded)
    except ValueError:
        pins = None
    if not isinstance(pins, dict) or not all(isinstance(version, int) for version in pins.values()):
        raise AuditFailed(
            f"Model {model}: expected a JSON object of tables and their versions as its data_versions, came {recorded[:60]!r}. Nothing was removed: "
            "'shelfcast audit verify' tells whether the record is as it was written."
        )
    return pins
