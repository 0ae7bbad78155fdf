"""Whether edits of plans helped, by person, reason or region: gold/value_added summed up."""

from collections.abc import Sequence
from datetime import date

from dashboard.queries.reader import Reader
from transforms.contracts.orders import VALUE_ADDED
from transforms.orders.value_added import Summary, summaries

BY = ("person", "reason", "region")
LATEST_WEEKS = 26


def value_of(reader: Reader, by: str, region: str | None = None) -> tuple[Sequence[Summary], date | None, date | None]:
    """Summaries over the latest 26 weeks of which edits are valued, with the first and last of them.

    Parameters
    ----------
    by
        One of BY.
    region
        Only edits of this region.
    """
    sql = f"""
        select * from gold_value_added
        where ($region is null or region = $region)
            and week > (select max(week) from gold_value_added where $region is null or region = $region) - {7 * LATEST_WEEKS}
    """
    rows = reader.table(sql, VALUE_ADDED.name, region=region)
    if not rows.num_rows:
        return (), None, None
    weeks = rows["week"].to_pylist()
    return summaries(rows, by), min(weeks), max(weeks)
