"""README and docs: each printed command does what it says, on a small lake that `shelfcast demo` made, and what follows from code is not stale."""

import ast
import importlib.util
import io
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.servers import S3Server
from docs.generate import AGAIN, generated, packages
from models.members.settings import BoostingSettings, Settings
from orchestration.cli.app import app
from orchestration.cli.demo import WORLD, run_demo
from orchestration.project import Project
from orchestration.settings import CHECKOUT, use_root
from transforms.calendar import Week
from transforms.lake.tables import Lake
from transforms.world import WorldSpec
from transforms.world.geography import PLACES

PAGES = {path.name: path.read_text() for path in [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]}
WORLD_LAST = Week.parse(WORLD.first_week) + (WORLD.weeks - 1)
# The demo's world ends in the same week; 84 weeks are enough for every command.
SPEC = WorldSpec(regions=2, stores_per_region=6, products=8, weeks=84, first_week=str(WORLD_LAST + -83))
RUN_ELSEWHERE = {
    "ui": ("tests/orchestration/web/test_ui.py", "serves until it is stopped"),
    "leaderboard": ("tests/orchestration/defs/test_leaderboard.py", "takes minutes and a public data set"),
    "promote-notebook": ("tests/orchestration/experiments/test_notebook_promotion.py", "writes into the checkout"),
    "fetch": ("tests/orchestration/runtime/test_fetching.py", "needs a database server"),
    "alerts test": ("tests/orchestration/alerts/test_commands.py", "needs a server that takes the message"),
    "models mirror": ("tests/orchestration/lifecycle/test_lifecycle.py", "needs a tracking server"),
    "init --provider PROVIDER": ("tests/orchestration/environments/test_profiles.py", "needs the profiles that it is about"),
    "config show": ("tests/orchestration/environments/test_profiles.py", "needs the profiles that it is about"),
    "promote-release": ("tests/orchestration/environments/test_releases.py", "needs a lake that passes its checks"),
}
"""Printed commands that no test can run here: the test that does, and why. Every other one is run as it is printed."""
WORDS = (
    "REGION",
    "STORE",
    "PRODUCT",
    "WEEK",
    "FIRST",
    "LAST",
    "TARGET",
    "DATE",
    "TIME",
    "VERSION",
    "DATASET",
    "TEST",
    "NAME",
    "WHY",
    "PROVIDER",
    "FILE",
    "FOLDER",
    "NEW",
)
"""What printed commands leave to the reader to fill in, as docs/commands.md explains it."""


def printed() -> list[str]:
    """Each command that a page prints, in blocks of shell and between backticks, comments left out."""
    blocks, prose = [], []
    for text in PAGES.values():
        blocks += [line.split(" #")[0].strip() for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
        prose += [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))]
    found = [line for line in (*blocks, *prose) if re.match(r"(SHELFCAST_\w+=\S+ )?shelfcast \w", line)]
    # A name alone between backticks, like `shelfcast export`, is prose where another place shows how it is called.
    named = {line for line in found if line not in blocks and any(other.startswith(f"{line} ") for other in found)}
    return sorted({*found} - named, key=found.index)


