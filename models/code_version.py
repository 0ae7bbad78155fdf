"""Version of the training path: changes when a source file that decides what is learned changes, and only then."""

import hashlib
from functools import lru_cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
# Not part of what is learned: how results are stored, judged and shown.
_ASIDE = {
    "artifacts.py",
    "code_version.py",
    "comparison.py",
    "drift.py",
    "failover.py",
    "plots.py",
    "scoring.py",
    "validation.py",
    "weather_value.py",
}


@lru_cache(maxsize=1)
def code_version() -> str:
    """SHA-256, shortened to 12 digits, over the modules of members, ensembles, features and panel."""
    files = [path for path in (_ROOT / "models").rglob("*.py") if path.name not in _ASIDE]
    files += [_ROOT / "transforms" / name for name in ("features.py", "frame.py", "panel.py")]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
