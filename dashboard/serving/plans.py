"""Plans by plain addresses: which one an address asks for, and what is to be loaded as a file. A page that is drawn again takes no file back."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from dashboard.queries.orders.downloads import plan_csv, plan_workbook
from dashboard.queries.orders.paper import plan_to_print
from dashboard.queries.orders.plans import PlanOf, bring_in_step
from dashboard.queries.reader import Reader, reader_of
from orchestration.settings import settings
from transforms.lake.tables import Lake

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def asked_plan(request: Request) -> tuple[Reader, PlanOf, str | None]:
    """The lake, the plan that an address asks for (`region`, and `week` unless it is the one to load next), in step with its edits, and its `store`.

    Raises
    ------
    MissingData
        If there is no such plan.
    """
    chosen, asked = settings(), request.query_params
    reader = reader_of(Lake(chosen.root, chosen.storage_options))
    plan = plan_to_print(reader, asked.get("region", ""), asked.get("week", ""))
    bring_in_step(reader, plan)
    return reader, plan, asked.get("store") or None


def download_workbook(request: Request) -> Response:
    """Answer with the workbook of a plan, or with the one of a `store`.

    Raises
    ------
    MissingData
        If there is no such plan, or no such store in it.
    """
    reader, plan, store = asked_plan(request)
    content = plan_workbook(reader.lake, plan.region, plan.target, plan.target - plan.origin, store)
    return _file(content, _XLSX, _name(plan, store, "xlsx"))


def download_table(request: Request) -> Response:
    """Answer with the rows of a plan, or with those of a `store`, as CSV.

    Raises
    ------
    MissingData
        If there is no such plan, or no such store in it.
    """
    reader, plan, store = asked_plan(request)
    return _file(plan_csv(reader.lake, plan, store), "text/csv; charset=utf-8", _name(plan, store, "csv"))


def _name(plan: PlanOf, store: str | None, kind: str) -> str:
    return "_".join(filter(None, ("plan", str(plan.region), store, f"{plan.target}.{kind}")))


def _file(content: bytes, kind: str, name: str) -> Response:
    # A store's number is foreign: quoted, it is a name and no header.
    return Response(content, media_type=kind, headers={"content-disposition": f"attachment; filename*=utf-8''{quote(name, safe='')}"})