def run_elsewhere(command: str) -> bool:
    return any(f"shelfcast {name} " in f"{command} " for name in RUN_ELSEWHERE)


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
def folder(tmp_path_factory: pytest.TempPathFactory, shop_kept: Path) -> Path:
    """A folder with what the examples name; it is the home of who runs them too."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "secret").write_text("a salt of enough letters")
    shutil.copytree(shop_kept, folder / "drops")
    shutil.copy(shop_kept / "corner_shop.yaml", folder)
    return folder


@pytest.fixture(scope="module")
def store(s3_server: S3Server) -> dict[str, str]:
    """The variables of a store that has the bucket which the examples name."""
    s3_server.bucket("bucket")
    return s3_server.environment


@pytest.fixture
def work(demo: tuple[Path, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder to run a command in; the demo's root is the default one, whatever root the command before it had named."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("SHELFCAST_ROOT", str(demo[0]))
    return folder


def filled(command: str, root: Path, work: Path) -> list[str]:
    """The arguments of a printed command, its words in capitals filled from the lake."""
    lake, last = Lake(str(root)), WORLD_LAST
    wanted = f"origin_week = date '{last}' and target_week = date '{last + 1}'"
    forecast = lake.read("gold/forecasts", where=wanted).slice(0, 1).to_pylist()[0]
    versions = lake.read("gold/model_versions", where=f"kind = 'ensemble' and region <> 'all' and trained_week = date '{last + -4}'").to_pylist()
    tests = lake.read("gold/ab_tests")["test_id"].to_pylist() if lake.exists("gold/ab_tests") else []
    values = {
        "REGION": forecast["region"], "STORE": forecast["store_id"], "PRODUCT": forecast["product_id"],
        # Each origin of a backfill is trained: one is enough.
        "WEEK": last + -4, "FIRST": last + (-4 if "backfill" in command else -3), "LAST": last + (-4 if "backfill" in command else 0),
        "TARGET": last + 1, "DATE": last, "TIME": "2100-01-01",
        "VERSION": versions[0]["model_version"], "TEST": tests[0] if tests else "",
        "DATASET": lake.read("gold/dataset_versions")["dataset_version"][0].as_py(), "NAME": "ada", "WHY": "as asked",
        "FILE": lake.read("bronze/landing_files")["source_file"][0].as_py(), "FOLDER": work / "out", "NEW": work / f"restored{'_from_store' if 's3://' in command else ''}",
        # The pages name a region of the demo, and places as a shell has them.
        "ohio": forecast["region"], "~/drops": work / "drops", "/mnt/backup": work / "backup",
    }  # fmt: skip
    words = [word for word in shlex.split(command) if not word.startswith("SHELFCAST_")]
    assert {word for word in words if re.fullmatch(r"[A-Z]+", word)} <= {*WORDS}, f"{command}: use the words that docs/commands.md explains"
    return [str(values.get(word, word)) for word in words[1:]]


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in printed() if not run_elsewhere(command)])
def test_a_command_that_the_pages_print_works_on_the_demo_as_it_is_printed(
    command: str, demo: tuple[Path, str], work: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if "s3://" in command:
        for name, value in request.getfixturevalue("store").items():
            monkeypatch.setenv(name, value)
    if "--members" in command or "--trials" in command:
        # Searching and boosting take their time: one try, and few trees.
        command = command.replace("--trials 20", "--trials 1")
        few = Settings(boosting=BoostingSettings(iterations=2))
        Project.load(demo[0]).model_copy(update={"settings": few}).save(demo[0])
    arguments = filled(command, demo[0], work)
    if command.startswith("shelfcast init"):
        # As the line above it says.
        monkeypatch.setenv("SHELFCAST_ROOT", str(work / "lake"))
    code, output = (alone if "reproduce" in command else shelfcast)(*arguments)
    assert code == 0, output
    assert "Traceback" not in output


@pytest.mark.parametrize("command", [command for command in printed() if run_elsewhere(command)])
def test_a_printed_command_that_is_not_run_here_is_run_by_another_test(command: str) -> None:
    [(path, _)] = [found for name, found in RUN_ELSEWHERE.items() if f"shelfcast {name} " in f"{command} "]
    assert (CHECKOUT / path).exists()
    assert CliRunner().invoke(app, [*command.split()[1:], "--help"]).exit_code == 0


def test_nothing_is_left_out_that_is_not_printed() -> None:
    assert [name for name in RUN_ELSEWHERE if not any(f"shelfcast {name} " in f"{command} " for command in printed())] == []


def test_the_words_to_be_filled_in_are_explained() -> None:
    explained = re.findall(r"^\| ([A-Z, ]+) \|", PAGES["commands.md"], re.MULTILINE)
    assert sorted(word for line in explained for word in line.split(", ")) == sorted(WORDS)


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_names_is_there(name: str) -> None:
    folder, text = CHECKOUT if name == "README.md" else CHECKOUT / "docs", PAGES[name]
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert [link for link in links if link and not (folder / link).exists()] == []
    modules = re.findall(r"python -m (benchmarks[\w.]*|docs[\w.]*)", text)
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []
    targets = re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    assert [target for target in re.findall(r"(?:^|`)make (\w+)", text, re.MULTILINE) if target not in targets] == []
    sections = {
        re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for page in PAGES.values() for line in re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    }
    assert [link for link in re.findall(r"\]\([^)#]*#([^)]+)\)", text) if link not in sections] == []


def test_the_generated_parts_of_the_pages_are_as_the_code_says() -> None:
    stale = [path.relative_to(CHECKOUT).as_posix() for path, text in generated().items() if not path.exists() or path.read_text() != text]
    assert stale == [], f"write them anew with '{AGAIN}'"


def test_the_readme_is_one_page() -> None:
    assert len(PAGES["README.md"].splitlines()) <= 150


def test_the_region_that_the_pages_name_is_one_of_the_demo() -> None:
    assert "Ohio" in {place.name for place in PLACES}


def test_the_demo_ends_with_next_weeks_plan_and_the_command_that_shows_it(demo: tuple[Path, str], work: Path) -> None:
    [command] = re.findall(r"shelfcast (plan --target \S+ --to \S+)", demo[1])
    assert command == f"plan --target {WORLD_LAST + 1} --to plans"
    code, output = shelfcast(*command.split())
    assert code == 0, output
    assert sorted(path.name for path in (work / "plans").iterdir()) == [
        f"plan_{region}_{WORLD_LAST + 1}.xlsx" for region in ("north_texas", "south_texas")
    ]


@pytest.mark.parametrize("package", packages(), ids=lambda folder: folder.relative_to(CHECKOUT).as_posix())
def test_a_room_says_what_belongs_there_and_what_does_not(package: Path) -> None:
    """The table of rooms in docs/architecture.md is made of these sentences."""
    told = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    assert len(re.findall(r"\.(?:\s|$)", told)) >= 2, f"{package}: the docstring needs a sentence on what does not belong there"
