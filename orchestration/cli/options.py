"""Options that several commands share, each with one name, one meaning and one type.

The one thing that a command is about (a version, a table, a file) is its argument; all that chooses, decides or says where to is an option. What
only one command asks for stands beside that command; `tests/orchestration/cli/test_conformance.py` has the list of all names.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperOption

from orchestration.people import named_on_command_line
from orchestration.profiles import FILE as PROFILES_FILE
from orchestration.settings import PROFILE, use_profile
from transforms.calendar import Week as WeekKey


def _not_blank(value: str) -> str:
    if not value.strip():
        raise typer.BadParameter("it is kept for good with the decision and may not be blank.")
    return value


def _named(value: str) -> str:
    return named_on_command_line(_not_blank(value))


def no_blank(entries: list[str] | None) -> list[str] | None:
    """Refuse a blank among the names of a repeatable option: a variable of a script that is not set would otherwise stand for all."""
    if not all(name.strip() for entry in entries or [] for name in entry.split(",")):
        raise typer.BadParameter(f"expected a name, or several separated by commas, came {','.join(entries or [])!r}. Leave the option out for all.")
    return entries


def _in_order(context: typer.Context, value: str | None) -> str | None:
    """Refuse a range whose end comes before its beginning, whichever of the two is read last."""
    first, last = context.params.get("first") or value, context.params.get("last") or value
    if first and last and WeekKey.parse(first) > WeekKey.parse(last):
        raise typer.BadParameter(f"--from {first} lies after --until {last}: expected the earlier week first.")
    return value


Root = Annotated[str | None, typer.Option("--root", help="Lake root (default: SHELFCAST_ROOT, else .shelfcast in the checkout).")]
Local = Annotated[bool, typer.Option("--local", help="Run in this process alone: no service, no network, no run history.")]

By = Annotated[str, typer.Option("--by", help="Who decides; kept for good. The machine's user stands beside it.", callback=_named)]
Why = Annotated[str, typer.Option("--why", help="Why; kept for good beside who and when.", callback=_not_blank)]

Region = Annotated[str, typer.Option("--region", help="Sales region.")]
Regions = Annotated[
    list[str] | None, typer.Option("--region", help="Sales region; repeat the option or separate by commas (default: all).", callback=no_blank)
]
Store = Annotated[str, typer.Option("--store", help="Store id.")]
AnyStore = Annotated[str | None, typer.Option("--store", help="Store id (default: all).")]
Product = Annotated[str, typer.Option("--product", help="Product id.")]
Origins = Annotated[int, typer.Option("--origins", min=1, help="Rolling origins; the horizons of the last one end at --week.")]

ORIGIN = "Origin: the last week whose data may be used (Monday, YYYY-MM-DD"
TARGET = "Target: the week that is delivered (Monday, YYYY-MM-DD"
Week = Annotated[str, typer.Option("--week", help=f"{ORIGIN}).")]
NewestWeek = Annotated[str | None, typer.Option("--week", help=f"{ORIGIN}; default: the newest that has landed).")]
NextTarget = Annotated[str | None, typer.Option("--target", help=f"{TARGET}; default: the one after the newest that has landed).")]
AfterOrigin = Annotated[str | None, typer.Option("--target", help=f"{TARGET}; default: the one after the origin).")]
First = Annotated[str, typer.Option("--from", help="First week (Monday, YYYY-MM-DD).", callback=_in_order)]
Last = Annotated[str, typer.Option("--until", help="Last week (Monday, YYYY-MM-DD).", callback=_in_order)]
AnyFirst = Annotated[str | None, typer.Option("--from", help="First week (Monday, YYYY-MM-DD; default: the earliest).", callback=_in_order)]
AnyLast = Annotated[str | None, typer.Option("--until", help="Last week (Monday, YYYY-MM-DD; default: the latest).", callback=_in_order)]
AsOf = Annotated[datetime | None, typer.Option("--as-of", help="Show what was known then (UTC; default: now).")]

ToFile = Annotated[Path, typer.Option("--to", help="Where to write: a file that ends in .csv or .parquet.")]
ToFolder = Annotated[Path, typer.Option("--to", help="Where to write: a folder.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="Rows to show at most.")]


def names(entries: Sequence[str] | None) -> list[str]:
    """The names that a repeatable option was given, one by one or separated by commas."""
    return [name.strip() for entry in entries or [] for name in entry.split(",")]


def _in_use(value: str | None) -> None:
    """Put a profile into use before the command begins."""
    if value is not None:
        use_profile(value)


def profile_option() -> TyperOption:
    """`--profile`, which every command that takes `--root` takes beside it: it is no business of the commands themselves."""
    donor = typer.Typer(add_completion=False)
    text = f"Profile of {PROFILES_FILE} whose lake is worked on (default: {PROFILE}, else none)."

    @donor.command()
    def only(profile: Annotated[str | None, typer.Option("--profile", help=text, callback=_in_use, expose_value=False)] = None) -> None: ...

    [option] = typer.main.get_command(donor).params
    assert isinstance(option, TyperOption)  # noqa: S101 - for the type checker
    return option
