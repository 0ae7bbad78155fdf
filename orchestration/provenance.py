"""Where a model comes from beside its data: the commit of the code, and the versions of what computed it. Recorded with each model."""

import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from orchestration.settings import CHECKOUT, settings

UNKNOWN = "unknown"
LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "duckdb", "pyarrow", "deltalake")
"""What the parameters of a model depend on beside data, settings and code."""


@lru_cache(maxsize=1)
def source_commit() -> str:
    """Git commit of the code that runs.

    `SHELFCAST_COMMIT`, which an image is built with, else the checkout's commit, with `-dirty` where tracked files differ from it; `unknown` when the
    code is neither.
    """
    if settings().commit:
        return settings().commit
    # A package that was installed below somebody else's checkout is not that checkout's code.
    return commit_of(CHECKOUT) if _git(CHECKOUT, "rev-parse", "--show-toplevel") == str(CHECKOUT) else UNKNOWN


def commit_of(folder: Path) -> str:
    """Git commit of the checkout that a folder lies in, with `-dirty` where tracked files differ from it; `unknown` where it lies in none."""
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return UNKNOWN
    return f"{commit}-dirty" if _git(folder, "status", "--porcelain", "--untracked-files=no") else commit


@lru_cache(maxsize=1)
def environment() -> dict[str, str]:
    """Versions of shelfcast, Python and the libraries that learn, and the kind of machine."""
    names = ("shelfcast", *LIBRARIES)
    return {"python": platform.python_version(), "machine": platform.machine(), **{name: _version(name) for name in names}}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return UNKNOWN


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
