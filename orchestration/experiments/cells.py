"""The cells of a notebook that are tagged `promote`: read, joined to the source of a module, and checked to stand on their own.

A notebook is the JSON of format 4 (nbformat.readthedocs.io), so reading one needs no Jupyter.
"""

import ast
import builtins
import importlib.util
import inspect
import json
import re
import symtable
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.members.base import Member
from transforms.errors import ConfigurationError

TAG = "promote"
_METHODS = ("__init__", "fit", "refit", "predict", "state", "restore")
_ABSOLUTE = re.compile(r"(~?/[\w.-]+|[A-Za-z]:[\\/])")
_MAGIC = re.compile(r"\s*(%|!|\?)|.*\?\s*$")
_ALLOWED = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)


class NotebookRefused(ConfigurationError):
    """A notebook cannot be promoted; the message names the cell and says what to change."""


@dataclass(frozen=True)
class Cell:
    """A code cell; `number` counts all cells of the notebook from 1, as a reader does."""

    number: int
    tags: tuple[str, ...]
    source: str

    def __str__(self) -> str:
        return f"cell {self.number} ({next((line for line in self.source.splitlines() if line.strip()), 'empty')[:60]!r})"


def code_cells(path: Path) -> list[Cell]:
    """The code cells of a notebook."""
    try:
        book = json.loads(path.read_text())
        major, cells = book["nbformat"], book["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotebookRefused(f"{path}: expected a Jupyter notebook (.ipynb, format 4), which cannot be read: {error!r}.") from error
    if major != 4:
        raise NotebookRefused(f"{path}: expected notebook format 4, came {major}: open it in Jupyter and save it again.")
    numbered = [(at, cell) for at, cell in enumerate(cells, 1) if cell["cell_type"] == "code"]
    return [Cell(at, tuple(cell["metadata"].get("tags", ())), "".join(cell["source"])) for at, cell in numbered]


def promoted_source(path: Path) -> str:
    """The source of the tagged cells, joined in their order.

    Raises
    ------
    NotebookRefused
        If there is none; if one holds a magic, an absolute path, or a statement that does something when it is imported; or if one uses a name that
        only an untagged cell defines, or none.
    """
    cells = code_cells(path)
    tagged = [cell for cell in cells if TAG in cell.tags]
    if not tagged:
        raise NotebookRefused(f"{path}: no code cell has the tag '{TAG}'. Give it to the cells that define the member, and to what they need.")
    for cell in tagged:
        _check_alone(path, cell)
    _check_names(path, tagged, [cell for cell in cells if TAG not in cell.tags])
    return "\n\n".join(cell.source.strip() for cell in tagged) + "\n"


def member_of(source: Path, name: str) -> type[Member]:
    """Import a file under a name of its own, and return the one class in it that is a member.

    Raises
    ------
    NotebookRefused
        If there is no such class, or more than one.
    """
    spec = importlib.util.spec_from_file_location(name, source)
    assert spec is not None  # noqa: S101 - for the type checker
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    own = [value for value in vars(module).values() if inspect.isclass(value) and value.__module__ == name]
    found = [value for value in own if isinstance(getattr(value, "name", None), str) and all(hasattr(value, method) for method in _METHODS)]
    if len(found) != 1 or inspect.isabstract(found[0]):
        named = ", ".join(value.__name__ for value in found) or "none"
        lacking = f", which lacks {', '.join(sorted(found[0].__abstractmethods__))}" if len(found) == 1 else ""
        raise NotebookRefused(
            f"The cells tagged '{TAG}' must define one member: a class with a `name` and the methods of models.members.base.Member (the shortest way "
            f"is a subclass of models.members.regression.RegressionMember with `learn` and `apply`). Found: {named}{lacking}."
        )
    return found[0]


def _check_alone(path: Path, cell: Cell) -> None:
    """Findings about one cell by itself."""
    if magic := next((line for line in cell.source.splitlines() if _MAGIC.match(line)), None):
        raise NotebookRefused(f"{path}, {cell}: {magic.strip()!r} is a magic or a shell command. Move it to a cell without the tag '{TAG}'.")
    tree = _parsed(path, cell)
    for node in tree.body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not isinstance(node, _ALLOWED) and not docstring:
            raise NotebookRefused(
                f"{path}, {cell}, line {node.lineno}: {ast.unparse(node).splitlines()[0]!r} would run at every import. Tagged cells hold imports, "
                f"constants, functions and classes; move the rest to a cell without the tag '{TAG}'."
            )
    for constant in ast.walk(tree):
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str) and _ABSOLUTE.match(constant.value):
            raise NotebookRefused(
                f"{path}, {cell}, line {constant.lineno}: {constant.value!r} is an absolute path of this machine. Members read no files: "
                "what they learn from comes in through `fit`."
            )


def _check_names(path: Path, tagged: Sequence[Cell], others: Sequence[Cell]) -> None:
    """Every name that a tagged cell uses must come from a tagged cell."""
    known = {name for cell in tagged for name in _defined(path, cell)} | set(dir(builtins)) | {"__name__"}
    elsewhere: dict[str, Cell] = {}
    for cell in others:
        if not any(_MAGIC.match(line) for line in cell.source.splitlines()):
            elsewhere |= dict.fromkeys(_defined(path, cell), cell)
    for cell in tagged:
        for name in sorted(set(_used(symtable.symtable(cell.source, str(path), "exec"))) - known):
            where = f"is defined in {elsewhere[name]}, which is not tagged '{TAG}'" if name in elsewhere else "is defined in no cell"
            raise NotebookRefused(f"{path}, {cell}: it uses `{name}`, which {where}. Tag the cell that defines it, or pass the value in.")


def _parsed(path: Path, cell: Cell) -> ast.Module:
    try:
        return ast.parse(cell.source)
    except SyntaxError as error:
        raise NotebookRefused(f"{path}, {cell}, line {error.lineno}: it is not Python: {error.msg}.") from error


def _defined(path: Path, cell: Cell) -> Iterator[str]:
    """Names that a cell binds at its top level."""
    _parsed(path, cell)
    table = symtable.symtable(cell.source, str(path), "exec")
    return (symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported())


def _used(table: symtable.SymbolTable) -> Iterator[str]:
    """Names that a scope, or one inside it, looks up in the module."""
    for symbol in table.get_symbols():
        outermost = table.get_type() == "module" and not symbol.is_assigned() and not symbol.is_imported()
        if symbol.is_referenced() and (outermost or (table.get_type() != "module" and symbol.is_global())):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _used(child)
