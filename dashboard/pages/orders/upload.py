"""The edited workbook that comes back: what it would change, what it costs, what others set meanwhile; saved with one reason, or dropped."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from dashboard.pages.orders.reason import ask_why
from dashboard.pages.orders.told import said, told
from dashboard.parts.pressing import refuse_unseen, shown_before
from dashboard.parts.table import Cell, Column, Line, show_table
from dashboard.parts.view import View
from dashboard.parts.words import counted, plain
from dashboard.queries.orders.plans import PlanOf
from dashboard.queries.orders.uploads import Compared, Differing, compared, cost
from orchestration.service.orders import edit_plan
from transforms.errors import ShelfcastError
from transforms.exports.upload import LARGEST_BYTES, UploadRefused, Wanted, read_upload
from transforms.orders.record import Change

_COLUMNS = (
    Column("store", "Store", phone=True),
    Column("product", "Product", phone=True),
    Column("now", "Now", "Units to load as the plan and its edits are now", number=True),
    Column("to", "To load", "Units to load once this is saved", number=True, phone=True),
    Column("units", "Difference", "Units more or less", number=True),
)
_MEANWHILE = Column("note", "Meanwhile", "What somebody else set since the workbook was downloaded")


def show_upload(view: View, plan: PlanOf) -> None:
    """Take the workbook, and show what it would change or why it cannot be taken."""
    number = st.session_state.setdefault("upload_number", 0)
    file = st.file_uploader(
        f"Upload the edited workbook (XLSX, at most {LARGEST_BYTES >> 20} MB)",
        type="xlsx",
        max_upload_size=LARGEST_BYTES >> 20,
        key=f"upload_{number}",
        help="Download the workbook, change its coloured column (Packs to load), save it, and drop it here. You see what it would change first.",
    )
    if words := st.session_state.pop("uploaded", ""):
        st.success(plain(words))
    if file is None:
        return
    try:
        found = compared(view.reader, plan, _lines(plan, file))
    except UploadRefused as refused:
        faults = "\n".join(f"- {plain(fault)}" for fault in refused.faults)
        st.error(f"**Nothing was taken from this workbook.** Correct what follows, and upload it again.\n\n{faults}")
        return
    _show_changes(view, plan, found)


def _lines(plan: PlanOf, file: UploadedFile) -> list[Wanted]:
    """The workbook's lines. It is read once, not at each change of the page."""
    of = (file.file_id, plan)
    kept: tuple[object, list[Wanted] | UploadRefused] = st.session_state.get("upload_read", (None, []))
    if kept[0] != of:
        kept = of, _read(plan, file)
        st.session_state["upload_read"] = kept
    if isinstance(kept[1], UploadRefused):
        raise kept[1]
    return kept[1]


def _read(plan: PlanOf, file: UploadedFile) -> list[Wanted] | UploadRefused:
    with TemporaryDirectory() as folder:
        copied = Path(folder) / "plan.xlsx"
        copied.write_bytes(file.getbuffer())
        try:
            return read_upload(copied, file.name, plan.region, plan.target, plan.origin)
        except UploadRefused as refused:
            return refused


def _show_changes(view: View, plan: PlanOf, found: Compared) -> None:
    if found.kept:
        st.info(f"{_counted(view, found.kept)} that others edited since the download, and you did not, stay as they are now.")
    if not (found.edited or found.contested):
        st.info("**Nothing in this workbook differs from what is to be loaded.** Change its coloured column, save it, and upload it again.")
        return
    with st.container(border=True):
        chosen = list(found.edited)
        if found.contested:
            st.warning(f"{_counted(view, found.contested)} that you edited were edited by others too since the download. They stay as they are now.")
            if st.checkbox("Load mine there instead", key="upload_replace"):
                chosen.extend(found.contested)
        st.markdown(f"**{_counted(view, chosen)} of the workbook differ, not saved.** {told(view, cost(chosen))}")
        shown = [_line(view, line) for line in (*found.contested, *found.edited)]
        columns = (*_COLUMNS, _MEANWHILE) if found.contested else _COLUMNS
        show_table("upload", f"Changes of {plan.region} for {plan.target} by a workbook", columns, shown, empty="")
        _ask(view, plan, chosen)


def _ask(view: View, plan: PlanOf, chosen: Sequence[Differing]) -> None:
    """Why, and the buttons to save or drop it all."""
    now = {(line.wanted.store_id, line.wanted.product_id, line.row["order_quantity"]) for line in chosen}
    seen = shown_before(f"upload {st.session_state['upload_number']}", now)
    pressed, reason, note = ask_why("upload_", ready=bool(chosen))
    if pressed == "drop":
        _done("")
    if pressed == "save" and seen != now:
        refuse_unseen("lines of this workbook were edited by somebody: they")
    elif pressed == "save":
        changes = [Change(line.wanted.store_id, line.wanted.product_id, line.wanted.units, line.row["order_quantity"], "upload") for line in chosen]
        try:
            done = edit_plan(view.lake, view.person, plan.region, plan.target, changes, reason, note)
        except ShelfcastError as error:
            st.error(plain(str(error)))
            return
        view.reader.forget_versions()
        _done(said(view, done))


def _done(words: str) -> None:
    """Begin anew, with room for another workbook."""
    st.session_state["upload_number"] += 1
    st.session_state["uploaded"] = words
    st.rerun()


def _counted(view: View, lines: Sequence[Differing]) -> str:
    return counted(view.numbers, len(lines), "line")


def _line(view: View, line: Differing) -> Line:
    number, wanted, row = view.numbers, line.wanted, line.row
    now = int(row["order_quantity"])
    others = now != wanted.downloaded
    who = row["person"] if row["edited"] else "somebody, by taking an edit back"
    return Line(
        f"{wanted.store_id}|{wanted.product_id}",
        {
            "store": Cell(row["store_name"] or f"Store {wanted.store_id}", small=wanted.store_id),
            "product": Cell(row["product_name"] or f"Product {wanted.product_id}", small=wanted.product_id),
            "now": Cell(number.whole(now), now),
            "to": Cell(number.whole(wanted.units), wanted.units, phone=f"now {number.whole(now)}"),
            "units": Cell(number.signed_units(wanted.units - now), wanted.units - now),
            "note": Cell(f"{now} set by {who}; {wanted.downloaded} when downloaded" if others else ""),
        },
        tone="look" if others else "",
    )
