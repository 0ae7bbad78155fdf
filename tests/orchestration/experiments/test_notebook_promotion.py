"""From a notebook to a module, an asset and a parity test, in a checkout of its own; and what is refused on the way."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.training.code_version import code_version
from models.training.spec import TrainingSpec
from orchestration.cli.app import app
from orchestration.experiments.promotion import promote
from transforms.errors import ConfigurationError

CHECKOUT = Path(__file__).resolve().parents[3]
NOTEBOOK = CHECKOUT / "notebooks" / "try_a_model.ipynb"
CONFTEST = """
from pathlib import Path
import pytest

@pytest.fixture(scope="session")
def small_lake():
    return Path({root!r})
"""
IMPORTS = "import numpy as np\nfrom models.members.base import Prepared\nfrom models.members.regression import Arrays, RegressionMember\nfrom models.support import Floats"
MEMBER = '''
class MeanMember(RegressionMember):
    """The mean, whatever the row."""

    name = "mean"

    def learn(self, rows: Prepared, target: Floats, seed: int) -> Arrays:
        """Take the weighted mean."""
        return {"mean": np.average(target, weights=rows.weight, keepdims=True)}

    def apply(self, learned: Arrays, rows: Prepared) -> Floats:
        """Repeat it."""
        return np.repeat(learned["mean"], len(rows)).astype(np.float32)
'''


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The parts of a checkout that promotion needs."""
    for name in ("models", "orchestration", "transforms", "notebooks", "tests/promoted"):
        shutil.copytree(CHECKOUT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A checkout without code: enough to be refused by."""
    (tmp_path / "models" / "promoted").mkdir(parents=True)
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    return tmp_path


def notebook(checkout: Path, *cells: tuple[str, Sequence[str]], name: str = "mine.ipynb") -> Path:
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}
    book["cells"] = [{"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source, "outputs": []} for source, tags in cells]  # type: ignore[misc]
    path = checkout / "notebooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(book))
    return path


def test_notebook_module_and_asset_give_the_same_numbers_and_a_module_that_differs_is_found(checkout: Path, small_lake: Path) -> None:
    done = CliRunner().invoke(app, ["promote-notebook", str(checkout / "notebooks" / NOTEBOOK.name), "--checkout", str(checkout)])
    assert done.exit_code == 0, done.output
    assert "'members: [lasso, network, fourier]' in shelfcast.yaml" in done.output
    other = promote(notebook(checkout, (IMPORTS, ["promote"]), (MEMBER, ["promote"])), checkout).module
    environment = {"PYTHONPATH": str(checkout), "PATH": "/usr/bin:/bin"}
    for command in (["format", "--check"], ["check"]):
        code, output = run(["ruff", *command, "--no-cache", "models/promoted", "tests/promoted"], checkout, environment)
        assert code == 0, output
    other.write_text(other.read_text().replace("np.average(target,", "np.average(target + 0.1,"))
    (checkout / "tests" / "conftest.py").write_text(CONFTEST.format(root=str(small_lake)))
    code, output = run(["pytest", "-q", "-p", "no:cacheprovider", "tests/promoted"], checkout, environment)
    assert re.search(r"1 failed, 1 passed", output), output
    assert "FAILED tests/promoted/test_mean.py::test_mean_gives_the_numbers_of_its_notebook" in output


def test_promoting_again_changes_nothing_and_edits_by_hand_are_kept(bare: Path) -> None:
    mine = notebook(bare, (IMPORTS, ["promote"]), (MEMBER, ["promote"]), ("session = 1", []))
    made = promote(mine, bare)
    assert (made.name, made.changed) == ("mean", True)
    written = made.module.read_text()
    assert not promote(mine, bare).changed
    notebook(bare, (IMPORTS, ["promote"]), (MEMBER.replace("Repeat it.", "Repeat the mean."), ["promote"]))
    assert promote(mine, bare).changed
    made.module.write_text(written.replace("Repeat it.", "Say it again."))
    with pytest.raises(
        ConfigurationError, match=r"mean\.py was edited by hand since it was promoted. Bring the change into notebooks/mine\.ipynb, or"
    ):
        promote(mine, bare)
    assert promote(mine, bare, force=True).changed
    other = notebook(bare, (IMPORTS, ["promote"]), (MEMBER, ["promote"]), name="other.ipynb")
    with pytest.raises(ConfigurationError, match=r"was promoted from notebooks/mine\.ipynb, not from notebooks/other\.ipynb"):
        promote(other, bare)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([(MEMBER, [])], "no code cell has the tag 'promote'"),
        ([("%load_ext autoreload", ["promote"])], "mine.ipynb, cell 1 ('%load_ext autoreload'): '%load_ext autoreload' is a magic or a shell command."),
        ([("!pip install x", ["promote"])], "'!pip install x' is a magic or a shell command."),
        ([(IMPORTS, ["promote"]), ("def f(:", ["promote"])], "cell 2 ('def f(:'), line 1: it is not Python"),
        ([("x = 1\nprint(x)", ["promote"])], "cell 1 ('x = 1'), line 2: 'print(x)' would run at every import."),
        ([("PLACE = '/home/ann/rows.csv'", ["promote"])], "line 1: '/home/ann/rows.csv' is an absolute path of this machine."),
        ([("SHARE = 0.5", []), ("def half() -> float:\n    return SHARE", ["promote"])], "cell 2 ('def half() -> float:'): it uses `SHARE`, which is defined in cell 1 ('SHARE = 0.5'), which is not tagged 'promote'."),
        ([(MEMBER, ["promote"])], "it uses `Arrays`, which is defined in no cell."),
        ([("HALF = 0.5", ["promote"])], "must define one member: a class with a `name`"),
        ([(IMPORTS, ["promote"]), (MEMBER.replace("def apply", "def use"), ["promote"])], "Found: MeanMember, which lacks apply."),
        ([(IMPORTS, ["promote"]), (MEMBER, ["promote"]), (MEMBER.replace("MeanMember", "OtherMember"), ["promote"])], "Found: MeanMember, OtherMember."),
        ([(IMPORTS, ["promote"]), (MEMBER.replace(", seed: int)", ", seed)"), ["promote"])], "ANN001 Missing type annotation for function argument `seed`"),
        ([(IMPORTS, ["promote"]), (MEMBER.replace('"mean"\n', '"lasso"\n'), ["promote"])], "'lasso', which is a member of Shelfcast itself already"),
        ([(IMPORTS, ["promote"]), (MEMBER.replace('"mean"\n', '"My Mean"\n'), ["promote"])], "expected lower-case letters, digits and underscores"),
    ],
)  # fmt: skip
def test_cells_that_cannot_stand_alone_are_refused_by_name(bare: Path, cells: list[tuple[str, list[str]]], said: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        promote(notebook(bare, *cells), bare)
    assert not list((bare / "models" / "promoted").iterdir())


# `trial` is also what a module is called that decides nothing of what is learned.
@pytest.mark.parametrize("name", ["mean", "trial"])
def test_a_promoted_member_changes_the_code_version_of_those_that_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    import models.training.code_version as version

    shutil.copytree(CHECKOUT / "models", tmp_path / "models", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(CHECKOUT / "transforms", tmp_path / "transforms", ignore=shutil.ignore_patterns("__pycache__"))
    specs = TrainingSpec(), TrainingSpec(members=("lasso", name))
    monkeypatch.setattr(version, "_ROOT", tmp_path)
    version._code_digits.cache_clear()
    before = [code_version(spec) for spec in specs]
    (tmp_path / "models" / "promoted" / f"{name}.py").write_text(MEMBER)
    version._code_digits.cache_clear()
    after = [code_version(spec) for spec in specs]
    version._code_digits.cache_clear()
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_shipped_notebooks_hold_no_outputs_and_no_paths_of_a_machine() -> None:
    for path in sorted((CHECKOUT / "notebooks").rglob("*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        assert not [cell["id"] for cell in cells if cell.get("outputs") or cell.get("execution_count")], f"{path.name}: clear all outputs"
        assert not re.search(r"[\"'\s](/(home|work|tmp|Users|root|mnt)/|[A-Za-z]:\\\\)", path.read_text()), path.name


@pytest.mark.slow
def test_the_shipped_notebook_runs_from_top_to_bottom(small_lake: Path, tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(book)
    root = shutil.copytree(small_lake, tmp_path / "root")
    (at,) = (at for at, cell in enumerate(book.cells) if "parameters" in cell.metadata.get("tags", []))
    book.cells.insert(at + 1, nbformat.v4.new_code_cell(f"week, root = '2023-07-10', {str(root)!r}"))
    NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 1
    tables = [output["data"]["text/plain"] for output in outputs if "text/plain" in output.get("data", {})]
    assert "[lasso, fourier]" in tables[-1]


def run(arguments: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr
