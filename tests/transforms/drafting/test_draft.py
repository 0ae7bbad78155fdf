"""Drafts of provider files, for folders in the ways in which companies drop them."""

import bz2
import gzip
import lzma
import random
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from orchestration.cli.app import app
from transforms.adapters import FileSpec, ProviderSpec, load_provider
from transforms.contracts import SOURCES
from transforms.drafting import Draft, check, draft
from transforms.errors import ConfigurationError
from transforms.world import WorldSpec, simulate, write_landing

FIRST = date(2024, 1, 1)


def drafted(folder: Path, tmp_path: Path) -> tuple[ProviderSpec, Draft]:
    """The draft of a folder, loaded."""
    target = tmp_path / "draft.yaml"
    made = draft(folder, target, "drafted", lambda _: None)
    assert made.missing is None, made.missing
    return load_provider(str(target)), made


def named(spec: FileSpec) -> dict[str, str | None]:
    """The file's column of each column of the contract."""
    return {target: column.column for target, column in spec.columns.items()}


def test_each_required_column_of_the_sample_world_is_mapped_as_its_own_provider_maps_it(tmp_path: Path) -> None:
    write_landing(simulate(WorldSpec(regions=2, stores_per_region=5, products=6, weeks=60)), tmp_path / "landing")
    spec, _ = drafted(tmp_path / "landing", tmp_path)
    sample = load_provider("sample")
    assert spec.sources.keys() == sample.sources.keys()
    for source, files in sample.sources.items():
        required = {column.name for column in SOURCES[source].columns if column.required}
        known = {file.columns.keys() & required and file.columns["event"].column if source == "events" else "": file for file in spec.sources[source]}
        for file in files:
            mine = known[file.columns["event"].column if source == "events" else ""]
            for name in required & file.columns.keys():
                assert mine.columns[name].model_dump() == file.columns[name].model_dump(), f"{source}.{name}"
            assert (mine.format, mine.delimiter) == (file.format, file.delimiter)
            assert named(mine).items() >= named(file).items() or source == "products", source


HEADERS = {
    "german": {
        "stores": ("Filialnummer", "Bezeichnung", "Vertriebsgebiet", "Vertriebsform", "PLZ"),
        "products": ("Artikelnummer", "Artikelbezeichnung", "Warengruppe", "Verpackungseinheit", "VK-Preis"),
        "shipments": ("Filiale", "Artikel", "Lieferdatum", "Liefermenge"),
        "returns": ("Filiale", "Artikel", "Lieferdatum", "Retourenmenge", "Gemeldet am"),
        "weather": ("Ort", "Datum", "Tiefsttemperatur", "Höchsttemperatur", "Niederschlag mm"),
        "names": ("Filialen", "Artikel", "Lieferungen", "Retouren", "Wetter"),
    },
    "english": {
        "stores": ("Outlet ID", "Outlet Name", "Territory", "Store Type", "Postcode"),
        "products": ("SKU", "Description", "Category", "Units per Case", "List Price"),
        "shipments": ("Outlet", "SKU", "Delivery Date", "Qty"),
        "returns": ("Outlet", "SKU", "Delivery Date", "Qty Returned", "Reported"),
        "weather": ("City", "Day", "MinTemp", "MaxTemp", "Rainfall"),
        "names": ("outlets", "products", "deliveries", "returns", "weather"),
    },
    "french": {
        "stores": ("Code magasin", "Nom", "Région", "Format", "Code postal"),
        "products": ("Code article", "Libellé", "Famille", "Colis", "Prix"),
        "shipments": ("Magasin", "Article", "Date livraison", "Quantité livrée"),
        "returns": ("Magasin", "Article", "Date livraison", "Quantité retour", "Annonce"),
        "weather": ("Ville", "Jour", "Temp min", "Temp max", "Pluie"),
        "names": ("magasins", "articles", "livraisons", "retours", "meteo"),
    },
    "spanish": {
        "stores": ("Código tienda", "Nombre", "Zona", "Formato", "CP"),
        "products": ("Código artículo", "Descripción", "Categoría", "Unidades por caja", "Precio"),
        "shipments": ("Tienda", "Artículo", "Fecha entrega", "Cantidad"),
        "returns": ("Tienda", "Artículo", "Fecha entrega", "Cantidad devolución", "Reported"),
        "weather": ("Ciudad", "Fecha", "Temperatura min", "Temperatura max", "Lluvia"),
        "names": ("tiendas", "articulos", "entregas", "devoluciones", "clima"),
    },
}
TARGETS = {
    "stores": ("store_id", "name", "region", "format", "zip"),
    "products": ("product_id", "name", "category", "case_pack", "price"),
    "shipments": ("store_id", "product_id", "week", "units_shipped"),
    "returns": ("store_id", "product_id", "week", "units_returned", "known_at"),
    "weather": ("place", "date", "tmin_c", "tmax_c", "precip_mm"),
}
DATES = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y%m%d", "%d-%b-%Y")


