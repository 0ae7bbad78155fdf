"""Twelve weekly cycles on real invoices, as a company lives through them: a bad week and its correction, a region that joins, a change of code.

Everything goes through the commands that people use; the record that they leave is read back from the lake and told as a table. Needs `iowa_dsd`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from benchmarks.recording import record
from transforms.calendar import Week
from transforms.lake.tables import Lake

HISTORY, FIRST, CYCLES = Week.parse("2020-07-06"), Week.parse("2022-07-25"), 12
RETRAIN_EVERY = 4
BAD, JOINS, NEW_CODE = FIRST + 4, FIRST + 6, FIRST + 9
BAD_REGION, NEW_REGION = "SIOUX_CITY", "QUAD_CITIES"
START = ("COUNCIL_BLUFFS", "SIOUX_CITY")
CHECKOUT = Path(__file__).resolve().parents[1]
_CODE = ("orchestration", "transforms", "models", "dbt_project", "pyproject.toml", "README.md", ".ci", ".gitignore")
_CHANGE = ("np.geomspace(0.3, 3e-4, 12)", "np.geomspace(0.3, 3e-4, 11)")
_WEEKLY = {"invoice_lines": "parquet", "weather_observed_daily": "csv", "weather_forecast_daily": "csv"}


@dataclass(frozen=True)
class Company:
    """Its raw data, its lake, and the code that it runs: a copy, so that the code can change on the way."""

    source: Path
    scratch: Path

    @property
    def root(self) -> Path:
        """Lake root."""
        return self.scratch / "lake"

    @property
    def landing(self) -> Path:
        """Where its files are dropped."""
        return self.root / "landing" / "iowa_dsd"

    @property
    def code(self) -> Path:
        """The checkout that it runs."""
        return self.scratch / "code"

    def found(self) -> None:
        """Copy the code and write the provider, which expects a file for each week."""
        self.code.mkdir(parents=True)
        for name in _CODE:
            path = CHECKOUT / name
            if path.is_dir():
                shutil.copytree(path, self.code / name, ignore=shutil.ignore_patterns("__pycache__", "target", "logs"))
            else:
                shutil.copy(path, self.code / name)
        text = (CHECKOUT / "transforms" / "providers" / "iowa_dsd.yaml").read_text()
        for name, kind in _WEEKLY.items():
            text = text.replace(f"files: {name}.{kind}", f"files: {name}*.{kind}")
        (self.scratch / "iowa_dsd.yaml").write_text(text)
        self._git("init", "--quiet")
        self._commit("code of the first cycles")

    def change_code(self) -> None:
        """Change something that decides what is learned."""
        module = self.code / "models" / "members" / "lasso.py"
        module.write_text(_replaced(module.read_text(), *_CHANGE))
        self._commit("lasso: a shorter path")

    def stores(self, folder: Path, regions: tuple[str, ...]) -> None:
        """Write the store list with only these regions."""
        self._copy(f"from read_csv('{self.source}/stores.csv', all_varchar = true) where region in {_names(regions)}", folder / "stores.csv")

    def history(self, folder: Path, until: Week) -> None:
        """Write what a company has when it starts: reference files, and invoices and weather up to a week."""
        folder.mkdir(parents=True)
        self.stores(folder, START)
        for name in ("products.csv", "events.csv", "zip_demographics.csv"):
            shutil.copy(self.source / name, folder / name)
        self.deliveries(folder / "invoice_lines.parquet", START, HISTORY, until)
        self.weather(folder, "", HISTORY, until)

    def deliveries(self, path: Path, regions: tuple[str, ...], first: Week, last: Week, wrong: str = "") -> None:
        """Write the invoice lines of some regions and weeks; those of the region `wrong` ten times too large."""
        self._copy(
            f"""
            select i.* replace (case when s.region = '{wrong}' then 10 * bottles else bottles end as bottles)
            from read_parquet('{self.source}/invoice_lines.parquet') as i
            join read_csv('{self.source}/stores.csv') as s using (store_id)
            where s.region in {_names(regions)} and {_inside("invoice_date", first, last)} order by invoice_item_no
            """,
            path,
        )

    def weather(self, folder: Path, name: str, first: Week, last: Week) -> None:
        """Write what was observed and what was forecast in some weeks."""
        for kind, column in (("weather_observed_daily", "date"), ("weather_forecast_daily", "issued_at_et")):
            rows = f"from read_csv('{self.source}/{kind}.csv') where {_inside(column, first, last)}"
            # The source's weather ends before its invoices do; an empty file would be refused.
            if duckdb.sql(f"select count(*) from ({rows})").fetchall() != [(0,)]:
                self._copy(rows, folder / f"{kind}{name}.csv")

    def week(self, week: Week, regions: tuple[str, ...], wrong: str = "") -> None:
        """Drop the files of one week."""
        self.deliveries(self.landing / f"invoice_lines_{week}.parquet", regions, week, week, wrong)
        self.weather(self.landing, f"_{week}", week, week)

    def shelfcast(self, *arguments: str) -> tuple[int, str, float]:
        """Run a command with the company's code; return exit code, output and seconds."""
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "orchestration", *arguments, "--root", str(self.root)],
            cwd=self.code,
            env={**os.environ, "PYTHONPATH": str(self.code), "COLUMNS": "160"},
            capture_output=True,
            text=True,
            check=False,
        )
        with (self.scratch / "commands.log").open("a") as log:
            log.write(f"$ shelfcast {' '.join(arguments)}\n{done.stdout}{done.stderr}\nexit code {done.returncode}\n\n")
        return done.returncode, done.stdout + done.stderr, time.perf_counter() - started

    def _commit(self, message: str) -> None:
        self._git("add", "--all")
        self._git("-c", "user.name=bench", "-c", "user.email=bench@example.com", "commit", "--quiet", "--message", message)

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.code, check=True)

    def _copy(self, query: str, path: Path) -> None:
        draft = path.with_suffix(".part")
        kind = "parquet" if path.suffix == ".parquet" else "csv, header"
        duckdb.sql(f"copy ({query}) to '{draft}' (format {kind})")
        draft.replace(path)


