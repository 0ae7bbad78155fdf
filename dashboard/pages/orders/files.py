"""Orders as files and on paper: the workbook, the table, sheets for the truck, and the edited workbook that comes back."""

import streamlit as st

from dashboard.pages.orders.upload import show_upload
from dashboard.parts.view import View, address
from dashboard.queries.orders.downloads import plan_csv, plan_workbook
from dashboard.queries.orders.lines import PlanOf

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def show_files(view: View, plan: PlanOf, store: str) -> None:
    """What is to be loaded, as files that are made when somebody asks for one; planners of the region may bring the workbook back."""
    what, name = ("this store", f"{plan.region}_{store}") if store else ("all stores", str(plan.region))

    def workbook() -> bytes:
        return plan_workbook(view.lake, plan.region, plan.target, plan.target - plan.origin, store or None)

    def table() -> bytes:
        return plan_csv(view.lake, plan)

    st.subheader("Files and paper", anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(f"Download the workbook of {what} (XLSX)", workbook, f"plan_{name}_{plan.target}.xlsx", _XLSX, key="workbook")
        st.download_button("Download the plan of all stores (CSV)", table, f"plan_{plan.region}_{plan.target}.csv", "text/csv", key="plan_csv")
        chosen = {"region": str(plan.region), "week": str(plan.target), **({"store": store} if store else {})}
        st.link_button("Print this store" if store else "Print by store", address("orders/print", **chosen))
    if view.person.may_plan(str(plan.region)):
        show_upload(view, plan)
