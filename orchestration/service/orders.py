"""What a signed-in person does to order plans: edits and approvals, each refused where the person's role does not allow it."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from orchestration.people import Person
from transforms.calendar import Region, SliceBlock, Week
from transforms.errors import ConfigurationError
from transforms.lake.tables import Lake
from transforms.orders.final import keep_final
from transforms.orders.record import Change, Edited, Seen, Why, record_decision, record_edits
from transforms.rows import Row


def edit_plan(lake: Lake, person: Person, region: Region, target: Week, changes: Sequence[Change], reason: str, note: str) -> Edited:
    """Put a person's edits of a region's plan on record; see `transforms.orders.record.record_edits`.

    Raises
    ------
    ConfigurationError
        If the person may not edit plans of the region.
    """
    _allow(person, region)
    why = Why(person.name, reason, note.strip() or None)
    return record_edits(lake, region, target, changes, why, secrets.token_hex(8), partial(datetime.now, UTC))


def decide_on_plan(lake: Lake, person: Person, region: Region, target: Week, event: str, note: str, seen: Seen) -> Row:
    """Put a person's approval of a region's plan on record, or that it is withdrawn; see `transforms.orders.record.record_decision`.

    Raises
    ------
    ConfigurationError
        If the person may not approve plans of the region.
    """
    _allow(person, region)
    return record_decision(lake, region, target, event, person.name, note.strip() or None, seen, partial(datetime.now, UTC))


def keep_in_step(lake: Lake, region: Region, origin: Week) -> None:
    """Write what is to be loaded anew from plan and edits, as `transforms.orders.final` has it; nothing is decided by it, so anybody may ask."""
    keep_final(lake, SliceBlock((region,), origin, origin))


def by_per_cent(rows: Sequence[Row], per_cent: float) -> list[Change]:
    """The changes that raise (or lower) each line by a share, in whole cases.

    A line that was to be loaded keeps at least what rounding leaves it; one of which nothing was to be loaded stays so.

    Parameters
    ----------
    rows
        Rows with store_id, product_id, order_quantity and case_pack.
    """
    return [Change(row["store_id"], row["product_id"], _in_cases(row, 1 + per_cent / 100), row["order_quantity"], "per cent") for row in rows]


def _in_cases(row: Row, factor: float) -> int:
    pack = int(row["case_pack"] or 1)
    return max(0, round(float(row["order_quantity"]) * factor / pack)) * pack


def _allow(person: Person, region: Region) -> None:
    if not person.may_plan(str(region)):
        whose = "" if person.regions is None else f" of {', '.join(person.regions) or 'no region'}"
        raise ConfigurationError(
            f"{person.name} is a {person.role}{whose}: plans of {region} are edited and approved by its planners and by operators. Ask an operator "
            "for the role in roles.yaml. Nothing was changed."
        )
