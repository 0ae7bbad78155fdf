"""The dbt manifest that Dagster's definitions are made from, parsed again only when a file of the dbt project has changed."""

import hashlib
from functools import lru_cache
from pathlib import Path

from dagster_dbt import DbtProject

from orchestration.settings import DBT_PROJECT, commands_beside_interpreter

_SOURCES = ("dbt_project.yml", "profiles.yml", "macros", "models", "plugins", "tests", "seeds", "snapshots")


@lru_cache(maxsize=1)
def dbt_project() -> DbtProject:
    """Return the dbt project with a manifest that matches its files."""
    project = DbtProject(project_dir=DBT_PROJECT, profiles_dir=DBT_PROJECT)
    stamp = DBT_PROJECT / "target" / "manifest.sha256"
    digest = _fingerprint(DBT_PROJECT)
    if not project.manifest_path.exists() or not stamp.exists() or stamp.read_text() != digest:
        with commands_beside_interpreter():
            project.preparer.prepare(project)
        stamp.write_text(digest)
    return project


def _fingerprint(root: Path) -> str:
    digest = hashlib.sha256()
    for name in _SOURCES:
        top = root / name
        for path in sorted([top] if top.is_file() else top.rglob("*")):
            if path.is_file() and path.suffix in {".yml", ".yaml", ".sql", ".py", ".csv"}:
                digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()