def live_through(company: Company, console: Console) -> float:
    """Run the cycles; return their seconds."""
    company.found()
    before_bad = BAD + -1
    company.history(company.scratch / "drops", before_bad)
    _must(company.shelfcast("init", "--provider", str(company.scratch / "iowa_dsd.yaml"), "--landing", str(company.scratch / "drops")))
    project = company.root / "shelfcast.yaml"
    project.write_text(_replaced(project.read_text(), "retrain:\n  every_weeks: 1\n", f"retrain:\n  every_weeks: {RETRAIN_EVERY}\n"))
    _, _, seconds = _must(company.shelfcast("backfill", "--from", str(FIRST), "--until", str(before_bad)))
    console.print(f"{FIRST}..{before_bad}: backfill of {before_bad - FIRST + 1} cycles, {seconds:.0f} s")
    regions = START
    for step in range(BAD - FIRST, CYCLES):
        week, notes = FIRST + step, []
        if week == BAD:
            notes.append(f"{BAD_REGION}: units ten times too large")
        if week == BAD + 1:
            company.week(BAD, regions)
            notes.append("the bad week's file is corrected")
        if week == JOINS:
            regions = (*regions, NEW_REGION)
            company.stores(company.landing, regions)
            company.deliveries(company.landing / "invoice_lines_joins.parquet", (NEW_REGION,), HISTORY, week + -1)
            notes.append(f"{NEW_REGION} joins")
        if week == NEW_CODE:
            company.change_code()
            notes.append("the code of a member changes")
        company.week(week, regions, wrong=BAD_REGION if week == BAD else "")
        first = BAD if week == BAD + 1 else week
        code, output, taken = company.shelfcast("backfill", "--from", str(first), "--until", str(week))
        seconds += taken
        if code and week != BAD:
            raise RuntimeError(output)
        console.print(f"{week}: {'; '.join(notes) or 'an ordinary week'}, exit code {code}, {taken:.0f} s")
    return seconds


_DATA = ("gold/dataset_versions", "gold/dataset_events")


def story(lake: Lake) -> Table:
    """One line for each origin: what was trained and kept, decided, served and scored."""
    table = Table("origin", "regions", "trained", "kept", "why", "decisions", "forecasts by rung", "data waiting", "MAPE", title="Weekly cycles")
    with lake.connect("gold/retraining", "gold/model_events", "gold/forecasts", "gold/accuracy", *_DATA) as connection:
        for row in connection.execute(_STORY).fetchall():
            table.add_row(*("" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value) for value in row))
    return table


