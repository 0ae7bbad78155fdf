"""What the events of a step tell beside its end: versions and column lineage of the assets that it made, and how its checks came out."""

from dataclasses import dataclass, field, replace

import dagster as dg

from orchestration.telemetry.told import Checked, Columns

_VERSION, _LINEAGE = "delta_version", "dagster/column_lineage"


@dataclass
class Details:
    """What the events of a step told of its assets, each by its name."""

    versions: dict[str, int] = field(default_factory=dict)
    columns: dict[str, Columns] = field(default_factory=dict)
    _checked: dict[tuple[str, str], Checked] = field(default_factory=dict)

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
        """Take in how a check came out, of one slice or of all: one that failed anywhere has failed, and its first failure tells why."""
        of = ("/".join(check.asset_key.path), check.check_name)
        before = self._checked.get(of)
        failed = (before.failed if before else 0) + (not check.passed)
        first = before if before is not None and (not before.passed or check.passed) else Checked(*of, check.severity.value, check.description)
        self._checked[of] = replace(first, failed=failed, evaluated=(before.evaluated if before else 0) + 1)

    @property
    def checked(self) -> list[Checked]:
        """Checks as they came out."""
        return [*self._checked.values()]
