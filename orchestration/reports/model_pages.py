"""What the pages of a region's models show: how they do over time beside the historical average, on held-back weeks and live.

All regions of a run are read by one query a table; what the page of a plan or forecast shows is for `slices`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from models.evaluation.svg import BLUE, DIM, RED, Series, line_chart
from orchestration.reports.slices import Page, Row, page_of, within
from orchestration.runtime.metadata import markdown_table, picture, rounded
from transforms.calendar import Region, Slice, Week, around
from transforms.contracts.gold import ACCURACY
from transforms.contracts.life_cycle import MODEL_VERSIONS
from transforms.lake.tables import Lake, day, region_list
from transforms.monitoring.accuracy import SUMS

Scored: TypeAlias = tuple[Week, float | None, float | None]
"""A week with the MAPE of the models and that of the historical average."""
_SHOWN_WEEKS = 26
_MODEL_COLUMNS = ["segment", "trained at", "MAPE", "historical average"]


def live_pages(lake: Lake, slices: Sequence[Slice], target: float) -> Page:
    """How a region's forecasts turned out, week by week, beside the historical average: a picture, the newest numbers, and where its models are."""
    history: dict[Region, list[Scored]] = defaultdict(list)
    with lake.connect(ACCURACY.name) as connection:
        rows = connection.execute(
            f"""
            select region, week, mape, baseline_mape from (
                select region, week, {SUMS} from gold_accuracy where {within("week", slices, before=_SHOWN_WEEKS)} group by region, week
            ) order by week
            """
        ).fetchall()
    for region, week, *scores in rows:
        history[Region(region)].append((Week(week), *scores))
    title = "MAPE of live forecasts"

    def page(item: Slice) -> Mapping[str, Any]:
        shown = [row for row in history[item.region] if item.week + -_SHOWN_WEEKS < row[0] <= item.week and row[1] is not None]
        newest = dict(zip(("live_mape", "live_baseline_mape"), shown[-1][1:], strict=True)) if shown else {}
        return {**rounded(newest), **_charted("live_accuracy", f"{title}, {item.region}", shown, target), **_models_page(item)}

    return page


def held_back_pages(lake: Lake, slices: Sequence[Slice], target: float) -> Page:
    """How a region's ensembles did on the weeks held back from their training: the newest of each segment, and all over the weeks of training."""
    history: dict[Region, list[tuple[Week, str, float | None, float | None]]] = defaultdict(list)
    block = around(slices)
    with lake.connect(MODEL_VERSIONS.name) as connection:
        rows = connection.execute(
            f"""
            select region, trained_week, format || '/' || mover, try_cast(metrics ->> 'mape' as double),
                try_cast(metrics ->> 'baseline_mape' as double)
            from gold_model_versions
            where kind = 'ensemble' and region in ({region_list(block.regions)}) and trained_week <= {day(block.last)}
            order by trained_week, trained_at, format, mover
            """
        ).fetchall()
    for region, week, *model in rows:
        history[Region(region)].append((Week(week), *model))
    title = "Mean MAPE on held-back weeks"

    def page(item: Slice) -> Mapping[str, Any]:
        known = [row for row in history[item.region] if row[0] <= item.week]
        newest = {segment: (segment, str(week), mape, average) for week, segment, mape, average in known}
        means = {"mean_mape": _mean([row[2] for row in newest.values()]), "mean_baseline_mape": _mean([row[3] for row in newest.values()])}
        by_week: dict[Week, list[Row]] = defaultdict(list)
        for week, _, mape, average in known:
            if week > item.week + -_SHOWN_WEEKS:
                by_week[week].append((mape, average))
        shown = [(week, _mean([row[0] for row in rows]), _mean([row[1] for row in rows])) for week, rows in by_week.items()]
        models = {"newest_models": markdown_table(_MODEL_COLUMNS, sorted(newest.values()))} if newest else {}
        return {**rounded(means), **models, **_charted("held_back_accuracy", f"{title}, {item.region}", shown, target), **_models_page(item)}

    return page


def _charted(name: str, title: str, shown: Sequence[Scored], target: float) -> dict[str, Any]:
    """A picture of models, average and target over the weeks; none where nothing is known of them."""
    if not any(row[1] is not None for row in shown):
        return {}
    series = {
        "average": Series([row[2] for row in shown], DIM),
        "models": Series([row[1] for row in shown], BLUE),
        "target": Series([target] * len(shown), RED, dashed=True),
    }
    return {name: picture(title, line_chart(title, [str(row[0]) for row in shown], series))}


def _models_page(item: Slice) -> dict[str, Any]:
    return {"models_page": page_of("training", region=str(item.region))}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
