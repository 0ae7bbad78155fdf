"""Files of the dbt project, and where what dbt parsed of them is kept: for the code location, which has them parsed, and for dbt's own process."""

import hashlib
from importlib.metadata import version
from pathlib import Path

_SOURCES = ("dbt_project.yml", "profiles.yml", "macros", "models", "plugins", "tests", "seeds", "snapshots")
_PARSERS = ("dbt-core", "dbt-duckdb")


def place_of_parsed(project: Path) -> Path:
    """Where the manifest of the project's present files is kept in dbt's own form: one of other files has another name."""
    return project / "target" / f"parsed-{_fingerprint(project)}.msgpack"


def _fingerprint(project: Path) -> str:
    """Hash of all that a manifest is made from."""
    digest = hashlib.sha256("".join(f"{name} {version(name)}\0" for name in _PARSERS).encode())
    for name in _SOURCES:
        top = project / name
        for path in sorted([top] if top.is_file() else top.rglob("*")):
            if path.is_file() and path.suffix in {".yml", ".yaml", ".sql", ".py", ".csv"}:
                digest.update(f"{path.relative_to(project)}\0".encode() + path.read_bytes())
    return digest.hexdigest()
