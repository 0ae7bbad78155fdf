"""Write the parts of the documentation that follow from the code, its pictures, and the data contracts: `python -m docs.generate`.

Tables come from the contracts, commands from the command line, rooms from the docstrings of their packages and the import contracts. A part stands
between markers in its page; a test fails where one differs. Prose does not belong here: it is written in the pages.
"""

import ast
import importlib.util
import tomllib
import typing
from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path

import typer

from orchestration.cli.app import app
from transforms.contracts import CONTRACTS, GOLD, SOURCES, Contract, Source, odcs

CHECKOUT = Path(__file__).resolve().parents[1]
DOCS = CHECKOUT / "docs"
AGAIN = "python -m docs.generate"
PACKAGES = ("dashboard", "orchestration", "models", "transforms")
WORDS = {str: "text", int: "number", float: "number", Path: "path", bool: ""}


def generated() -> dict[Path, str]:
    """Every page, picture and data contract that is generated, in whole or in part, with its text as it should be."""
    pages = {
        "tables.md": {"gold": gold(), "sources": sources(columns=True), "others": others()},
        "bring-your-data.md": {"sources": sources(columns=False)},
        "commands.md": {"commands": commands()},
        "architecture.md": {"rooms": rooms(), "modules": modules()},
    }
    texts = {DOCS / name: filled((DOCS / name).read_text(), parts) for name, parts in pages.items()}
    texts |= {DOCS / "contracts" / f"{contract.table}.odcs.yaml": odcs.document(contract) for contract in GOLD}
    return texts | {
        DOCS / "rooms.svg": layers_picture(),
        DOCS / "loop.svg": snake(LOOP, closed=True),
        DOCS / "shipment.svg": snake(SHIPMENT, closed=False),
    }


def filled(text: str, parts: dict[str, str]) -> str:
    """`text` with the marked parts as given."""
    for name, part in parts.items():
        begin, end = f"<!-- {name}: written by {AGAIN} -->\n", f"<!-- end of {name} -->"
        head, rest = text.split(begin)
        text = f"{head}{begin}{part}{end}{rest.split(end, maxsplit=1)[1]}"
    return text


def gold() -> str:
    """Each gold table with grain, key and columns."""
    found = [contract for contract in CONTRACTS.values() if contract.layer == "gold"]
    index = _table(("table", "one row per"), [(f"[`{one.name}`](#{one.name.replace('/', '')})", _grain(one)) for one in found])
    return index + "".join(f"\n### {one.name}\n\n{_described(one)}" for one in found)


def sources(columns: bool) -> str:
    """The sources that a provider may give: one line each, or each with its columns."""
    if columns:
        return "".join(f"\n### {one.table}\n\n{_described(one, one.completed)}" for one in SOURCES.values())
    return _table(("source", "one row per", "columns (required in bold)", "late after"), [_source(contract) for contract in SOURCES.values()])


def others() -> str:
    """The tables of bronze and silver, one line each."""
    return _table(("table", "one row per"), [(f"`{one.name}`", _grain(one)) for one in CONTRACTS.values() if one.layer != "gold"])


def commands() -> str:
    """Every command with what it does and what it takes."""
    texts = []
    for path, command in sorted(leaves(typer.main.get_command(app)), key=lambda found: found[0]):
        rows = [_parameter(parameter) for parameter in command.params if parameter.opts != ["--help"]]
        texts.append(f"\n### {path}\n\n{' '.join(command.help.split())}\n\n" + _table(("takes", "", "meaning"), rows))
    return "".join(texts)


