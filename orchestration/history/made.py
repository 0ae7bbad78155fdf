"""What the events of a step tell beside its end: versions and column lineage of the assets that it made, and how its checks came out."""

from dataclasses import dataclass, field

import dagster as dg

from orchestration.telemetry.told import Checked, Columns

_VERSION, _LINEAGE = "delta_version", "dagster/column_lineage"
_MOST_CHECKS = 1_000
"""Checks of a step that are kept: a range over very many slices may check each of them."""


@dataclass
class Details:
    """What the events of a step told of its assets, each by its name."""

    versions: dict[str, int] = field(default_factory=dict)
    columns: dict[str, Columns] = field(default_factory=dict)
    checked: list[Checked] = field(default_factory=list)

    def see_made(self, made: dg.AssetMaterialization) -> None:
        """Take in that an asset was made. Slices of one come one by one: the last tells the version that holds all, each the same lineage."""
        name = "/".join(made.asset_key.path)
        version = made.metadata[_VERSION].value if _VERSION in made.metadata else None
        if isinstance(version, int):
            self.versions[name] = version
        lineage = made.metadata[_LINEAGE].value if _LINEAGE in made.metadata and name not in self.columns else None
        if isinstance(lineage, dg.TableColumnLineage):
            deps = lineage.deps_by_column.items()
            self.columns[name] = {column: [("/".join(dep.asset_key.path), dep.column_name) for dep in sources] for column, sources in deps}

    def see_checked(self, check: dg.AssetCheckEvaluation) -> None:
        """Take in how a check came out."""
        if len(self.checked) < _MOST_CHECKS:
            name = "/".join(check.asset_key.path)
            self.checked.append(Checked(name, check.check_name, check.passed, check.severity.value, check.description))
