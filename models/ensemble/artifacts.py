"""Model artifacts: arrays as safetensors and everything else as JSON in its header, one content-addressed file a model. Never pickle.

A file is named by the SHA-256 of its bytes, which are the same for the same parameters; loading verifies them.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from models.ensemble.baselines import HistoricalAverage
from models.ensemble.calibration import Calibration
from models.ensemble.ensemble import Ensemble, available_members, restored
from models.members.encoding import Encoder
from models.members.settings import Settings
from models.support import Support
from transforms.errors import ArtifactError

LAYOUTS = {"ensemble": 5, "baseline": 6}
"""Version of the layout of each kind; a file of another layout is refused rather than misread."""
SUFFIX = ".safetensors"
_LARGEST = 1 << 34
"""Bytes that one array of a model may take; the largest of two million series takes a twentieth."""
_AGAIN = "train its week again (shelfcast run --week WEEK --retrain)"


def save(model: Ensemble | HistoricalAverage, about: Mapping[str, Any], folder: Path) -> tuple[str, str]:
    """Write a model below `folder` in one step.

    Parameters
    ----------
    about
        What the manifest tells beside the model itself: segment, trained week, data versions, code version, features, metrics.

    Returns
    -------
    (str, str)
        File name and SHA-256 of its bytes.
    """
    from safetensors.numpy import save as to_bytes  # noqa: PLC0415

    arrays, described = _parts(model)
    manifest = json.dumps({"format": LAYOUTS[described["kind"]], **described, "about": dict(about)}, sort_keys=True)
    content = to_bytes({name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())}, metadata={"manifest": manifest})
    digest = hashlib.sha256(content).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{digest}{SUFFIX}"
    # Also where there is a file of that name: its bytes may be damaged.
    draft = folder / f".{digest}.part"
    draft.write_bytes(content)
    draft.replace(target)
    return target.name, digest


def fingerprint(model: Ensemble | HistoricalAverage) -> str:
    """SHA-256 of what was learned: every array with its name, type and shape, and what describes them. `about` has no part in it."""
    arrays, described = _parts(model)
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        values = np.ascontiguousarray(array)
        digest.update(f"\0{name} {values.dtype.str} {values.shape}\0".encode() + values.tobytes())
    return digest.hexdigest()


def load(path: Path, sha256: str) -> Ensemble | HistoricalAverage:
    """Read a model and verify it.

    Raises
    ------
    ArtifactError
        If the file is missing, its bytes are not those on record, its layout is unknown, or what it holds is no model.
    """
    from safetensors import SafetensorError  # noqa: PLC0415
    from safetensors.numpy import load as from_bytes  # noqa: PLC0415

    manifest, content = _verified(path, sha256)
    try:
        return _decoded(manifest, from_bytes(content))
    except (LookupError, RuntimeError, SafetensorError, ValueError) as error:
        raise _foreign(path, error) from error


def _decoded(manifest: Mapping[str, Any], arrays: Mapping[str, Any]) -> Ensemble | HistoricalAverage:
    """The model of a manifest and its arrays; arrays that are missing or do not fit each other raise what numpy and torch raise for them."""
    if manifest["kind"] == "baseline":
        keys, categories = (np.asarray(manifest[name], np.str_) for name in ("keys", "categories"))
        counts: dict[str, Any] = {name: arrays[name] for name in ("weeks", "starts", "at", "count", "usual", "rate")}
        return HistoricalAverage(keys=keys, categories=categories, support=_support(arrays), **counts)
    encoder = Encoder(tuple(manifest["names"]), arrays["mean"], arrays["scale"], {n: np.asarray(v, np.str_) for n, v in manifest["levels"].items()})
    settings = Settings(**manifest.get("settings", {}))
    states = {
        name: {key.removeprefix(f"{name}/"): array for key, array in arrays.items() if key.startswith(f"{name}/")} for name in manifest["members"]
    }
    support = _support(arrays)
    available = available_members()
    if unknown := sorted(set(states) - set(available)):
        raise ArtifactError(
            f"The model has members that this version does not have: {', '.join(unknown)}. Add them to models/promoted, or train again."
        )
    members = [restored(available[name], state, encoder, support, settings) for name, state in states.items()]
    calibration = Calibration(arrays["calibration/chance"], arrays["calibration/mean"])
    return Ensemble(encoder, support, members, arrays["size_weights"], arrays["chance_weights"], calibration, settings)


def manifest_of(path: Path, sha256: str) -> dict[str, Any]:
    """The manifest of a verified artifact."""
    return _verified(path, sha256)[0]


def _verified(path: Path, sha256: str) -> tuple[dict[str, Any], bytes]:
    if not path.exists():
        raise ArtifactError(f"Model artifact {path.name} is missing in {path.parent.name}: restore it from a backup, or {_AGAIN}.")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ArtifactError(
            f"Model artifact {path.name} is corrupt: expected SHA-256 {sha256[:12]}..., came {found[:12]}... Restore it from a backup, or {_AGAIN}."
        )
    length = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + length])
        manifest: dict[str, Any] = json.loads(header["__metadata__"]["manifest"])
        layout = LAYOUTS[manifest["kind"]]
        shapes = {name: tuple(told["shape"]) for name, told in header.items() if name != "__metadata__"}
        texts = {name: (len(values), max(map(len, values), default=0)) for name, values in _texts(manifest)}
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise _foreign(path, error) from error
    for name, shape in (shapes | texts).items():
        # A dimension of none makes an array of any length out of no bytes; a list of texts takes the longest one's room for each.
        if math.prod(max(size, 1) for size in shape) > (len(content) if name in shapes else _LARGEST // 4):
            raise ArtifactError(
                f"Model artifact {path.name} claims an array {name} of {' x '.join(map(str, shape))}, which does not fit its {len(content):,} bytes: "
                f"nothing was read from it. Restore it from a backup, or {_AGAIN}."
            )
    if manifest.get("format") != layout:
        raise ArtifactError(
            f"Model artifact {path.name} has layout {manifest.get('format')}, expected {layout}: train the week again with this version."
        )
    return manifest, content


def _texts(manifest: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """The lists of texts that become arrays."""
    yield from ((name, manifest[name]) for name in ("keys", "categories") if name in manifest)
    yield from manifest.get("levels", {}).items()


def _foreign(path: Path, error: Exception) -> ArtifactError:
    lines = str(error).splitlines() or [""]
    return ArtifactError(
        f"Model artifact {path.name} is none of this version: {type(error).__name__}: {lines[0]}. Train the week again with this version."
    )


def _parts(model: Ensemble | HistoricalAverage) -> tuple[dict[str, Any], dict[str, Any]]:
    return _ensemble_parts(model) if isinstance(model, Ensemble) else _baseline_parts(model)


def _ensemble_parts(model: Ensemble) -> tuple[dict[str, Any], dict[str, Any]]:
    arrays: dict[str, Any] = {
        "mean": model.encoder.mean,
        "scale": model.encoder.scale,
        "sizes": model.support.sizes,
        "means": model.support.means,
        "continuous": np.asarray([model.support.continuous]),
        "size_weights": model.size_weights,
        "chance_weights": model.chance_weights,
    }
    for name, state in {**model.state(), "calibration": model.calibration.state()}.items():
        arrays |= {f"{name}/{key}": array for key, array in state.items()}
    levels = {name: [str(level) for level in values] for name, values in model.encoder.levels.items()}
    described = {
        "kind": "ensemble",
        "members": [member.name for member in model.members],
        "names": list(model.encoder.names),
        "levels": levels,
        "settings": asdict(model.settings),
    }
    return arrays, described


def _baseline_parts(model: HistoricalAverage) -> tuple[dict[str, Any], dict[str, Any]]:
    texts = {"keys": [str(key) for key in model.keys], "categories": [str(category) for category in model.categories]}
    return dict(model.state()), {"kind": "baseline", **texts}


def _support(arrays: Mapping[str, Any]) -> Support:
    return Support(arrays["sizes"], arrays["means"], bool(arrays["continuous"][0]))
