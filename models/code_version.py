"""Version of the training path: changes when a source file or a setting that decides what is learned changes, and only then."""

import hashlib
import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

from models.training import TrainingSpec

_ROOT = Path(__file__).resolve().parent.parent
# Modules of `models` itself that are no part of what is learned: how results are stored, judged and shown.
_ASIDE = {
    *("ab_test.py", "artifacts.py", "code_version.py", "comparison.py", "contributions.py", "costs.py", "drift.py", "drift_effect.py"),
    *("drift_page.py", "failover.py", "ladder.py", "leaderboard.py"),
    *("leaderboard_plot.py", "money.py", "oracle.py", "plots.py", "reliability.py", "reproduction.py", "rolling.py", "scoring.py"),
    *("trial.py", "trial_plot.py", "validation.py", "weather_value.py"),
}
_TRANSFORMS = (
    *("censoring", "clusters", "features", "frame", "late_returns", "learned_demand", "levels", "occasions", "origins", "panel", "recency"),
    *("structural", "whole_cases"),
)


def code_version(spec: TrainingSpec) -> str:
    """The code's and the spec's digits, joined by a hyphen: what was told to the code (members, settings, clusters, horizons) counts as much."""
    told = json.dumps(asdict(spec), sort_keys=True)
    return f"{_code_digits(spec.members)}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"


@lru_cache
def _code_digits(members: tuple[str, ...]) -> str:
    """SHA-256, shortened to 12 digits, over the modules of members, ensembles, features and panel.

    A promoted member counts where it is one of `members`: until then it changes nothing that is learned.
    """
    aside = {_ROOT / "models" / name for name in _ASIDE}
    files = [path for path in (_ROOT / "models").rglob("*.py") if path not in aside]
    files = [path for path in files if path.parent.name != "promoted" or path.stem in {"__init__", *members}]
    files += [_ROOT / "transforms" / f"{name}.py" for name in _TRANSFORMS]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