@pytest.mark.parametrize("language", HEADERS)
@pytest.mark.parametrize("seed", range(4))
def test_a_folder_in_any_language_dialect_and_format_is_mapped(language: str, seed: int, tmp_path: Path) -> None:
    rng, words = random.Random(f"{language} {seed}"), HEADERS[language]
    tables = _tables(rng)
    date_format, folder = rng.choice(DATES), tmp_path / "drops"
    folder.mkdir()
    for (kind, rows), name in zip(tables.items(), words["names"], strict=True):
        header = words[kind]
        shuffled = rng.sample(range(len(header)), len(header))
        table = [[header[at] for at in shuffled], *([row[at] for at in shuffled] for row in rows)]
        WRITERS[rng.choice(list(WRITERS))](folder / name, table, date_format, rng)
    spec, made = drafted(folder, tmp_path)
    for kind, header in words.items():
        if kind == "names":
            continue
        source = "weather_observed" if kind == "weather" else kind
        [file] = spec.sources[source]
        found = named(file)
        for target, column in zip(TARGETS[kind], header, strict=True):
            if target != "name":
                assert found.get(target) == column, f"{source}.{target}: {made.text}"
        for target, column in file.columns.items():
            if target == "week" and column.date_format is not None:
                assert column.date_format == date_format
    assert spec.sources["shipments"][0].duplicates == "sum"


def _tables(rng: random.Random) -> dict[str, list[list[object]]]:
    stores, products = [f"F{n}" for n in range(101, 109)], [f"{n}" for n in range(50_001, 50_008)]
    days = [FIRST + timedelta(days=day) for day in range(70)]
    deliveries = [(store, product, day) for day in days if day.weekday() in {1, 4} for store in stores for product in products]
    back = [(*row, 1 + rng.randrange(4), row[2] + timedelta(days=9)) for row in deliveries[::17]]
    return {
        "stores": [
            [store, f"Markt {n}", ("North West", "South")[n % 2], ("large", "small")[n % 3 == 0], f"{10_000 + n}"] for n, store in enumerate(stores)
        ],
        "products": [[product, f"Ware {n}", ("Bread", "Cake")[n % 2], 6, 1.25 + n] for n, product in enumerate(products)],
        "shipments": [[*row, rng.randrange(1, 60)] for row in deliveries],
        "returns": [list(row) for row in back],
        "weather": [
            [place, day, round(rng.uniform(-5, 9), 1), round(rng.uniform(9, 30), 1), round(rng.uniform(0, 9), 1)]
            for day in days
            for place in ("North", "South")
        ],
    }


def _text(value: object, date_format: str, decimal: str) -> str:
    if isinstance(value, date):
        return value.strftime(date_format)
    return str(value).replace(".", decimal) if isinstance(value, float) else str(value)


def _csv(path: Path, table: list[list[object]], date_format: str, rng: random.Random) -> None:
    delimiter, encoding = rng.choice(";|\t"), rng.choice(["utf-8", "cp1252"])
    decimal = rng.choice(".,")
    lines = [delimiter.join(_text(value, date_format, decimal) for value in row) for row in table]
    path.with_suffix(".csv").write_text("\r\n".join(lines), encoding=encoding)


def _gzip(path: Path, table: list[list[object]], date_format: str, rng: random.Random) -> None:
    text = "".join(",".join(_text(value, date_format, ".") for value in row) + "\n" for row in table)
    path.with_suffix(".csv.gz").write_bytes(gzip.compress(text.encode()))


def _json(path: Path, table: list[list[object]], date_format: str, rng: random.Random) -> None:
    import json

    rows = (dict(zip(table[0], row, strict=True)) for row in table[1:])
    path.with_suffix(".jsonl").write_text(
        "".join(json.dumps(row, default=lambda value: value.strftime(date_format), ensure_ascii=False) + "\n" for row in rows)
    )


def _xlsx(path: Path, table: list[list[object]], date_format: str, rng: random.Random) -> None:
    book = openpyxl.Workbook()
    for _ in range(rng.randrange(3)):
        book.active.append(["Report of our system"] if rng.random() < 0.5 else [])
    # A sheet that begins with blank rows has them all the same.
    for row in table:
        book.active.append(row)
    book.save(path.with_suffix(".xlsx"))


