"""All commands keep to one list of options: a name means the same, and takes the same, wherever it stands."""

import datetime
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from docs.generate import leaves
from orchestration.cli.app import app

WEEK = "Monday, YYYY-MM-DD"
OPTIONS: dict[str, tuple[type, str | tuple[str, ...]]] = {
    # What is worked on.
    "--root": (str, "Lake root (default: SHELFCAST_ROOT, else .shelfcast in the checkout)."),
    "--profile": (str, "Profile of shelfcast.profiles.yaml whose lake is worked on"),
    "--region": (str, "Sales region"),
    "--store": (str, "Store id"),
    "--product": (str, "Product id"),
    "--segment": (str, "Segment of the region"),
    "--week": (str, f"Origin: the last week whose data may be used ({WEEK}"),
    "--target": (str, f"Target: the week that is delivered ({WEEK}"),
    # Where a range of weeks begins, or whose release it is.
    "--from": (str, (f"First week ({WEEK}", "Profile that is released.")),
    "--until": (str, f"Last week ({WEEK}"),
    "--on": (datetime.datetime, "Date whose champions are meant (YYYY-MM-DD)."),
    "--as-of": (datetime.datetime, "Show what was known then (UTC; default: now)."),
    "--state": (str, "State of a version"),
    "--before": (str, "Version"),
    "--after": (str, "Version"),
    "--limit": (int, "Rows to show at most."),
    # Who decides.
    "--by": (str, "Who decides; kept for good."),
    "--why": (str, "Why; kept for good beside who and when."),
    # Where from and where to.
    "--to": (Path, ("Where to write: a", "Profile that takes the release.")),
    "--format": (str, "xlsx: a workbook a region, a sheet a store; csv: a file a store."),
    "--page": (bool, "Also write it as an HTML page"),
    "--provider": (str, "A built-in provider"),
    "--name": (str, "Name of the provider"),
    "--landing": (Path, "Folder with the provider's files"),
    "--data": (str, "Folder with the orange-juice data"),
    "--salt-file": (Path, "File with the secret salt"),
    "--backup": (str, "Which backup (default: the latest)."),
    "--checkout": (Path, "Checkout to write to."),
    # How it is done.
    "--local": (bool, "Run in this process alone: no service, no network, no run history."),
    "--retrain": (bool, "Train every model"),
    "--resume": (bool, "Leave out weeks that a cycle went through already"),
    "--horizons": (int, "Weeks ahead to forecast"),
    "--members": (str, "Members of one ensemble"),
    "--trials": (int, "Sets of values to try"),
    "--origins": (int, "Rolling origins"),
    "--apply": (bool, "Write what is chosen into shelfcast.yaml."),
    "--forecasts": (bool, "Also forecast with both"),
    "--previous": (bool, "Bring back each segment's previous champion."),
    "--head": (str, "A head that was kept elsewhere"),
    "--every-dataset": (bool, "Hash every data version"),
    "--dry-run": (bool, "Change nothing; show what would be"),
    "--check": (bool, "Only verify the backup's contents"),
    "--mend": (bool, "Also mend what can be mended without losing anything that is on record."),
    "--force": (bool, "Overwrite"),
    "--models": (bool, "Also take the champions along"),
    "--all": (bool, "Open one for every profile"),
    "--address": (bool, "Print the address of the UI that runs already"),
    "--port": (int, "Port of the Dagster UI"),
    "--mode": (str, "shadow, split or interleave."),
    "--share": (float, "Share of the region's stores"),
    "--metric": (str, "ape"),
    "--alpha": (float, "Chance of a false alarm"),
    "--seed": (int, "What the roles are drawn with."),
    # How many of each, in a sample or a test.
    "--regions": (int, "Busiest regions to keep."),
    "--stores": (int, "Busiest stores to keep"),
    "--products": (int, "Busiest products to keep."),
    "--weeks": (int, "Number of weeks"),
}
"""Every option with the type of one value, and how its help begins."""


COMMANDS = dict(leaves(typer.main.get_command(app)))


def one_type(annotation: typing.Any) -> type:
    """The type of one value: without None, and of one element of a list."""
    inner = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
    return one_type(inner[0]) if inner else annotation


