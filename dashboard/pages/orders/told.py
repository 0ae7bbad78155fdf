"""Edits in words: what they would change, and what became of them."""

from dashboard.parts.view import View
from dashboard.parts.words import counted
from dashboard.queries.orders.basket import Difference
from transforms.orders.record import Edited


def told(view: View, change: Difference) -> str:
    """What edits that are not saved would change."""
    number = view.numbers
    units, cases, returns, lost = number.signed_units(change.units), number.signed_units(change.cases), change.returns, change.lost_sales
    return (
        f"{units} units ({cases} cases): expected returns {number.signed(returns)}, lost sales {number.signed(lost)} units; "
        f"{'saves' if change.saved >= 0 else 'costs'} USD {number.three(abs(change.saved))} as the forecast sees it."
    )


def said(view: View, done: Edited) -> str:
    """What became of edits that were saved."""
    others = "".join(
        f" {row['product_id']}: {row['person'] or 'a new plan'} had set {row['order_quantity']} meanwhile (you saw {row['seen']}); yours holds now."
        for row in done.changed_meanwhile
    )
    return f"{counted(view.numbers, done.changed, 'line')} saved, {done.units:+,} units.{others}"
