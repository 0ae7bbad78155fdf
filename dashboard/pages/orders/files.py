"""Orders as files and on paper: the workbook, the table, sheets for the truck, and the edited workbook that comes back."""

import streamlit as st

from dashboard.pages.orders.upload import show_upload
from dashboard.parts.view import View, address
from dashboard.queries.orders.plans import PlanOf


def show_files(view: View, plan: PlanOf, store: str) -> None:
    """What is to be loaded, by addresses that make a file or sheets when they are opened; planners of the region may bring the workbook back."""
    region = {"region": str(plan.region), "week": str(plan.target)}
    chosen = {**region, "store": store} if store else region
    st.subheader("Files and paper", anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.link_button(f"Download the workbook of {'this store' if store else 'all stores'} (XLSX)", address("orders/workbook", **chosen))
        st.link_button("Download the plan of all stores (CSV)", address("orders/table", **region))
        st.link_button("Print this store" if store else "Print by store", address("orders/print", **chosen))
    if view.person.may_plan(str(plan.region)):
        show_upload(view, plan)
