"""How far operations are automated, as it was assessed last: the level that is reached, and what is missing for the next one."""

from dataclasses import dataclass
from datetime import datetime

from dashboard.queries.reader import Reader
from transforms.contracts.operations import MATURITY

HIGHEST = 4


@dataclass(frozen=True, slots=True)
class Maturity:
    """The level, 0 to 4, when that was assessed, criteria met of all, and the missing steps to the next level."""

    level: int
    assessed_at: datetime
    met: int
    criteria: int
    steps: list[str]


def maturity(reader: Reader) -> Maturity | None:
    """The newest assessment; None before there is one."""
    sql = "select * from gold_maturity where assessed_at = (select max(assessed_at) from gold_maturity) order by level, criterion"
    rows = reader.rows(sql, MATURITY.name)
    if not rows:
        return None
    missing = [row for row in rows if not row["met"]]
    level = min((row["level"] - 1 for row in missing), default=HIGHEST)
    steps = [row["evidence"] for row in missing if row["level"] == level + 1]
    return Maturity(level, rows[0]["assessed_at"], len(rows) - len(missing), len(rows), steps)
