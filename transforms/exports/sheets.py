"""What the workbook of a plan and whoever reads it back agree on: headings, the row they stand in, the column to edit, the hidden sheet."""

HEADINGS = {"product_id": "Product", "packs": "Packs to load", "case_pack": "Units in a pack", "units": "Units"}
"""Headings of the columns that are read back, by field."""
HEADER_ROW = 5
EDITED = (
    f"To change what is loaded, enter whole packs in the coloured column ({HEADINGS['packs']}), save, and upload this workbook on the Orders page. "
    "Units follow."
)
INPUT = {
    "validate": "integer", "criteria": "between", "minimum": 0, "maximum": 1_000_000,
    "input_title": HEADINGS["packs"],
    "input_message": "Whole packs that go on the truck; 0 loads none. Units follow. Upload the workbook on the Orders page.",
    "error_title": "Whole packs", "error_message": "Expected a whole number of packs, 0 or more.",
}  # fmt: skip
"""How a spreadsheet program checks and explains a cell of the column to edit, as XlsxWriter has it."""
RECORD = "As downloaded"
"""Name of the hidden sheet."""
RECORD_COLUMNS = ("region", "week", "origin", "sheet", "store_id", "product_id", "case_pack", "packs", "planned_units")
"""One row a line that can be edited: what was to be loaded when the workbook was made, and what the plan said without edits."""