def leaves(group: typing.Any, *path: str) -> Iterator[tuple[str, typing.Any]]:
    """Each command below a group, with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, *path, name)
        else:
            yield " ".join((*path, name)), command


def rooms() -> str:
    """Each package with what belongs there and what does not, as its docstring says, and its modules."""
    rows = []
    for folder in packages():
        if "." not in (name := ".".join(folder.relative_to(CHECKOUT).parts)):
            rows.append((f"**{name}**", _said(folder / "__init__.py"), ""))
        else:
            names = (path.stem for path in sorted(folder.glob("*.py")) if path.stem != "__init__")
            rows.append((f"`{name}`", _said(folder / "__init__.py"), ", ".join(names)))
    return _table(("room", "what belongs there, and what does not", "modules"), rows)


def modules() -> str:
    """The modules that stand beside the rooms of each package."""
    found = (path for name in PACKAGES for path in sorted((CHECKOUT / name).glob("*.py")))
    return _table(
        ("module", "what it is"),
        [(f"`{'.'.join(path.relative_to(CHECKOUT).with_suffix('').parts)}`", _said(path, whole=False)) for path in found if path.stem != "__init__"],
    )


def packages() -> list[Path]:
    """The folders of all packages, each before those below it."""
    return [path.parent for name in PACKAGES for path in sorted((CHECKOUT / name).rglob("__init__.py"))]


def _said(path: Path, whole: bool = True) -> str:
    """The docstring of a module, or its first paragraph, as one line."""
    told = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " ".join((told if whole else told.split("\n\n")[0]).split()).replace("|", "\\|")


def _described(contract: Contract, completed: frozenset[str] = frozenset()) -> str:
    key = f"Key: {', '.join(contract.key)}.\n\n" if contract.key else ""
    rows = [
        (f"**{one.name}**" if one.required and one.name not in completed else one.name, one.kind, one.unit or "", one.description.replace("|", "\\|"))
        for one in contract.columns
    ]
    return f"{contract.grain.removesuffix('.')}.\n\n{key}{_table(('column', 'type', 'unit', 'meaning'), rows)}"


def _source(contract: Source) -> tuple[str, ...]:
    columns = (f"**{column.name}**" if column.required and column.name not in contract.completed else column.name for column in contract.columns)
    return contract.table, _grain(contract), ", ".join(columns), f"{contract.fresh_for} days" if contract.fresh_for else "-"


def _grain(contract: Contract) -> str:
    return contract.grain.removeprefix("One row per ").removesuffix(".")


def _parameter(parameter: typing.Any) -> tuple[str, str, str]:
    """Name, kind of value and meaning of an option or argument; what is required is bold."""
    is_option = parameter.param_type_name == "option"
    name = " / ".join((*parameter.opts, *parameter.secondary_opts)) if is_option else parameter.name.upper()
    annotation = parameter.type_descriptor.annotation
    while inner := [kind for kind in typing.get_args(annotation) if kind is not type(None)]:
        annotation = inner[0]
    shown = parameter.default not in {None, False, True} and annotation is not Path
    default = f" Default: {parameter.default}." if shown and not parameter.required else ""
    return (
        (f"**`{name}`**" if parameter.required else f"`{name}`"),
        WORDS.get(annotation, "date and time"),
        parameter.help.replace("|", "\\|") + default,
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---" for _ in head], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


LOOP = [
    ("land", "deliveries, returns,", "weather, prices, events"),
    ("condition", "checked by contracts,", "else to quarantine"),
    ("approve the data", "by checks on each version,", "or by a person"),
    ("train and validate", "one ensemble for each", "region and segment"),
    ("promote", "the gate lets a champion in;", "else another model serves"),
    ("forecast and plan", "gold/forecasts,", "gold/order_plan"),
    ("load the truck", "a workbook for each region,", "a sheet for each store"),
    ("measure what came", "accuracy, money,", "drift"),
]
"""The weekly loop, clockwise: title and two lines."""

SHIPMENT = [
    ("a file in landing", "transforms.landing.files", "found, fingerprinted"),
    ("bronze/shipments", "transforms.landing.ingest", "validated, else quarantine"),
    ("silver/shipments", "dbt_project", "joined, known_at"),
    ("gold/demand", "dbt_project", "shipped minus returned"),
    ("panel", "transforms.panel", "as known at the origin"),
    ("features", "transforms.features.build", "one row per target week"),
    ("ensemble", "models.ensemble.ensemble", "distribution of demand"),
    ("gold/forecasts", "models.serving.score", "points and quantiles"),
    ("gold/order_plan", "models.serving.score", "whole cases at least cost"),
    ("gold/accuracy", "models.evaluation.metrics", "beside what came"),
]
"""The way of a shipment row: table or step, the module that makes it, and how."""

_BOX = {"fill": "#ffffff", "stroke": "#33539c"}


def snake(steps: Sequence[tuple[str, str, str]], closed: bool) -> str:
    """A picture of steps in two rows, the second one from right to left; `closed` leads from the last back to the first."""
    missing = [where for _, where, _ in steps if where.startswith(("transforms.", "models.")) and importlib.util.find_spec(where) is None]
    if missing:
        raise ValueError(f"A picture names modules that are not there: {missing}.")
    width, height, gap, row = 196, 84, 34, 140
    half = len(steps) // 2
    places = [(20 + (at if at < half else 2 * half - 1 - at) * (width + gap), 20 if at < half else 20 + row) for at in range(len(steps))]
    shapes = [_box(x, y, width, height, lines) for (x, y), lines in zip(places, steps, strict=True)]
    for at, ((x, y), (to_x, _)) in enumerate(pairwise(places)):
        middle = y + height / 2
        if at == half - 1:
            shapes.append(_arrow(x + width / 2, y + height, x + width / 2, y + row))
        else:
            shapes.append(_arrow(x + width, middle, to_x, middle) if to_x > x else _arrow(x, middle, to_x + width, middle))
    if closed:
        shapes.append(_arrow(20 + width / 2, 20 + row, 20 + width / 2, 20 + height))
    return _svg(half * (width + gap) + 6, row + height + 40, shapes)


def layers_picture() -> str:
    """The rooms of the packages by layer, as the import contracts have them: who stands above may import who stands below."""
    contracts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    columns = [(one["containers"][0], one["layers"]) for one in contracts if "containers" in one]
    width, step, gap = 340, 44, 40
    shapes = []
    for at, (package, layers) in enumerate(columns):
        left = 20 + at * (width + gap)
        shapes.append(_text(left + width / 2, 32, package, 18, bold=True))
        for level, layer in enumerate(layers):
            names = [name.strip() for name in layer.split("|")]
            each = (width - 8 * (len(names) - 1)) / len(names)
            shapes += [_box(left + place * (each + 8), 50 + level * step, each, step - 10, (name,)) for place, name in enumerate(names)]
        if at:
            shapes.append(_arrow(left - gap + 4, 27, left - 4, 27))
    deepest = max(len(layers) for _, layers in columns)
    note = "Rooms and modules import what stands below them, and any room of the packages to their right."
    whole = len(columns) * (width + gap) - gap
    shapes.append(_text(20 + whole / 2, 72 + deepest * step, note, 14))
    return _svg(whole + 40, 90 + deepest * step, shapes)


def _box(x: float, y: float, width: float, height: float, lines: Sequence[str]) -> str:
    style = " ".join(f'{name}="{value}"' for name, value in _BOX.items())
    texts = [
        _text(
            x + width / 2,
            y + height / 2 + 5 + (at - (len(lines) - 1) / 2) * 22,
            line,
            15 if at == 0 else 12.5,
            bold=at == 0 and len(lines) > 1,
            room=width - 10,
        )
        for at, line in enumerate(lines)
    ]
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" {style}/>' + "".join(texts)


def _text(x: float, y: float, text: str, size: float, bold: bool = False, room: float = 2000) -> str:
    size = min(size, round(room / (0.58 * len(text)), 1))
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="middle" font-size="{size:g}"{weight}>{escape(text)}</text>'


def _arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<line x1="{x:g}" y1="{y:g}" x2="{to_x:g}" y2="{to_y:g}" stroke="#33539c" stroke-width="2" marker-end="url(#head)"/>'


def _svg(width: float, height: float, shapes: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" font-family="Helvetica, Arial, sans-serif" fill="#1b1f27">\n'
        '<defs><marker id="head" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0 0L10 5L0 10z" fill="#33539c"/></marker></defs>\n'
        f'<rect width="{width:g}" height="{height:g}" fill="#f5f7fb"/>\n'
    )
    return head + "\n".join(shapes) + "\n</svg>\n"


if __name__ == "__main__":
    for written, text in generated().items():
        written.parent.mkdir(exist_ok=True)
        written.write_text(text)
