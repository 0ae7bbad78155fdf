"""Orders on paper: a page without scripts, one store a sheet, that a browser prints. Texts on it are foreign: none becomes more."""

import base64
import hashlib
import html
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse

from dashboard.parts.numbers import Numbers, dated, moment
from dashboard.parts.view import address
from dashboard.parts.words import counted, region_name
from dashboard.queries.orders.paper import Paper, paper_of
from dashboard.serving.plans import asked_plan
from orchestration.web.headers import POLICY
from transforms.contracts.orders import APPROVED
from transforms.exports.store_plans import StorePlan

_CSS = (Path(__file__).parent / "paper.css").read_text()
_DIGEST = base64.b64encode(hashlib.sha256(_CSS.encode()).digest()).decode()
_HEADERS = {POLICY: f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"}
_LONGEST = 2_000
"""Letters of a message: what came in an address is repeated in it."""
_BOX = "<td class='tick'><span aria-hidden='true'></span></td>"


def print_orders(request: Request) -> HTMLResponse:
    """Answer with the sheets of a plan (`region`, `week`), or with the one of a `store`.

    Raises
    ------
    MissingData
        If there is no such plan, or no such store in it.
    """
    reader, plan, store = asked_plan(request)
    numbers = Numbers(request.headers.get("accept-language", "").split(",")[0].split(";")[0].strip() or "en-US")
    title = f"Orders of {region_name(str(plan.region))}, week of {dated(plan.target)}"
    return HTMLResponse(_page(title, _body(paper_of(reader, plan, store), numbers)), headers=_HEADERS)


def say_nothing_there(_: Request, error: Exception) -> HTMLResponse:
    """Answer that what an address asks for is not there, and what was expected."""
    return _said("Nothing there", error, 404)


def say_unreadable(_: Request, error: Exception) -> HTMLResponse:
    """Answer that the lake could not be asked, and what to do."""
    return _said("The lake cannot be read", error, 503)


def _said(title: str, error: Exception, status: int) -> HTMLResponse:
    return HTMLResponse(_page(title, f"<p>{html.escape(str(error)[:_LONGEST])}</p>"), status, _HEADERS)


def _page(title: str, body: str) -> str:
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{html.escape(title)}</title><style>{_CSS}</style></head><body><main>{body}</main></body></html>"
    )


def _body(paper: Paper, numbers: Numbers) -> str:
    back = html.escape(address("orders", region=str(paper.plan.region), week=str(paper.plan.target)), quote=True)
    hint = (
        f"<p class='hint'>Print this page by your browser's menu (Ctrl+P): each store has a sheet of its own. <a href='{back}'>Back to Orders</a></p>"
    )
    count = len(paper.stores)
    return hint + "".join(_sheet(paper, store, f"Sheet {place} of {count}", numbers) for place, store in enumerate(paper.stores, 1))


def _sheet(paper: Paper, store: StorePlan, place: str, numbers: Numbers) -> str:
    where = ", ".join(filter(None, (f"Store {store.store_id}", paper.places.get(store.store_id))))
    return (
        f"<section class='store'><header><div><h1>{html.escape(store.store_name or f'Store {store.store_id}')}</h1><p>{html.escape(where)}</p></div>"
        f"<div><h2>Week of {dated(store.week)}</h2><p>{html.escape(region_name(str(store.region)))}, {place}</p></div></header>"
        "<table><thead><tr><th class='tick'>Loaded</th><th>Product</th><th>Number</th><th class='number'>Cases</th>"
        "<th class='number size'>Units in a case</th><th class='number'>Units</th><th class='tick'>Delivered</th></tr></thead>"
        f"<tbody>{''.join(_lines(store, numbers))}</tbody></table>"
        f"<footer><p>{html.escape(_approved(paper, numbers))}</p>"
        "<div class='sign'><p>Loaded by</p><p>Delivered by</p><p>Received by</p></div></footer></section>"
    )


def _lines(store: StorePlan, numbers: Numbers) -> Iterator[str]:
    if not store.to_load:
        yield "<tr><td colspan='7'>Nothing is to be loaded for this store.</td></tr>"
    for category, rows in groupby(store.to_load, key=lambda row: row["category"]):
        yield f"<tr class='category'><th colspan='7' scope='rowgroup'>{html.escape(category or 'Other')}</th></tr>"
        for row in rows:
            yield (
                f"<tr>{_BOX}<td>{html.escape(row['product_name'] or 'without a name')}</td><td>{html.escape(row['product_id'])}</td>"
                f"<td class='number cases'>{numbers.whole(row['packs'])}</td><td class='number size'>{numbers.whole(row['case_pack'])}</td>"
                f"<td class='number'>{numbers.whole(row['units'])}</td>{_BOX}</tr>"
            )
    packs, units = (numbers.whole(sum(row[name] for row in store.to_load)) for name in ("packs", "units"))
    yield (
        f"<tr class='sum'>{_BOX}<td colspan='2'>{counted(numbers, len(store.to_load), 'product')}</td><td class='number cases'>{packs}</td>"
        f"<td class='size'></td><td class='number'>{units}</td>{_BOX}</tr>"
    )


def _approved(paper: Paper, numbers: Numbers) -> str:
    """Who approved the plan, and when; what was edited since."""
    decision = paper.decision
    if decision is None:
        return "Nobody has approved this plan yet."
    since = f"; {counted(numbers, decision['edits_since'], 'edit')} since then" if decision["edits_since"] else ""
    if decision["event"] == APPROVED and decision["made_again"]:
        since = f"; made again since then, {counted(numbers, decision['units'], 'unit')} were approved"
    return f"{decision['event'].capitalize()} by {decision['person']}, {moment(decision['event_time'])}{since}."