_STORY = """
with trained as (
    select week, count(*) filter (where retrained) as trained, count(*) filter (where reused is not null) as kept
    from gold_retraining group by week
),
causes as (
    select week, string_agg(cause || ' ' || n, ', ' order by n desc) as why
    from (select week, cause, count(*) as n from gold_retraining where retrained group by all) group by week
),
decided as (
    select week, string_agg(event || ' ' || n, ', ' order by n desc) as decisions
    from (select effective_week as week, event, count(*) as n from gold_model_events where event <> 'retired' group by all) group by week
),
served as (
    select week, string_agg(rung || ' ' || n, ', ' order by n desc) as rungs
    from (select origin_week as week, rung, count(*) as n from gold_forecasts group by all) group by week
),
places as (select origin_week as week, string_agg(distinct region, ', ' order by region) as regions from gold_forecasts group by 1),
waiting as (
    select last_week as week, string_agg(distinct v.region, ', ') as waiting
    from gold_dataset_events as e join gold_dataset_versions as v using (region, dataset_version) where e.event = 'awaiting approval' group by all
),
scored as (
    select (week - to_days(7 * horizon))::date as week, sum(mape * (n - n_zero)) / sum(n - n_zero) as mape
    from gold_accuracy where n > n_zero group by 1
)
select week, regions, trained, kept, why, decisions, rungs, waiting, mape
from trained left join causes using (week) left join decided using (week) left join served using (week) left join places using (week)
left join waiting using (week) left join scored using (week) order by week
"""


def afterwards(company: Company) -> Iterator[tuple[str, bool, float]]:
    """Ask the commands for the record: each with whether it did what it must, and its seconds."""
    lake = Lake(str(company.root))
    [row] = lake.query(
        "select region, store_id, product_id, origin_week, target_week, model_version from t where rung = 'champion' "
        "order by origin_week desc, expected desc limit 1",
        t="gold/forecasts",
    ).to_pylist()
    origin = str(row["origin_week"])
    [model] = lake.query(
        f"select region, trained_week, format || '-' || mover as segment from t where model_version = '{row['model_version']}'",
        t="gold/model_versions",
    ).to_pylist()
    keys = (
        "--region",
        row["region"],
        "--store",
        row["store_id"],
        "--product",
        row["product_id"],
        "--week",
        origin,
        "--target",
        str(row["target_week"]),
    )
    copy = company.scratch / "backup"
    asked = {
        "ledger": ("models", "ledger", "--on", origin),
        "retraining": ("models", "retraining", "--week", origin),
        "trace": ("trace", "forecast", *keys, "--page"),
        "audit": ("audit", "verify", "--every-dataset"),
        "reproduce": ("reproduce", "--region", model["region"], "--week", str(model["trained_week"]), "--segment", model["segment"]),
        "rollback": ("models", "rollback", "--on", str(FIRST + 8), "--by", "operations", "--why", "drill"),
        "backup": ("backup", "--to", str(copy)),
        "maturity": ("maturity",),
    }
    for name, arguments in asked.items():
        code, _, seconds = company.shelfcast(*arguments)
        yield name, code == 0, seconds
    shutil.rmtree(company.root)
    code, _, seconds = company.shelfcast("restore", str(copy))
    yield "restore after loss of the root", code == 0 and lake.exists("gold/forecasts"), seconds


def _must(result: tuple[int, str, float]) -> tuple[int, str, float]:
    if result[0]:
        raise RuntimeError(result[1])
    return result


def _replaced(text: str, old: str, new: str) -> str:
    if old not in text:
        raise RuntimeError(f"A file no longer holds {old!r}: name what stands there now.")
    return text.replace(old, new)


def _names(regions: tuple[str, ...]) -> str:
    return "(" + ", ".join(f"'{region}'" for region in regions) + ")"


def _inside(column: str, first: Week, last: Week) -> str:
    return f"{column}::date between date '{first}' and date '{last}' + 6"


def life_cycle(source: Path, scratch: Path) -> list[dict[str, object]]:
    """The cycles, and the record of them; nothing where the data are absent."""
    data, console = source.parent / "iowa_dsd", Console(width=200)
    if not data.is_dir():
        console.print(f"life cycle skipped: {data} does not exist.")
        return []
    return told(Company(data, scratch / "life_cycle"), console)


def told(company: Company, console: Console) -> list[dict[str, object]]:
    """Live through the cycles, print their story, ask for the record, and return the rows to record."""
    seconds = live_through(company, console)
    console.print(story(Lake(str(company.root))))
    rows: list[dict[str, object]] = [{"name": f"life cycle: {CYCLES} weekly cycles", "value": seconds, "unit": "s", "peer": "", "peer_value": ""}]
    for name, done, taken in afterwards(company):
        console.print(f"{name}: {'as it should be' if done else 'FAILED'}, {taken:.1f} s")
        rows.append({"name": f"life cycle: {name}", "value": taken if done else "failed", "unit": "s", "peer": "", "peer_value": ""})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of iowa_dsd")
    parser.add_argument("--scratch", type=Path, required=True, help="folder to make: lake, code, commands.log")
    given = parser.parse_args()
    record(told(Company(given.data, given.scratch.resolve()), Console(width=200)), "python -m benchmarks.life_cycle")


if __name__ == "__main__":
    main()