def options_of(command: typing.Any) -> list[typing.Any]:
    return [parameter for parameter in command.params if parameter.param_type_name == "option" and parameter.opts != ["--help"]]


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_has_the_same_meaning_and_type_in_every_command(name: str) -> None:
    for option in options_of(COMMANDS[name]):
        [spelling] = option.opts
        assert spelling in OPTIONS, f"{name} {spelling}: use a name of the list, or add it with its meaning"
        kind, meaning = OPTIONS[spelling]
        assert option.help.startswith(meaning), f"{name} {spelling} says {option.help!r}: expected a text that begins with {meaning!r}"
        assert one_type(option.type_descriptor.annotation) in ({kind, str} if spelling == "--to" else {kind}), f"{name} {spelling}"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_does_and_each_help_text_is_a_sentence(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    texts = [command.help, *(parameter.help for parameter in command.params if parameter.opts != ["--help"])]
    assert [text for text in texts if not (text or "").rstrip().endswith(".")] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_only_the_thing_that_a_command_is_about_is_given_by_position(name: str) -> None:
    """Regions, weeks, stores and products were positional here and options there, in an order that had to be looked up."""
    arguments = [parameter.name for parameter in COMMANDS[name].params if parameter.param_type_name == "argument"]
    assert len(arguments) <= 1
    assert not {"region", "store", "product", "week", "target", "to"} & {*arguments}


def test_no_option_of_the_list_is_without_a_command() -> None:
    assert {spelling for command in COMMANDS.values() for option in options_of(command) for spelling in option.opts} == OPTIONS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_takes_the_root(name: str) -> None:
    done = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    # Promotion writes into a checkout, and provider files are drafted before there is a lake.
    # A release goes between two lakes, which their profiles name.
    works_on_a_lake = name not in {"promote-notebook", "promote-release", "provider draft", "provider check"}
    assert ("--root" in done.output) is works_on_a_lake
    assert ("--profile" in done.output) is works_on_a_lake


def printed_in_messages() -> Iterator[tuple[str, str]]:
    """Each command between single quotes in the texts of product code, with the module that says it; what is filled in later stands as X."""
    checkout = Path(__file__).resolve().parents[3]
    for path in sorted(path for package in ("dashboard", "orchestration", "models", "transforms") for path in (checkout / package).rglob("*.py")):
        text = re.sub(r'"\s*\n\s*f?"', "", path.read_text())
        # Pages show commands by themselves, to be copied.
        shown = re.findall(r'"shelfcast ([^\n"]+)"', text) if (checkout / "dashboard") in path.parents else []
        for command in [*re.findall(r"'shelfcast ([^'\"]+)'", text), *shown]:
            yield str(path.relative_to(checkout)), re.sub(r"\{[^}]*\}", "X", command)


@pytest.mark.parametrize(("module", "command"), sorted(set(printed_in_messages())))
def test_a_command_that_a_message_advises_is_one_that_there_is(module: str, command: str) -> None:
    """Messages advised 'shelfcast backup TARGET' after its folder had become an option."""
    words = command.split()
    length = next((length for length in (2, 1) if " ".join(words[:length]) in COMMANDS), 0)
    assert length, f"{module}: there is no command 'shelfcast {command}'"
    leaf, rest = COMMANDS[" ".join(words[:length])], words[length:]
    options = {name: option for option in options_of(leaf) for name in option.opts}
    assert {word for word in rest if word.startswith("--")} <= options.keys(), f"{module}: options of {command!r}"
    valued = sum(word.startswith("--") and not options[word].is_flag for word in rest)
    places = sum(parameter.param_type_name == "argument" for parameter in leaf.params)
    assert sum(not word.startswith("--") for word in rest) <= valued + places, f"{module}: {command!r} has a word too many"


@pytest.mark.parametrize("command", ["run", "plan --to plans", "export gold/demand --to x.csv", "data log", "models ledger --on 2024-06-24"])
@pytest.mark.parametrize("value", ["", " ", "ohio,"])
def test_a_region_that_is_blank_does_not_stand_for_all_of_them(command: str, value: str, tmp_path: Path) -> None:
    """A script's variable that was not set trained 14 regions."""
    done = CliRunner().invoke(app, [*command.split(), "--region", value, "--root", str(tmp_path / "lake")], env={"COLUMNS": "400"})
    assert done.exit_code != 0
    assert "Leave the option out for all." in done.output


@pytest.mark.parametrize("command", ["backfill", "money", "export gold/demand --to x.csv", "data show gold/demand"])
def test_a_range_of_weeks_that_ends_before_it_begins_is_refused(command: str, tmp_path: Path) -> None:
    """It gave an empty file."""
    for weeks in (["--from", "2024-06-24", "--until", "2024-06-03"], ["--until", "2024-06-03", "--from", "2024-06-24"]):
        done = CliRunner().invoke(app, [*command.split(), *weeks, "--root", str(tmp_path / "lake")], env={"COLUMNS": "400"})
        assert done.exit_code != 0
        assert "--from 2024-06-24 lies after --until 2024-06-03" in done.output


def test_a_range_with_a_word_for_a_week_is_told_what_a_week_is(tmp_path: Path) -> None:
    """It was told that the word lies after the other week."""
    command = ["export", "gold/demand", "--to", "x.csv", "--from", "soon", "--until", "2024-06-03", "--root", str(tmp_path / "lake")]
    done = CliRunner().invoke(app, command, env={"COLUMNS": "400"})
    assert done.exit_code == 1
    assert "'soon' is not a week key" in done.output


def test_the_ui_takes_no_port_that_there_is_not(tmp_path: Path) -> None:
    """It printed an address at port 99999 and waited there for ever."""
    assert CliRunner().invoke(app, ["ui", "--port", "99999", "--root", str(tmp_path)]).exit_code == 2
