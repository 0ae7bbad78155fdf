"""Commands as README prints them, on a small lake that `shelfcast demo` made."""

import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from models.members.settings import BoostingSettings, Settings
from orchestration.cli.app import app
from orchestration.cli.demo import WORLD, run_demo
from orchestration.project import Project
from orchestration.settings import CHECKOUT, use_root
from transforms.calendar import Week
from transforms.lake.tables import Lake
from transforms.world import WorldSpec
from transforms.world.geography import PLACES

README = (CHECKOUT / "README.md").read_text()
WORLD_LAST = Week.parse(WORLD.first_week) + (WORLD.weeks - 1)
# The demo's world ends in the same week; 84 weeks are enough for every command.
SPEC = WorldSpec(regions=2, stores_per_region=8, products=12, weeks=84, first_week=str(WORLD_LAST + -83))
NOT_RUN = {
    "ui": "serves until it is stopped; tests/orchestration/web/test_ui.py runs it",
    "demo": "made the lake",
    "leaderboard": "takes minutes and a public data set; tests/orchestration/defs/test_leaderboard.py runs it",
    "promote-notebook": "writes into the checkout; tests/orchestration/experiments/test_notebook_promotion.py runs it",
    "models mirror": "needs a tracking server; tests/orchestration/lifecycle/test_lifecycle.py runs it",
    "init": "makes another lake; tests/transforms/landing/test_landing.py runs it",
}


def printed() -> list[str]:
    """Each command that README prints, in blocks of shell and between backticks, comments left out."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
    rest = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    lines = [line.split(" #")[0].strip() for line in blocks.splitlines()] + [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", rest)]
    # A name alone, like `shelfcast run`, is prose where a block or table shows how it is called.
    found = [line for line in lines if re.match(r"(SHELFCAST_\w+=\S+ )?shelfcast \w", line)]
    return sorted({line for line in found if not any(other.startswith(f"{line} ") for other in found)}, key=found.index)


def shelfcast(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments])
    return result.exit_code, result.output + (result.stderr or "")


def alone(*arguments: str) -> tuple[int, str]:
    """Run a command in a process of its own, whose libraries have done nothing else before."""
    done = subprocess.run([sys.executable, "-m", "orchestration", *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The root of a small demo, and what it printed."""
    root, text = tmp_path_factory.mktemp("readme") / "lake", io.StringIO()
    run_demo(use_root(str(root)), False, Console(file=text, width=120), SPEC)
    return root, text.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what README's examples name."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "secret").write_text("a salt of enough letters")
    return folder


@pytest.fixture
def work(demo: tuple[Path, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder to run a command in; the demo's root is the default one, whatever root the command before it had named."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SHELFCAST_ROOT", str(demo[0]))
    return folder


def filled(command: str, root: Path, work: Path) -> list[str]:
    """The arguments of a printed command, its placeholders (words in capitals) filled from the lake."""
    lake, last = Lake(str(root)), WORLD_LAST
    forecast = lake.read("gold/forecasts", where=f"origin_week = date '{last}'").slice(0, 1).to_pylist()[0]
    versions = lake.read("gold/model_versions", where=f"kind = 'ensemble' and region <> 'all' and trained_week = date '{last + -4}'").to_pylist()
    weeks = (last + -4, last + -4) if "backfill" in command else (last + -3, last)
    tests = lake.read("gold/ab_tests")["test_id"].to_pylist() if lake.exists("gold/ab_tests") else []
    values = {
        "W": last + 1 if " plan " in command else last if "TARGET" in command else last + -4,
        "W1": weeks[0], "W2": weeks[1], "WEEK": last + -4, "DATE": last, "TIME": "2100-01-01",
        "REGION": forecast["region"], "ohio": forecast["region"], "STORE": forecast["store_id"], "PRODUCT": forecast["product_id"],
        "TARGET": forecast["target_week"],
        "VERSION": versions[0]["model_version"], "TEST": tests[0] if tests else "",
        "NAME": lake.read("bronze/landing_files")["source_file"][0].as_py() if " trace " in command else "ada", "REASON": "as asked",
        "DIR": work / "plans", "NEW": work / "restored",
    }  # fmt: skip
    plain = command.replace("[", "").replace("]", "").replace("/mnt/", f"{work}/")
    words = [word for word in shlex.split(plain) if not word.startswith("SHELFCAST_")]
    unknown = {word for word in words if re.fullmatch(r"[A-Z]+\d?", word)} - set(values)
    assert not unknown, f"{command}: nothing fills {unknown}"
    return [str(values.get(word, word)) for word in words[1:]]


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in printed() if not any(f"shelfcast {name} " in f"{command} " for name in NOT_RUN)])
def test_a_command_that_readme_prints_works_on_the_demo_as_it_is_printed(command: str, demo: tuple[Path, str], work: Path) -> None:
    if "--members" in command or "--trials" in command:
        # Searching and boosting take their time: two tries, and few trees.
        command = command.replace("--trials 20", "--trials 1")
        few = Settings(boosting=BoostingSettings(iterations=2))
        Project.load(demo[0]).model_copy(update={"settings": few}).save(demo[0])
    code, output = (alone if "reproduce" in command else shelfcast)(*filled(command, demo[0], work))
    assert code == 0, output
    assert "Traceback" not in output


def test_the_region_that_readme_names_is_one_of_the_demo() -> None:
    assert "Ohio" in {place.name for place in PLACES}


def test_the_demo_ends_with_next_weeks_plan_and_the_command_that_shows_it(demo: tuple[Path, str], work: Path) -> None:
    [command] = re.findall(r"shelfcast (plan --target \S+ --to \S+)", demo[1])
    assert command == f"plan --target {WORLD_LAST + 1} --to plans"
    code, output = shelfcast(*command.split())
    assert code == 0, output
    assert sorted(path.name for path in (work / "plans").iterdir()) == [
        f"plan_{region}_{WORLD_LAST + 1}.xlsx" for region in ("north_texas", "south_texas")
    ]
