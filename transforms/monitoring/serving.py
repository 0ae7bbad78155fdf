"""What serves: from which origin each region was forecast last, and which step of its ladder made the forecasts."""

from datetime import date

from transforms.contracts.gold import FORECASTS
from transforms.contracts.rungs import CHAMPION
from transforms.errors import MissingData
from transforms.lake.tables import Lake


def newest_origins(lake: Lake) -> dict[str, date]:
    """The newest origin of each region, as the log of the forecasts tells it: none of them is read.

    Raises
    ------
    MissingData
        If the log does not tell it of some file, which was not written here.
    """
    newest: dict[str, date] = {}
    for file in lake.data_files(FORECASTS.name).to_pylist() if lake.exists(FORECASTS.name) else []:
        region, week = file["partition.region"], file.get("max.origin_week")
        if week is None:
            raise MissingData(f"{FORECASTS.name}: the log does not tell the weeks of {file['path']}, which was not written here.")
        newest[region] = max(week, newest.get(region, week))
    return newest


def served_rungs(forecasts: str, ladder: str = "true") -> str:
    """SQL over gold_forecasts and gold_ladder: a row per region, origin_week, format, mover and rung, with first_step, reason and n, the rows.

    Parameters
    ----------
    forecasts
        Predicate for the forecasts that are looked at.
    ladder
        Predicate for the rows of the ladder among which the first step of an origin is.
    """
    return f"""
        with

        served as (
            select region, origin_week, format, mover, rung, any_value(rung_reason) as reason, count(*) as n
            from gold_forecasts where {forecasts} group by all
        ),

        first_steps as (select region, format, mover, week, rung from gold_ladder where rank = 1 and {ladder})

        select s.region, s.origin_week, s.format, s.mover, s.rung, coalesce(f.rung, '{CHAMPION}') as first_step, s.reason, s.n
        from served as s asof left join first_steps as f
            on s.region = f.region and s.format = f.format and s.mover = f.mover and s.origin_week >= f.week
        order by all
        """
