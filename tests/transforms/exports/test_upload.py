"""Workbooks of plans that come back: what was edited in them, and a sentence for everything that is wrong with one."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from transforms.calendar import Region, Week
from transforms.exports import upload
from transforms.exports.store_plans import StorePlan
from transforms.exports.upload import UploadRefused, Wanted, read_upload
from transforms.exports.workbook import write_workbook

OHIO, WEEK, ORIGIN = Region("ohio"), Week.parse("2024-06-10"), Week.parse("2024-06-03")


def plan(store: str, *lines: tuple[str, int, int, int]) -> StorePlan:
    rows = [
        {"store_id": store, "product_id": product, "product_name": "Chips", "category": "snacks", "case_pack": size, "packs": packs,
         "units": packs * size, "planned_units": planned, "expected": 9.5, "q10": 1.0, "q90": 20.0, "service_level": 0.9,
         "expected_returns": 1.0, "expected_lost_sales": 0.5, "rung": "champion"}
        for product, size, packs, planned in lines
    ]  # fmt: skip
    return StorePlan(OHIO, store, "Main St", WEEK, ORIGIN, pa.Table.from_pylist(rows))


@pytest.fixture(scope="module")
def downloaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("upload") / "plan.xlsx"
    write_workbook([plan("A/1", ("007", 6, 4, 24), ("P2", 12, 2, 24)), plan("B2", ("007", 6, 3, 12))], file)
    return file


@pytest.fixture
def edited(downloaded: Path, tmp_path: Path) -> Callable[[Callable[[Any], object]], Path]:
    """A workbook that somebody changed with a program that calculates nothing."""

    def change(how: Callable[[Any], object]) -> Path:
        book = openpyxl.load_workbook(downloaded)
        how(book)
        book.save(tmp_path / "plan.xlsx")
        return tmp_path / "plan.xlsx"

    return change


def read(file: Path) -> list[Wanted]:
    return read_upload(file, "plan.xlsx", OHIO, WEEK, ORIGIN)


def faults_of(file: Path) -> list[str]:
    with pytest.raises(UploadRefused) as refused:
        read(file)
    return refused.value.faults


def put(cell: str, value: object) -> Callable[[Any], object]:
    return lambda book: book["A_1"].__setitem__(cell, value)


def test_a_workbook_as_it_was_downloaded_changes_nothing(downloaded: Path) -> None:
    assert read(downloaded) == [Wanted("A/1", "007", 24, 24, 24), Wanted("A/1", "P2", 24, 24, 24), Wanted("B2", "007", 18, 18, 12)]
    assert not any(line.is_edited for line in read(downloaded))


def test_packs_that_were_entered_are_wanted_in_units_whatever_the_order_of_lines(edited: Callable[..., Path]) -> None:
    def change(book: Any) -> None:
        for at in ("A", "B", "C", "D", "E"):
            book["A_1"][f"{at}6"], book["A_1"][f"{at}7"] = book["A_1"][f"{at}7"].value, book["A_1"][f"{at}6"].value
        book["A_1"]["D6"], book["B2"]["D6"] = 0, 5

    assert {(line.store_id, line.product_id): line.units for line in read(edited(change)) if line.is_edited} == {("A/1", "P2"): 0, ("B2", "007"): 30}


def test_the_column_to_edit_alone_is_open_and_says_what_it_means(downloaded: Path) -> None:
    book = openpyxl.load_workbook(downloaded)
    sheet: Worksheet = book["A_1"]
    assert [cell.coordinate for row in sheet for cell in row if not cell.protection.locked] == ["D6", "D7"]
    assert [bool(one.protection.sheet) for one in book] == [True] * 4
    assert book["As downloaded"].sheet_state == "hidden"
    assert sheet["A4"].value.startswith("To change what is loaded, enter whole packs in the coloured column (Packs to load)")
    assert {str(one.sqref): one.prompt[:11] for one in sheet.data_validations.dataValidation} == {"D6": "Whole packs", "D7": "Whole packs"}


@pytest.mark.parametrize(
    ("cell", "value", "said"),
    [
        ("D6", "many", "came 'many'. Enter how many packs to load, in digits alone."),
        ("D6", -1, "came '-1'. Enter how many packs to load, in digits alone."),
        ("D6", 2.5, "came 2.5. A pack is loaded whole: enter 2 or 3."),
        ("D6", "1.000", "came '1.000'. Enter how many packs to load, in digits alone."),
        ("D6", "1_0", "came '1_0'. Enter how many packs to load, in digits alone."),
        ("D6", "1e2", "came '1e2'. Enter how many packs to load, in digits alone."),
        ("D6", "\u0661\u0662", "came '\u0661\u0662'. Enter how many packs to load, in digits alone."),
        ("D6", None, "came an empty cell. Enter 0 to load none of it."),
        (
            "D6", "=1+1",
            "came a formula that no program has calculated. Open the workbook in a spreadsheet program and save it there, or enter the number.",
        ),
        ("D6", "#DIV/0!", "came '#DIV/0!'. Enter how many packs to load, in digits alone."),
        ("D6", 1e12, "came '1000000000000'. Enter how many packs to load, in digits alone."),
    ],
)  # fmt: skip
def test_what_is_no_number_of_packs_is_said_with_its_cell(edited: Callable[..., Path], cell: str, value: object, said: str) -> None:
    assert faults_of(edited(put(cell, value))) == [f"Sheet A_1, cell {cell} (product 007): expected a whole number of packs, 0 or more; {said}"]


@pytest.mark.parametrize(("packs", "units"), [(4, 30), (5, 36), (5, "all of it")])
def test_units_that_were_edited_are_not_lost_in_silence(edited: Callable[..., Path], packs: int, units: object) -> None:
    def change(book: Any) -> None:
        book["A_1"]["D6"], book["A_1"]["F6"] = packs, units

    assert faults_of(edited(change)) == [
        f"Sheet A_1, cell D6 (product 007): 'Units' beside it was changed to {units}, but follows from this cell, which has {packs} packs of 6. Enter "
        "the packs here alone."
    ]


def test_more_than_any_truck_holds_is_refused_with_the_bound(edited: Callable[..., Path]) -> None:
    assert faults_of(edited(put("D6", 1_000_000_000))) == [
        "Sheet A_1, cell D6 (product 007): expected at most 1,000,000 units, came 1000000000 packs of 6. Enter fewer packs."
    ]


def test_units_that_no_program_has_calculated_anew_are_no_fault(edited: Callable[..., Path]) -> None:
    def change(book: Any) -> None:
        book["A_1"]["D6"], book["A_1"]["F6"] = 5, 24

    assert [line.units for line in read(edited(change)) if line.is_edited] == [30]


def test_a_product_that_is_called_total_is_a_line_like_others(tmp_path: Path) -> None:
    file = tmp_path / "plan.xlsx"
    write_workbook([plan("A/1", ("Total", 6, 4, 24))], file)
    book = openpyxl.load_workbook(file)
    book["A_1"]["D6"] = 2
    book.save(file)
    assert [(line.product_id, line.units) for line in read(file)] == [("Total", 12)]


def test_lines_that_are_missing_doubled_or_of_other_products_are_named(edited: Callable[..., Path]) -> None:
    def change(book: Any) -> None:
        book["A_1"]["A6"], book["B2"]["A7"], book["B2"]["D7"], book["B2"]["E7"] = "P9", "007", 1, 6

    anew = "Download the workbook again, enter your numbers in it, and upload that one."
    assert faults_of(edited(change)) == [
        f"Sheet A_1, cell D6: expected a product that was in this sheet when it was downloaded, came 'P9'. {anew}",
        f"Sheet A_1: the line of product 007 is missing; expected every line that was downloaded, with 0 packs to load none. {anew}",
        "Sheet B2, cell D7: product 007 is there twice, in D6 too; expected one line. Remove one of them.",
    ]


def test_a_note_beside_the_table_is_pointed_at(edited: Callable[..., Path]) -> None:
    assert faults_of(edited(put("P6", "ask Joe"))) == [
        "Sheet A_1, row 6: expected nothing beside the table, came a value in column 16, right of the header. Clear that cell."
    ]


def test_many_faults_are_counted_and_the_first_ones_shown(tmp_path: Path) -> None:
    file = tmp_path / "plan.xlsx"
    write_workbook([plan("A/1", *((f"P{number:02}", 6, 1, 6) for number in range(14)))], file)
    book = openpyxl.load_workbook(file)
    for row in range(6, 20):
        book["A_1"][f"D{row}"] = "x"
    book.save(file)
    found = faults_of(file)
    assert (len(found), found[-1]) == (11, "And 4 more like these.")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (
            lambda book: book.remove(book["As downloaded"]),
            "plan.xlsx cannot be read as a workbook of a plan: .*expected a sheet 'As downloaded', came",
        ),
        (lambda book: setattr(book["B2"], "title", "Ames"), "plan.xlsx cannot be read as a workbook of a plan: .*expected a sheet 'B2', came"),
        (lambda book: book["As downloaded"].__setitem__("H2", "x"), "its hidden sheet 'As downloaded' was changed in row 2; expected it as it was"),
        (
            lambda book: book["As downloaded"].delete_cols(4),
            "does not say what it was made with: expected its hidden sheet 'As downloaded' as it was",
        ),
        (lambda book: book["A_1"].insert_rows(2), "Sheet A_1, row 5: expected the headings that were downloaded, came none that is called 'Product'"),
    ],
)
def test_a_workbook_whose_sheets_are_others_is_refused(edited: Callable[..., Path], how: Callable[[Any], object], said: str) -> None:
    with pytest.raises(UploadRefused, match=f"{said}.*Download the workbook again"):
        read(edited(how))


def test_a_workbook_of_another_plan_is_refused_by_its_name(downloaded: Path) -> None:
    with pytest.raises(UploadRefused) as refused:
        read_upload(downloaded, "plan.xlsx", Region("utah"), WEEK, ORIGIN)
    assert str(refused.value) == (
        "plan.xlsx is the plan of ohio for the week of 2024-06-10; expected that of utah for 2024-06-10, which this page shows. Choose its region and "
        "week above, or upload another workbook."
    )
    with pytest.raises(UploadRefused, match=r"plan.xlsx is the plan of ohio for the week of 2024-06-10; expected that of ohio for 2024-06-17"):
        read_upload(downloaded, "plan.xlsx", OHIO, WEEK + 1, ORIGIN)
    with pytest.raises(
        UploadRefused, match=r"made again since plan.xlsx was downloaded: .* from 2024-06-03, in force is that from 2024-06-10\. Down"
    ):
        read_upload(downloaded, "plan.xlsx", OHIO, WEEK, WEEK)


def _zip(**parts: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in parts.items():
            book.writestr(name.replace("_", "/", 1).replace("_", "."), content)
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "plan.xlsx is no workbook (XLSX): expected the one that this page gives, came a file that starts with ''."),
        (b"product,packs\n1,2\n", "plan.xlsx is no workbook (XLSX): expected the one that this page gives, came a file that starts with 'product,'."),
        (_zip(word_document_xml=b"<x/>"), "plan.xlsx is no workbook (XLSX): expected the one that this page gives, came a file that starts with 'PK"),
        (_zip(xl_workbook_xml=b"<workbook/>"), "plan.xlsx cannot be read as a workbook of a plan: "),
        (_zip(xl_workbook_xml=b" " * (201 << 20)), "plan.xlsx unpacks to 211 MB; expected at most 200 MB."),
    ],
    ids=["empty", "csv", "other zip", "broken", "bomb"],
)
def test_a_file_that_is_no_workbook_of_a_plan_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "plan.xlsx"
    file.write_bytes(content)
    [fault] = faults_of(file)
    assert fault.startswith(said)
    assert fault.endswith("Download the workbook again, enter your numbers in it, and upload that one.")


def test_a_cut_off_or_huge_file_is_refused(downloaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "plan.xlsx"
    file.write_bytes(downloaded.read_bytes()[:2000])
    assert faults_of(file)[0].startswith("plan.xlsx is no workbook (XLSX)")
    monkeypatch.setattr(upload, "LARGEST_BYTES", 1 << 10)
    assert "expected at most 0 MB, which no plan comes near." in faults_of(file)[0]
