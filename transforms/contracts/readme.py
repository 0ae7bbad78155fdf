"""Render the README's tables of sources and gold tables from the contracts.

They are checked in between markers; a test fails where they differ. `python -m transforms.contracts.readme` writes them anew.
"""

from pathlib import Path

from transforms.contracts import CONTRACTS, SOURCES, Contract, Source

README = Path(__file__).resolve().parents[2] / "README.md"


def render() -> dict[str, str]:
    """The Markdown table of each marked section."""
    return {
        "sources": _table(
            ("source", "one row per", "columns (required in bold)", "late after"), [_source(contract) for contract in SOURCES.values()]
        ),
        "gold": _table(
            ("table", "one row per", "key"),
            [
                (f"`{name}`", _grain(contract), ", ".join(contract.key) or "append-only")
                for name, contract in CONTRACTS.items()
                if contract.layer == "gold"
            ],
        ),
    }


def filled(text: str) -> str:
    """`text` with the marked sections as the contracts say."""
    for name, table in render().items():
        begin, end = f"<!-- {name}: from transforms/contracts -->\n", f"<!-- end of {name} -->"
        head, rest = text.split(begin)
        text = f"{head}{begin}{table}{end}{rest.split(end, maxsplit=1)[1]}"
    return text


def _source(contract: Source) -> tuple[str, ...]:
    columns = (f"**{column.name}**" if column.required and column.name not in contract.completed else column.name for column in contract.columns)
    return contract.table, _grain(contract), ", ".join(columns), f"{contract.fresh_for} days" if contract.fresh_for else "-"


def _grain(contract: Contract) -> str:
    return contract.grain.removeprefix("One row per ").removesuffix(".")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
