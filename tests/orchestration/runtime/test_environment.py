"""Incidents around the environment of a process: who reads and writes it, and when."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.runtime.dbt.manifest import dbt_project
from orchestration.settings import ONE_THREAD, QUIET

CHECKOUT = Path(__file__).resolve().parents[3]
SETTINGS = CHECKOUT / "orchestration" / "settings.py"
_ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


def uses_of_the_environment(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        from_os = isinstance(node, ast.ImportFrom) and node.module == "os" and {alias.name for alias in node.names} & _ENVIRONMENT
        of_os = isinstance(node, ast.Attribute) and node.attr in _ENVIRONMENT and isinstance(node.value, ast.Name) and node.value.id == "os"
        if from_os or of_os:
            yield f"{path.relative_to(CHECKOUT)}:{node.lineno}"


def test_a_variable_is_read_or_written_nowhere_but_in_the_settings() -> None:
    modules = [path for package in ("orchestration", "models", "transforms") for path in sorted((CHECKOUT / package).rglob("*.py"))]
    assert list(uses_of_the_environment(SETTINGS)), "the search finds what there is"
    # It hands on the environment as a whole, and loads nothing of ours.
    allowed = {SETTINGS, CHECKOUT / "orchestration/runtime/dbt/command.py"}
    assert [use for path in modules if path not in allowed for use in uses_of_the_environment(path)] == []


def python(code: str, folder: Path, **variables: str) -> list[str]:
    """Lines that a new process prints whose environment says nothing of Shelfcast or threads."""
    kept = {name: value for name, value in os.environ.items() if name in {"LANG", "LD_LIBRARY_PATH", "PYTHONPATH", "TMPDIR"}}
    environment = {**kept, "PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(("variables", "threads"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")])
def test_threads_of_linear_algebra_are_set_before_numpy_is_imported_unless_somebody_has(
    tmp_path: Path, variables: dict[str, str], threads: str
) -> None:
    code = "import os, sys, orchestration; print(os.environ['OPENBLAS_NUM_THREADS'], 'numpy' in sys.modules)"
    assert python(code, tmp_path, **variables) == [f"{threads} False"]


def test_the_salt_of_the_environment_is_a_secret_of_the_settings(tmp_path: Path) -> None:
    code = "from orchestration.settings import settings; print(settings().salt, 'pepper' in repr(settings()))"
    assert python(code, tmp_path, SHELFCAST_SALT="pepper") == ["pepper False"]


_LOADED = """
import json, os, sys, warnings

written = []

def note(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR) and arguments[0] != os.devnull:
        written.append(os.path.abspath(arguments[0]))
    elif event in {"os.mkdir", "os.rename", "os.remove", "os.truncate"}:
        written.append(str(arguments[0]))

sys.addaudithook(note)
import orchestration
import dagster as dg

def state():
    return [dict(os.environ), [str(found) for found in warnings.filters if found[2] in (dg.PreviewWarning, dg.BetaWarning)]]

before, known = state(), len(written)
from orchestration.definitions import defs
after, by_import = state(), written[known:]
open(os.environ["SHELFCAST_ROOT"] + ".seen", "w").close()
from orchestration.runtime.resources import LakeResource
with dg.build_resources({"lake": LakeResource()}):
    print(json.dumps([before, after, state(), by_import, written[known + len(by_import)]]))
"""


def test_importing_the_code_location_leaves_variables_files_and_warnings_as_they_were_and_its_lake_prepares_the_process(tmp_path: Path) -> None:
    # What changes with the dbt project's files is up to date.
    dbt_project()
    output = python(_LOADED, tmp_path, SHELFCAST_ROOT=str(tmp_path / "lake"))
    before, after, prepared, by_import, seen = json.loads(output[-1])
    assert after == before
    # Told by the process itself: others may write into the same checkout at the same time.
    assert (by_import, seen) == ([], str(tmp_path / "lake.seen"))
    assert {name: prepared[0][name] for name in QUIET | ONE_THREAD} == QUIET | ONE_THREAD
    assert prepared[0]["PATH"].startswith(str(Path(sys.executable).parent))
