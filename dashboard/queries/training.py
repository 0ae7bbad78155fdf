"""How models got better or worse, and why: verdicts of an origin, accuracy by segment and week, decisions, what was trained, experiments."""

from dataclasses import dataclass
from datetime import date

from dashboard.queries.overview import TREND_WEEKS, Span
from dashboard.queries.reader import Reader
from transforms.calendar import Region
from transforms.monitoring.accuracy import SUMS
from transforms.records.model_registry import END_OF_TIME, champions
from transforms.rows import Row

_VERSIONS, _EVENTS = "gold/model_versions", "gold/model_events"
# None for all regions. Pooled models and historical averages are no challengers of a segment's own.
_CHOSEN = "($region is null or region = $region)"
_OWN = "mover <> 'all' and region <> 'all'"
_MOST = 300
"""Rows of a list that people read; older ones stand in the tables."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of gold/accuracy: its name, unit (empty for a share), and the rows over which it is a mean, of squares where `root`."""

    name: str
    title: str
    unit: str
    meaning: str
    weight: str | None
    root: bool = False

    def summed(self, column: str) -> str:
        """SQL of a column's value over several rows; none where the parts of a ratio are not on record."""
        if self.weight is None:
            return f"case when count(*) = 1 then any_value({column}) end"
        value = f"{column} * {column}" if self.root else column
        mean = f"sum({value} * {self.weight}) / nullif(sum({self.weight}) filter (where {column} is not null), 0)"
        return f"sqrt({mean})" if self.root else mean


METRICS = {
    metric.name: metric
    for metric in (
        Metric("mape", "MAPE", "", "Mean absolute percentage error of size, over rows with demand.", "(n - n_zero)"),
        Metric("rmse_0", "RMSE_0", "units", "Root mean square error of expected demand, over rows without demand.", "n_zero", root=True),
        Metric("rmse_all", "RMSE_all", "units", "Root mean square error of expected demand, over all rows.", "n", root=True),
        Metric("wape", "WAPE", "", "Sum of absolute errors of expected demand over the sum of demand.", None),
        Metric("bias", "Bias", "units", "Mean of expected minus actual demand, over all rows.", "n"),
    )
}
"""Metrics by name, in the order in which they are offered."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The models that serve at the newest origin, how many of them are significant, and what became of the challengers that were trained there."""

    origin: date
    models: int
    significant: int
    promoted: int
    refused: int
    rolled_back: int


def verdict(reader: Reader, region: str | None) -> Verdict | None:
    """Of one region or of all; None before any model was judged."""
    row = reader.row(
        f"""
        with newest as (select max(week) as origin from gold_ladder), served as (
            select count(*) as models, count(*) filter (where is_significant) as significant
            from gold_ladder where rank = 1 and week = (select origin from newest) and {_CHOSEN}
        ), decided as (
            select
                count(distinct model_version) filter (where event = 'champion' and is_first) as promoted,
                count(distinct model_version) filter (where event = 'rejected') as refused,
                count(distinct (region, format, mover)) filter (where event = 'rolled back') as rolled_back
            from (select *, row_number() over (partition by model_version, event order by event_time) = 1 as is_first from gold_model_events)
            where effective_week = (select origin from newest) and {_OWN} and {_CHOSEN}
        )
        select origin, models, significant, promoted, refused, rolled_back from newest, served, decided
        """,
        "gold/ladder",
        _EVENTS,
        region=region,
    )
    return Verdict(**row) if row and row["origin"] else None


def segments(reader: Reader, span: Span, region: str | None) -> list[Row]:
    """Accuracy of each region, format and mover over the weeks of a span, one week ahead."""
    return reader.rows(
        f"""
        select region, format, mover, {SUMS} from gold_accuracy where horizon = 1 and week between $first and $last and {_CHOSEN}
        group by region, format, mover order by region, format, mover
        """,
        "gold/accuracy",
        first=span.first,
        last=span.last,
        region=region,
    )


def trend(reader: Reader, metric: Metric, region: str | None, *, by_region: bool = False) -> list[Row]:
    """A metric of each segment by week, with the baseline's, one week ahead; summed up over regions, or each region by itself."""
    keys = "format, mover, region" if by_region else "format, mover"
    return reader.rows(
        f"""
        with last_ones as (select distinct week from gold_accuracy where horizon = 1 order by week desc limit {TREND_WEEKS})
        select week, {keys}, {metric.summed(metric.name)} as model, {metric.summed("baseline_" + metric.name)} as baseline
        from gold_accuracy where horizon = 1 and week in (from last_ones) and {_CHOSEN}
        group by week, {keys} order by week, {keys}
        """,
        "gold/accuracy",
        region=region,
    )


def decisions(reader: Reader, region: str | None) -> list[Row]:
    """What was decided on models of segments, the latest first, with the errors on the held-back weeks; not that one was trained or made room."""
    return reader.rows(
        f"""
        select e.*, (v.metrics::json->>'mape')::double as mape, (v.metrics::json->>'baseline_mape')::double as baseline_mape
        from (from gold_model_events where {_OWN} and {_CHOSEN} and event <> 'retired'
            and (event <> 'awaiting validation' or numbers is not null)) as e
        left join gold_model_versions as v using (model_version) order by event_time desc, model_version limit {_MOST}
        """,
        _EVENTS,
        _VERSIONS,
        region=region,
    )


def retraining(reader: Reader, region: str | None) -> list[Row]:
    """What was trained at the newest origin and what was kept, by cause and reason: the number of models and their regions."""
    return reader.rows(
        f"""
        select week, retrained, cause, reason, count(*) as models, list_sort(list(distinct region)) as regions from gold_retraining
        where week = (select max(week) from gold_retraining) and (retrained or reused is not null) and {_CHOSEN}
        group by all order by retrained desc, models desc, reason
        """,
        "gold/retraining",
        region=region,
    )


def serving(reader: Reader) -> list[Row]:
    """The champion of each segment, as `transforms.records.model_registry.champions` has them; historical averages are left out."""
    names = reader.rows("select distinct region from gold_model_versions order by region", _VERSIONS)
    return [row for row in champions(reader.lake, [Region(row["region"]) for row in names], END_OF_TIME) if row["kind"] == "ensemble"]


def training_runs(reader: Reader, region: str | None) -> list[Row]:
    """The latest trainings, one row for each run: when the first and the last model was ready, how many, and on how many rows they learned."""
    return reader.rows(
        f"""
        select run_id, max(trained_week) as origin, min(trained_at) as first, max(trained_at) as last, count(*) as models,
            sum((metrics::json->>'rows')::bigint)::bigint as learned,
            any_value(code_version) as code, any_value(source_commit) as commit
        from gold_model_versions where kind = 'ensemble' and {_CHOSEN} group by run_id order by last desc limit 12
        """,
        _VERSIONS,
        region=region,
    )


def record(reader: Reader, version: str) -> Row:
    """All that is on record about a version; empty where there is none of the name."""
    return reader.row("select * from gold_model_versions where model_version = $version", _VERSIONS, version=version)


def events_of(reader: Reader, version: str) -> list[Row]:
    """Every decision on a version, oldest first."""
    return reader.rows("select * from gold_model_events where model_version = $version order by event_time", _EVENTS, version=version)


def experiments(reader: Reader) -> list[Row]:
    """Runs of experiments, the latest first."""
    return reader.rows(f"select * from gold_experiments order by logged_at desc, run_id limit {_MOST}", "gold/experiments")