def _parquet(path: Path, table: list[list[object]], date_format: str, rng: random.Random) -> None:
    columns = dict(zip(table[0], map(list, zip(*table[1:], strict=True)), strict=True))
    parquet.write_table(pa.table(columns), path.with_suffix(".parquet"))


WRITERS: dict[str, Callable[[Path, list[list[object]], str, random.Random], None]] = {
    "csv": _csv,
    "gzip": _gzip,
    "json": _json,
    "xlsx": _xlsx,
    "parquet": _parquet,
}


def shop(folder: Path, **files: str) -> Path:
    """A folder with a list of stores, one of products and deliveries, of which some are replaced."""
    days = [FIRST + timedelta(weeks=week) for week in range(8)]
    texts = {
        "stores.csv": "store,region,format\n1,North,large\n2,South,small\n3,South,small\n",
        "products.csv": "sku,case_pack,price\nA,6,1.5\nB,12,2.25\n",
        "shipments.csv": "store,sku,week,units\n" + "".join(f"{s},{p},{day},{n}\n" for n, day in enumerate(days) for s in (1, 2, 3) for p in "AB"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {**texts, **files}.items():
        if text:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    return folder


def test_day_and_month_that_can_be_turned_round_are_a_question(tmp_path: Path) -> None:
    text = "store,sku,week,units\n" + "".join(f"{s},A,{day},5\n" for s in (1, 2, 3) for day in ("02/01/2024", "03/02/2024", "05/04/2024"))
    _, made = drafted(shop(tmp_path / "drops", **{"shipments.csv": text}), tmp_path)
    assert "QUESTION: day and month may be turned round: 02/01/2024" in made.text


def test_a_rhythm_of_weeks_decides_between_two_readings_of_a_date_and_is_asked_all_the_same(tmp_path: Path) -> None:
    mondays = [date(2024, 1, 1), date(2024, 2, 5), date(2024, 3, 4), date(2024, 4, 1), date(2024, 5, 6)]
    text = "store,sku,week,units\n" + "".join(f"{s},A,{day:%d/%m/%Y},5\n" for s in (1, 2, 3) for day in mondays)
    spec, made = drafted(shop(tmp_path / "drops", **{"shipments.csv": text}), tmp_path)
    assert spec.sources["shipments"][0].columns["week"].date_format == "%d/%m/%Y"
    assert "%m/%d/%Y fits as well" in made.text


def test_weeks_that_end_on_saturday_or_start_on_sunday_are_read_as_such(tmp_path: Path) -> None:
    for column, shift, key, weekday in (("week_ending", 5, "week_ends", "saturday"), ("week_start", -1, "week_starts", "sunday")):
        days = [FIRST + timedelta(weeks=week, days=shift) for week in range(6)]
        text = f"store,sku,{column},units\n" + "".join(f"{s},A,{day},5\n" for s in (1, 2, 3) for day in days)
        spec, _ = drafted(shop(tmp_path / column, **{"shipments.csv": text}), tmp_path / column)
        assert getattr(spec.sources["shipments"][0].columns["week"], key) == weekday
        assert spec.sources["shipments"][0].duplicates == "refuse"


def test_a_delivery_every_tuesday_is_a_day_and_no_name_of_a_week(tmp_path: Path) -> None:
    days = [FIRST + timedelta(weeks=week, days=1) for week in range(6)]
    text = "store,sku,delivery_date,units\n" + "".join(f"{s},A,{day},5\n" for s in (1, 2, 3) for day in days)
    spec, made = drafted(shop(tmp_path / "drops", **{"shipments.csv": text}), tmp_path)
    week = spec.sources["shipments"][0].columns["week"]
    assert (week.clean, week.weekday) == ("week", "tuesday")
    assert "QUESTION: all dates are Tuesdays" in made.text


def test_dates_and_texts_mixed_in_one_column_of_a_sheet_are_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["store", "sku", "week", "units"])
    for week in range(10):
        day = FIRST + timedelta(weeks=week)
        book.active.append([1, "A", day if week % 2 else f"{day:%d.%m.%Y}", 5])
    folder = shop(tmp_path / "drops", **{"shipments.csv": ""})
    book.save(folder / "shipments.xlsx")
    spec, _ = drafted(folder, tmp_path)
    assert spec.sources["shipments"][0].columns["week"].date_format == "%d.%m.%Y"


@pytest.mark.parametrize(
    ("values", "settings"),
    [
        (("1.234,50", "12,25", "7,00"), {"decimal": ","}),
        (("1,234.50", "12.25", "7.00"), {"grouping": ","}),
        (("€ 1.50", "€ 2.25", "€ 7.00"), {"affixes": ("€",)}),
        (("1'234.50", "12.25", "7.00"), {"grouping": "'"}),
    ],
)
def test_numbers_are_read_as_they_are_written(values: tuple[str, ...], settings: dict[str, object], tmp_path: Path) -> None:
    text = "sku;case_pack;price\n" + "".join(f"{product};6;{value}\n" for product, value in zip("ABC", values, strict=True))
    spec, _ = drafted(shop(tmp_path / "drops", **{"products.csv": text}), tmp_path)
    assert spec.sources["products"][0].columns["price"].model_dump(exclude_defaults=True) == {"column": "price", **settings}


def test_a_sign_before_three_digits_is_one_of_thousands_where_the_other_columns_have_the_other_sign(tmp_path: Path) -> None:
    text = "sku;case_pack;price;size\nA;6;1,5;1.200\nB;12;2,25;1.500\n"
    spec, made = drafted(shop(tmp_path / "drops", **{"products.csv": text}), tmp_path)
    assert spec.sources["products"][0].columns["size_ml"].decimal == ","
    assert "taken for one of" not in made.text


def test_a_sign_that_may_be_one_of_thousands_is_a_question(tmp_path: Path) -> None:
    days = [FIRST + timedelta(weeks=week) for week in range(4)]
    text = "store;sku;week;units\n" + "".join(
        f"{s};A;{day};{n}\n" for s in (1, 2, 3) for day, n in zip(days, ("1.200", "900", "2.400", "80"), strict=True)
    )
    spec, made = drafted(shop(tmp_path / "drops", **{"shipments.csv": text}), tmp_path)
    assert spec.sources["shipments"][0].columns["units_shipped"].decimal == ","
    assert "QUESTION: the sign in 1.200 is taken for one of thousands: is that right?" in made.text


def test_stores_and_products_that_no_file_lists_are_those_of_the_deliveries(tmp_path: Path) -> None:
    spec, made = drafted(shop(tmp_path / "drops", **{"stores.csv": "", "products.csv": ""}), tmp_path)
    assert spec.sources["stores"][0].files == spec.sources["products"][0].files == "shipments.csv"
    assert spec.sources["stores"][0].columns["region"].value == "drafted"
    assert made.questions == 3  # region, format, case pack


def test_credits_among_the_lines_are_read_as_returns(tmp_path: Path) -> None:
    lines = [f"{'RINV' if n % 10 == 9 else 'INV'}-{n},{1 + n % 3},A,{FIRST + timedelta(days=n)},{-2 if n % 10 == 9 else 12}\n" for n in range(60)]
    spec, _ = drafted(shop(tmp_path / "drops", **{"shipments.csv": "invoice_no,store,sku,date,units\n" + "".join(lines)}), tmp_path)
    [shipments], [returns] = spec.sources["shipments"], spec.sources["returns"]
    assert [condition.not_starting_with for condition in shipments.rows] == ["RINV-"]
    assert returns.columns["units_returned"].negate
    assert returns.line_id == "invoice_no"


def test_files_of_one_header_are_apart_where_their_names_say_so(tmp_path: Path) -> None:
    """Deliveries and returns of one system have the same columns."""
    text = f"store,sku,week,units\n1,A,{FIRST},2\n2,B,{FIRST},3\n"
    spec, _ = drafted(shop(tmp_path / "drops", **{"shipments.csv": "", "shipments/2024-01-01.csv": text, "returns/2024-01-01.csv": text}), tmp_path)
    assert spec.sources["shipments"][0].files == "shipments/*.csv"
    assert spec.sources["returns"][0].files == "returns/*.csv"


def test_a_file_for_each_region_is_one_kind_of_file(tmp_path: Path) -> None:
    text = "store,sku,week,units\n{store},A,2024-01-01,2\n{store},B,2024-01-01,3\n"
    files = {f"shipments/{region}.csv": text.format(store=n) for n, region in enumerate(("north", "south", "east"), start=1)}
    spec, _ = drafted(shop(tmp_path / "drops", **{"shipments.csv": "", **files}), tmp_path)
    assert [file.files for file in spec.sources["shipments"]] == ["shipments/*.csv"]


def test_the_same_deliveries_by_day_and_by_week_are_read_once(tmp_path: Path) -> None:
    days = "store,sku,date,units\n" + "".join(f"{s},A,{FIRST + timedelta(days=day)},1\n" for day in range(56) for s in (1, 2, 3))
    weeks = "store,sku,week,units\n" + "".join(f"{s},A,{FIRST + timedelta(weeks=week)},7\n" for week in range(8) for s in (1, 2, 3))
    spec, made = drafted(shop(tmp_path / "drops", **{"shipments.csv": "", "daily.csv": days, "weekly.csv": weeks}), tmp_path)
    assert [file.files for file in spec.sources["shipments"]] == ["daily.csv"]
    assert "QUESTION: weekly.csv looks like shipments too, of the same days as daily.csv" in made.text


def test_zeros_in_front_that_one_file_lost_come_back(tmp_path: Path) -> None:
    stores = "store,region,format\n0001,North,large\n0002,South,small\n0003,South,small\n"
    spec, _ = drafted(shop(tmp_path / "drops", **{"stores.csv": stores}), tmp_path)
    assert spec.sources["shipments"][0].columns["store_id"].width == 4


def test_a_folder_without_deliveries_is_told_what_is_missing(tmp_path: Path) -> None:
    folder = shop(tmp_path / "drops", **{"shipments.csv": ""})
    done = CliRunner().invoke(app, ["provider", "draft", str(folder), "--to", str(tmp_path / "draft.yaml")])
    assert done.exit_code == 1
    assert "sources ['shipments'] are missing" in done.output
    assert "no file looks like shipments, which nothing can do without: it needs store_id, product_id, week" in (tmp_path / "draft.yaml").read_text()


def test_files_that_cannot_be_read_are_left_aside_with_the_reason(tmp_path: Path) -> None:
    folder = shop(tmp_path / "drops", **{"~$stores.xlsx": "lock", "notes.pdf": "x", "broken.parquet": "PAR0", "empty.csv": ""})
    (folder / "empty.csv").touch()
    (folder / "gone.csv").symlink_to(folder / "nowhere.csv")
    _, made = drafted(folder, tmp_path)
    for name, reason in {
        "~$stores.xlsx": "a hidden or lock file",
        "notes.pdf": "of no format",
        "broken.parquet": "expected",
        "empty.csv": "empty",
        "gone.csv": "no file",
    }.items():
        assert any(line.startswith(f"# - {name}: {reason}") or (name in line and reason in line) for line in made.text.splitlines()), name


def test_names_with_any_signs_make_a_draft_that_loads(tmp_path: Path) -> None:
    """Column and file names become YAML and comments."""
    products = "sku,case_pack,\"na: me # {x}\",No,'q'\nA,6,1,2,3\nB,12,1,2,3\n"
    folder = shop(tmp_path / "drops", **{"products.csv": "", "products [1] #2.csv": products})
    spec, _ = drafted(folder, tmp_path)
    assert spec.sources["products"][0].columns["case_pack"].column == "case_pack"


def test_a_column_that_is_called_as_in_the_list_of_stores_is_the_store(tmp_path: Path) -> None:
    stores = "id,area,kind\n101,North,large\n102,South,small\n"
    weeks = "id,sku,week,units\n" + "".join(f"{s},A,{FIRST + timedelta(weeks=week)},7\n" for week in range(8) for s in (101, 102))
    spec, _ = drafted(shop(tmp_path / "drops", **{"stores.csv": stores, "shipments.csv": weeks}), tmp_path)
    assert spec.sources["shipments"][0].columns["store_id"].column == "id"


def test_rows_of_one_key_in_two_files_are_no_parts_that_add_up(tmp_path: Path) -> None:
    """A corrected file beside the first one made the draft add both."""
    text = f"store,sku,week,units\n1,A,{FIRST},2\n2,B,{FIRST},3\n"
    files = {f"shipments/{name}.csv": text for name in ("2024-01-01", "2024-01-01 corrected")}
    spec, _ = drafted(shop(tmp_path / "drops", **{"shipments.csv": "", **files}), tmp_path)
    assert spec.sources["shipments"][0].duplicates == "refuse"


def test_two_columns_of_one_name_are_a_question(tmp_path: Path) -> None:
    text = f"store,sku,week,units,units\n1,A,{FIRST},2,4\n2,B,{FIRST},3,6\n"
    _, made = drafted(shop(tmp_path / "drops", **{"shipments.csv": text}), tmp_path)
    assert "QUESTION: two of its columns have one name, so that the file is refused" in made.text


def test_a_few_values_that_are_written_otherwise_are_a_question(tmp_path: Path) -> None:
    products = "sku;case_pack;price\n" + "".join(f"P{n};6;{n},50\n" for n in range(20)) + "Q;6;12.5\n"
    spec, made = drafted(shop(tmp_path / "drops", **{"products.csv": products}), tmp_path)
    assert spec.sources["products"][0].columns["price"].decimal == ","
    assert "QUESTION: some values are written otherwise, like 12.5: they go to quarantine" in made.text


def accepted(folder: Path, spec: ProviderSpec) -> dict[str, int]:
    """Rows that are taken of each source; every file has to be taken in whole."""
    found = check(spec, folder, lambda _: None)
    assert found.passes, found.refused
    assert found.rules == ()
    taken = Counter[str]()
    for file in found.files:
        taken[file.source] += file.taken
    return dict(taken)


def test_a_file_without_a_header_is_told_by_its_values(tmp_path: Path) -> None:
    days = [FIRST + timedelta(weeks=week) for week in range(6)]
    text = "".join(f"{s};{p};{day:%d.%m.%Y};{n + 3}\n" for n, day in enumerate(days) for s in (101, 102, 103) for p in "AB")
    stores = "store,region,format\n101,North,large\n102,North,small\n103,North,small\n"
    folder = shop(tmp_path / "drops", **{"shipments.csv": text, "stores.csv": stores})
    spec, made = drafted(folder, tmp_path)
    assert "QUESTION: the first row looks like values: is there no header?" in made.text
    assert accepted(folder, spec)["shipments"] == 36


def test_a_table_with_a_column_for_each_week_is_read_cell_by_cell(tmp_path: Path) -> None:
    weeks = [FIRST + timedelta(weeks=week) for week in range(6)]
    text = f"store,sku,{','.join(map(str, weeks))}\n" + "".join(f"{s},{p},1,2,,4,5,6\n" for s in (1, 2, 3) for p in "AB")
    folder = shop(tmp_path / "drops", **{"shipments.csv": text})
    spec, _ = drafted(folder, tmp_path)
    assert accepted(folder, spec)["shipments"] == 30


def test_what_only_the_files_names_tell_is_taken_from_them(tmp_path: Path) -> None:
    weeks = [FIRST + timedelta(weeks=week) for week in range(6)]
    by_store = {f"sales/store_{s}.csv": "sku,week,units\n" + "".join(f"{p},{day},5\n" for day in weeks for p in "AB") for s in (1, 2, 3)}
    by_week = {f"sales/{day}.csv": "store,sku,units\n" + "".join(f"{s},{p},5\n" for s in (1, 2, 3) for p in "AB") for day in weeks}
    for name, files in (("stores", by_store), ("weeks", by_week)):
        folder = shop(tmp_path / name / "drops", **{"shipments.csv": "", **files})
        spec, _ = drafted(folder, tmp_path / name)
        assert accepted(folder, spec)["shipments"] == 36


def test_negative_quantities_that_nothing_else_tells_apart_are_taken_as_returns_and_asked(tmp_path: Path) -> None:
    rows = "".join(f"{s},A,{FIRST + timedelta(days=day)},{-2 if day % 9 == 8 else 12}\n" for day in range(40) for s in (1, 2, 3))
    folder = shop(tmp_path / "drops", **{"shipments.csv": f"store,sku,date,units\n{rows}"})
    spec, made = drafted(folder, tmp_path)
    assert "QUESTION: units goes down to -2: negative quantities are taken as returns, is that right?" in made.text
    assert accepted(folder, spec) == {"stores": 3, "products": 2, "shipments": 108, "returns": 12}


def test_what_stands_at_the_target_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "mine.yaml"
    target.write_text("mine")
    with pytest.raises(ConfigurationError, match=r"mine\.yaml exists already: name another file by --to, or remove it\."):
        draft(shop(tmp_path / "drops"), target, None, lambda _: None)
    assert target.read_text() == "mine"


def test_one_file_that_holds_all_is_read_as_each_source(tmp_path: Path) -> None:
    """A bakery's days: demand, weather and promotions side by side, and no list of stores."""
    rng = random.Random(1)
    days = [FIRST + timedelta(days=day) for day in range(60)]
    weather = {(store, day): (rng.uniform(0, 9), rng.uniform(5, 20)) for store in (1, 2, 3) for day in days}
    rows = [
        {
            "date": day,
            "store": store,
            "product": product,
            "rain": weather[store, day][0],
            "temperature": weather[store, day][1],
            "promotion": int(rng.random() < 0.2),
            "is_holiday": int(day == days[0]),
            "demand": float(rng.randrange(40)),
        }
        for day in days
        for store in (1, 2, 3)
        for product in (101, 102)
    ]
    folder = tmp_path / "drops"
    folder.mkdir()
    parquet.write_table(pa.Table.from_pylist(rows), folder / "daily.parquet")
    spec, _ = drafted(folder, tmp_path)
    assert spec.sources.keys() == {"stores", "products", "events", "shipments", "weather_observed"}
    assert named(spec.sources["weather_observed"][0]) == {
        "place": "store", "date": "date", "tmin_c": "temperature", "tmax_c": "temperature", "precip_mm": "rain",
    }  # fmt: skip
    assert spec.sources["stores"][0].columns["place"].column == "store"
    assert {file.columns["event"].value for file in spec.sources["events"]} == {"promotion", "public_holiday"}


def test_a_big_file_is_looked_at_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.drafting.samples.ROWS", 500)
    monkeypatch.setattr("transforms.drafting.samples.BYTES", 20_000)
    rows = "".join(f"{1 + n % 3},A,{FIRST + timedelta(weeks=n // 500)},{n % 50}\n" for n in range(20_000))
    spec, made = drafted(shop(tmp_path / "drops", **{"shipments.csv": f"store,sku,week,units\n{rows}"}), tmp_path)
    assert spec.sources["shipments"][0].columns["week"].column == "week"
    [rows] = re.findall(r"shipments.csv: ([0-9,]+) rows looked at", made.text)
    assert int(rows.replace(",", "")) < 1_200
    assert "2024-01-01 to 2024-09-30" in made.text  # the end was looked at too


def deliveries(write: Callable[[date], str], header: str = "store,sku,week,units", count: int = 30) -> str:
    """Deliveries of 60 weeks at most, with weeks as they are written."""
    days = [FIRST + timedelta(weeks=week) for week in range(count)]
    return f"{header}\n" + "".join(f"{s},{p},{write(day)},{1 + n}\n" for n, day in enumerate(days) for s in (1, 2, 3) for p in "AB")


def weeks_taken(folder: Path, spec: ProviderSpec) -> set[str]:
    """First rows as mapped tell the first weeks; all deliveries have to be taken."""
    assert accepted(folder, spec)["shipments"] == 180
    return {str(row["week"]) for row in check(spec, folder, lambda _: None).first_rows["shipments"]}


@pytest.mark.parametrize("header", ["store,sku,week,units", "Filiale;Artikel;KW;Menge"])
@pytest.mark.parametrize(
    "write",
    [
        lambda day: f"{day.isocalendar().year}{day.isocalendar().week:02}",
        lambda day: f"{day.isocalendar().year}-{day.isocalendar().week:02}",
        lambda day: f"{day.isocalendar().year} KW {day.isocalendar().week}",
    ],
)
def test_years_with_numbers_of_weeks_are_read_as_iso_weeks(header: str, write: Callable[[date], str], tmp_path: Path) -> None:
    """202409 was taken for a quantity, and 2024-09 for a month."""
    sign = ";" if ";" in header else ","
    folder = shop(tmp_path / "drops", **{"shipments.csv": deliveries(write, header).replace(",", sign)})
    spec, _ = drafted(folder, tmp_path)
    assert spec.sources["shipments"][0].columns["week"].date_format == "iso_week"
    assert weeks_taken(folder, spec) == {"2024-01-01"}


MONTHS = {
    "german": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "french": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "italian": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "dutch": "januari februari maart april mei juni juli augustus september oktober november december",
    "portuguese": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "short french": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "short german": "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.",
    "short spanish": "ene feb mar abr may jun jul ago sept oct nov dic",
}


@pytest.mark.parametrize("language", MONTHS)
@pytest.mark.parametrize("seed", range(2))
def test_months_are_read_by_their_names_in_the_language_of_the_files(language: str, seed: int, tmp_path: Path) -> None:
    """They were no dates at all, so that the file was of no source."""
    rng, months = random.Random(f"{language} {seed}"), MONTHS[language].split()
    form = rng.choice(["{day} {month} {year}", "{day}. {month} {year}"])

    def write(day: date) -> str:
        return form.format(day=day.day, month=months[day.month - 1], year=day.year)

    folder = shop(tmp_path / "drops", **{"shipments.csv": deliveries(write, count=30)})
    spec, made = drafted(folder, tmp_path)
    assert weeks_taken(folder, spec) == {"2024-01-01"}, made.text


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_text_of_fixed_width_is_drafted_with_the_positions_of_its_columns(seed: int, header: bool, tmp_path: Path) -> None:
    rng = random.Random(f"{seed} {header}")
    days = [FIRST + timedelta(weeks=week) for week in range(30)]
    rows = [(str(s), f"SKU{p}", f"{day:%Y%m%d}", str(rng.randrange(1, 2000))) for day in days for s in (101, 102, 103) for p in (1, 20)]
    widths = [rng.randrange(8, 14) for _ in range(4)]
    names = [("store", "sku", "week", "units")] if header else []

    def line(row: tuple[str, ...]) -> str:
        return "".join(f"{value:<{width}}" for value, width in zip(row[:3], widths, strict=False)) + f"{row[3]:>8}"

    stores = "store,region,format\n101,North,large\n102,South,small\n103,South,small\n"
    products = "sku,case_pack,price\nSKU1,6,1.5\nSKU20,12,2.25\n"
    text = "".join(f"{line(row)}\n" for row in [*names, *rows])
    folder = shop(tmp_path / "drops", **{"shipments.csv": "", "stores.csv": stores, "products.csv": products, "shipments.txt": text})
    spec, made = drafted(folder, tmp_path)
    [file] = spec.sources["shipments"]
    assert file.format == "fixed", made.text
    assert weeks_taken(folder, spec) == {"2024-01-01"}


@pytest.mark.parametrize("seed", range(3))
def test_members_of_archives_are_drafted_as_files(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    days = [FIRST + timedelta(weeks=week) for week in range(30)]
    folder = shop(tmp_path / "drops", **{"shipments.csv": ""})
    parts = rng.choice([1, 2])
    for number in range(parts):
        with zipfile.ZipFile(folder / f"drop_{number}.zip", "w") as archive:
            for day in days[number::parts]:
                rows = "".join(f"{s};{p};{day};5\n" for s in (1, 2, 3) for p in "AB")
                archive.writestr(f"{'data/' if seed == 2 else ''}shipments_{day}.csv", f"store;sku;week;units\n{rows}")
            archive.writestr("readme.md", "Weekly deliveries")
    spec, made = drafted(folder, tmp_path)
    [file] = spec.sources["shipments"]
    assert file.member == ("data/" if seed == 2 else "") + "shipments_*.csv", made.text
    assert weeks_taken(folder, spec) == {"2024-01-01"}


@pytest.mark.parametrize("name", ["shipments", "shipments.exp", "shipments.2024", "shipments.xlsx"])
def test_text_is_read_whatever_its_name_ends_with(name: str, tmp_path: Path) -> None:
    folder = shop(tmp_path / "drops", **{"shipments.csv": "", name: deliveries(str)})
    spec, _ = drafted(folder, tmp_path)
    assert spec.sources["shipments"][0].format == "csv"
    assert weeks_taken(folder, spec) == {"2024-01-01"}


def test_a_workbook_or_parquet_is_read_whatever_its_name_ends_with(tmp_path: Path) -> None:
    for number, name in enumerate(("shipments.csv", "shipments", "shipments.xls")):
        for form in ("xlsx", "parquet"):
            folder = shop(tmp_path / f"{number}{form}" / "drops", **{"shipments.csv": ""})
            header, *lines = [line.split(",") for line in deliveries(str).splitlines()]
            WRITERS[form](
                folder / "written", [header, *([s, p, date.fromisoformat(d), int(n)] for s, p, d, n in lines)], "%Y-%m-%d", random.Random(5)
            )
            next(folder.glob("written.*")).rename(folder / name)
            spec, _ = drafted(folder, tmp_path / f"{number}{form}")
            assert spec.sources["shipments"][0].format == form
            assert weeks_taken(folder, spec) == {"2024-01-01"}


@pytest.mark.parametrize(("ending", "pack"), [(".bz2", bz2.compress), (".xz", lzma.compress), (".gz", gzip.compress)])
def test_compressed_files_are_drafted_and_read(ending: str, pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    folder = shop(tmp_path / "drops", **{"shipments.csv": ""})
    half = len(deliveries(str)) // 2
    text = deliveries(str).encode()
    # Programs that work in parallel write one stream after the other.
    (folder / f"shipments.csv{ending}").write_bytes(pack(text[:half]) + pack(text[half:]))
    spec, _ = drafted(folder, tmp_path)
    assert weeks_taken(folder, spec) == {"2024-01-01"}


@pytest.mark.parametrize("seed", range(3))
def test_numbers_of_periods_are_read_by_the_calendar_that_lies_beside(seed: int, tmp_path: Path) -> None:
    """They were no dates, so that the deliveries were of no source; and the calendar was a file that nothing knew."""
    rng = random.Random(seed)
    start, form = FIRST - timedelta(days=rng.choice([0, 1, 2])), rng.choice(["2024-P{p:02}-W{w}", "P{p} W{w}", "FY24{p:02}{w}"])
    names = {week: form.format(p=week // 4 + 1, w=week % 4 + 1) for week in range(40)}
    calendar = "period,first_day\n" + "".join(f"{name},{start + timedelta(weeks=week)}\n" for week, name in names.items())
    text = deliveries(lambda day: names[(day - FIRST).days // 7])
    folder = shop(tmp_path / "drops", **{"shipments.csv": text, "calendars/retail.csv": calendar})
    spec, made = drafted(folder, tmp_path)
    assert spec.sources["shipments"][0].columns["week"].calendar == "calendars/retail.csv", made.text
    assert weeks_taken(folder, spec) == {"2024-01-01"}
