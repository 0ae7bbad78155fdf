"""Incidents around the way through the house: circles of imports, and rooms in which nobody finds anything."""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGES = ("dashboard", "orchestration", "models", "transforms")
MOST_MODULES = 13


def modules_of(root: Path) -> dict[str, Path]:
    """The modules of product code by name; a package is its `__init__`."""
    paths = sorted(path.relative_to(root) for package in PACKAGES for path in (root / package).rglob("*.py"))
    return {".".join(path.parent.parts if path.stem == "__init__" else path.with_suffix("").parts): root / path for path in paths}


def imported(path: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    """The modules of product code that a file imports, at its top or inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in modules else str(node.module) for name in names if name in modules or node.module in modules)


def circles(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """Modules that reach each other; every set of them once (what a module reaches, asked of each: slow and obvious)."""
    reached = {module: reachable(module, imports) for module in imports}
    found = {tuple(sorted({other for other in reached[module] if module in reached[other]})) for module in imports if module in reached[module]}
    return [list(circle) for circle in sorted(found)]


def reachable(module: str, imports: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(imports[module])
    while waiting:
        if (name := waiting.pop()) not in seen:
            seen.add(name)
            waiting += imports[name]
    return seen


def circles_below(root: Path) -> list[list[str]]:
    modules = modules_of(root)
    return circles({name: set(imported(path, modules)) - {name} for name, path in modules.items()})


def test_modules_import_each_other_in_no_circle_even_inside_functions() -> None:
    assert circles_below(CHECKOUT) == []


def test_a_circle_through_a_function_or_a_package_is_found(tmp_path: Path) -> None:
    for name, text in {
        "models/__init__.py": "",
        "models/members/__init__.py": "from models.members import lasso",
        "models/members/lasso.py": "import models.fit",
        "models/fit.py": "def fit():\n    from models.members import Member",
        "transforms/one.py": "from models.fit import fit",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert circles_below(tmp_path) == [["models.fit", "models.members", "models.members.lasso"]]


def test_every_folder_of_product_code_is_a_package_that_import_contracts_see() -> None:
    """A folder without `__init__.py` imported whatever it liked: linters see packages alone."""
    folders = {path.parent for package in PACKAGES for path in (CHECKOUT / package).rglob("*.py")}
    assert [str(folder.relative_to(CHECKOUT)) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_product_code_stands_in_three_packages_and_names_no_module_by_text() -> None:
    """A package beside them, or a module that is named by text, is seen by no contract."""
    beside = {".ci", "benchmarks", "dbt_project", "docs", "notebooks", "tests"}
    assert {path.parent.name for path in CHECKOUT.glob("*/*.py")} <= {*PACKAGES, *beside}
    texts = [name for name, path in modules_of(CHECKOUT).items() if "import_module(" in path.read_text()]
    assert texts == ["models.promoted"]


def test_no_room_has_more_modules_than_one_takes_in_at_a_glance() -> None:
    rooms = Counter(str(path.parent.relative_to(CHECKOUT)) for path in modules_of(CHECKOUT).values() if path.stem != "__init__")
    # Notebooks that a team has promoted are no rooms of ours.
    rooms.pop("models/promoted", None)
    assert {room: count for room, count in rooms.items() if count > MOST_MODULES} == {}
