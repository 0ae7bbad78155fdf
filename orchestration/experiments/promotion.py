"""From a notebook's tagged cells to a module of `models.promoted` and its parity test. The asset follows from the module: see `defs.experiments`."""

import hashlib
import keyword
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from models.ensemble.ensemble import available_members
from orchestration.experiments.cells import NotebookRefused, member_of, promoted_source
from transforms.errors import ConfigurationError

PACKAGE = Path("models") / "promoted"
_HEADER = re.compile(r"# Promoted from (?P<notebook>\S+)\. SHA-256 of what follows: (?P<sha256>[0-9a-f]{64})\n")
_TEST = '''"""The notebook that `models.promoted.{name}` was promoted from, the module and its asset give the same numbers."""

from collections.abc import Callable


def test_{name}_gives_the_numbers_of_its_notebook(parity: Callable[[str, str], tuple[object, object, object]]) -> None:
    notebook, module, asset = parity("{notebook}", "{name}")
    assert notebook == module == asset
'''


@dataclass(frozen=True)
class Promoted:
    """Files that a promotion wrote; `changed` is False where all of it was there already."""

    name: str
    module: Path
    test: Path
    changed: bool


def promote(notebook: Path, checkout: Path, force: bool = False) -> Promoted:
    """Write module and test of a notebook's member below a checkout; doing it again changes nothing.

    Parameters
    ----------
    force
        Overwrite a module that was edited by hand, or that came from another notebook.

    Raises
    ------
    NotebookRefused
        If the tagged cells cannot stand on their own, are not one member, or do not keep to the style.
    ConfigurationError
        If that would overwrite what somebody wrote.
    """
    package = checkout / PACKAGE
    if not package.is_dir():
        raise ConfigurationError(f"{checkout} is not a checkout of Shelfcast: it has no {PACKAGE}. Run the command of an editable install.")
    notebook_path = _relative(notebook, checkout)
    with TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.py"
        draft.write_text(f'"""Member promoted from `{notebook_path}`."""\n\n{promoted_source(notebook)}')
        _style(draft, notebook, checkout)
        body, name = draft.read_text(), member_of(draft, "shelfcast_draft").name
    _check_name(name, package)
    module, test = package / f"{name}.py", checkout / "tests" / "promoted" / f"test_{name}.py"
    content = f"# Promoted from {notebook_path}. SHA-256 of what follows: {_digest(body)}\n{body}"
    if module.exists() and not force:
        _refuse_overwriting(module, notebook_path)
    texts = {module: content, test: _TEST.format(name=name, notebook=notebook_path)}
    changed = {path: text for path, text in texts.items() if not path.exists() or path.read_text() != text}
    for path, text in changed.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Promoted(name, module, test, bool(changed))


def _relative(notebook: Path, checkout: Path) -> str:
    try:
        return notebook.resolve().relative_to(checkout.resolve()).as_posix()
    except ValueError:
        raise NotebookRefused(
            f"{notebook} lies outside {checkout}: expected a notebook of the checkout, like notebooks/name.ipynb, since the parity test reads it."
        ) from None


def _style(draft: Path, notebook: Path, checkout: Path) -> None:
    """Format a draft, and have it keep to the style and to annotations."""
    if find_spec("ruff") is None:
        raise ConfigurationError("Promoting needs ruff, which formats and checks the module: pip install -e '.[dev]'.")
    _ruff(draft, checkout, "format")
    done = _ruff(draft, checkout, "check", "--fix", "--extend-select=ANN", "--ignore=ANN401,ARG002", "--output-format=concise")
    if done.returncode:
        found = done.stdout.replace(str(draft), "line")
        raise NotebookRefused(f"{notebook}: the tagged cells, joined, do not keep to the style of the repository. Change the cells:\n{found.strip()}")
    _ruff(draft, checkout, "format")


def _ruff(draft: Path, checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ruff", *arguments, "--quiet", "--no-cache", f"--config={checkout / 'pyproject.toml'}", str(draft)]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)  # noqa: S603 - our own interpreter


def _check_name(name: str, package: Path) -> None:
    own = {path.stem for path in package.glob("*.py")}
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise NotebookRefused(f"The member's name is {name!r}: expected lower-case letters, digits and underscores, like 'ridge'.")
    if name in available_members() and name not in own:
        raise NotebookRefused(f"The member's name is {name!r}, which is a member of Shelfcast itself already: choose another one.")


def _refuse_overwriting(module: Path, notebook: str) -> None:
    text = module.read_text()
    header = _HEADER.match(text)
    if header is None or header["sha256"] != _digest(text[header.end() :]):
        raise ConfigurationError(
            f"{module} was edited by hand since it was promoted. Bring the change into {notebook}, or overwrite it with --force."
        )
    if header["notebook"] != notebook:
        raise ConfigurationError(
            f"{module} was promoted from {header['notebook']}, not from {notebook}: give the member another name, or use --force."
        )


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
