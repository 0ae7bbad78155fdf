"""Model files that were made to do harm: refused with a sentence, before anything is allocated."""

import ast
import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from models.ensemble.artifacts import LAYOUTS, load
from transforms.errors import ArtifactError

CHECKOUT = Path(__file__).resolve().parents[3]
HUGE = 10**12


def artifact(folder: Path, arrays: dict[str, Any], content: bytes = b"", **manifest: Any) -> tuple[Path, str]:
    described = {"format": LAYOUTS["baseline"], "kind": "baseline", "keys": [], "categories": [], "about": {}, **manifest}
    header = json.dumps({"__metadata__": {"manifest": json.dumps(described)}, **arrays}).encode()
    header += b" " * (-len(header) % 8)
    file = folder / "model.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header + content)
    return file, hashlib.sha256(file.read_bytes()).hexdigest()


def array(*shape: int, size: int = 0) -> dict[str, Any]:
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [0, size]}


@pytest.mark.parametrize(
    ("arrays", "manifest", "told"),
    [
        ({"weeks": array(HUGE, size=4 * HUGE)}, {}, "claims an array weeks of 1000000000000, which does not fit its"),
        ({"weeks": array(HUGE, 0)}, {}, "claims an array weeks of 1000000000000 x 0, which does not fit its"),
        ({"weeks": array(2**40, 2**40, size=4)}, {}, "claims an array weeks of 1099511627776 x 1099511627776"),
        ({}, {"keys": ["x" * 100_000, *([""] * 100_000)]}, "claims an array keys of 100001 x 100000"),
        ({"weeks": {"dtype": "F32"}}, {}, "is none of this version: KeyError"),
        ({}, {"keys": 7}, "is none of this version: TypeError"),
    ],
    ids=["longer than the file", "of nothing", "overflow", "texts", "no shape", "no list"],
)
def test_a_model_file_that_claims_more_than_it_holds_is_refused(tmp_path: Path, arrays: dict[str, Any], manifest: dict[str, Any], told: str) -> None:
    """A header of 10^12 rows of no columns was read, and the first use of the model asked for terabytes."""
    with pytest.raises(ArtifactError, match=told):
        load(*artifact(tmp_path, arrays, b"1234" if arrays else b"", **manifest))


def test_a_header_that_is_longer_than_its_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(struct.pack("<Q", 2**63) + b"{}")
    with pytest.raises(ArtifactError, match="is none of this version"):
        load(file, hashlib.sha256(file.read_bytes()).hexdigest())


def test_no_module_reads_a_pickle() -> None:
    """Whoever can write a pickle runs commands where it is read."""
    found = []
    for path in (file for room in ("models", "transforms", "orchestration") for file in (CHECKOUT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [
                f"{path.name}: {name}" for name in names if name.split(".")[0] in {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
            ]
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                called = f"{node.value.id}.{node.attr}"
                found += [f"{path.name}: {called}"] * (called in {"np.load", "torch.load", "pd.read_pickle"})
    assert found == []
