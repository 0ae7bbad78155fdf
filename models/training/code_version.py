"""Version of the training path: changes when a source file or a setting that decides what is learned changes, and only then."""

import hashlib
import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

from models.training.spec import TrainingSpec

_ROOT = Path(__file__).resolve().parents[2]
_LEARNED_BY = (
    *("transforms/clusters.py", "transforms/panel", "transforms/features"),
    *("models/support.py", "models/members", "models/promoted", "models/ensemble", "models/training", "models/evaluation/metrics.py"),
)
"""Rooms, and two modules, that decide what is learned. How results are judged, stored, served and shown is no part of it."""


def code_version(spec: TrainingSpec) -> str:
    """The code's and the spec's digits, joined by a hyphen: what was told to the code (members, settings, clusters, horizons) counts as much."""
    settings = json.dumps(asdict(spec), sort_keys=True)
    return f"{_code_digits(spec.members)}-{hashlib.sha256(settings.encode()).hexdigest()[:8]}"


@lru_cache
def _code_digits(members: tuple[str, ...]) -> str:
    """SHA-256, shortened to 12 digits, over the modules of members, ensembles, features and panel.

    A promoted member counts where it is one of `members`: until then it changes nothing that is learned.
    """
    places = [_ROOT / place for place in _LEARNED_BY]
    files = [path for place in places for path in (place.rglob("*.py") if place.is_dir() else [place])]
    files = [path for path in files if path.parent.name != "promoted" or path.stem in {"__init__", *members}]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
