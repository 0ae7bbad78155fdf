"""Files that are something else than their names or the provider file say: told by their first bytes, with what to do."""

import bz2
import gzip
import lzma
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from transforms.adapters import load_provider, read_file
from transforms.errors import LandingFileRefused

NOW = datetime(2031, 1, 1, tzinfo=UTC)
STORES = b"id,area,kind\n1,Ohio,large\n2,Ohio,small\n"


def rows_of(shop: Path, name: str, content: bytes) -> int:
    """Rows of a file of stores."""
    provider = load_provider(str(shop / "corner_shop.yaml"))
    [spec] = provider.sources["stores"]
    (shop / name).write_bytes(content)
    return read_file(provider, "stores", spec, shop / name, name, None, NOW).rows.num_rows


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (gzip.compress(STORES), "expected text (csv), came gzip by its first bytes. Name it .gz at its end"),
        (bz2.compress(STORES), "came bzip2 by its first bytes. Name it .bz2 at its end"),
        (lzma.compress(STORES), "came xz by its first bytes. Name it .xz at its end"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "came 7-Zip by its first bytes. Unpack it, or pack what is in it as .gz or .zip"),
        (b"Rar!\x1a\x07\x01\x00", "came RAR by its first bytes. Unpack it"),
        (b"\x28\xb5\x2f\xfd\x04\x00", "came zstd by its first bytes. Name it .zst at its end"),
        (b"PAR1\x15\x04", "came Parquet by its first bytes. Say 'format: parquet' in the provider YAML"),
        (b"PK\x03\x04\x14\x00", "came ZIP by its first bytes. If it is an archive, say in the provider YAML which 'member' of it is the file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "came XLS by its first bytes. Say 'format: xls' in the provider YAML"),
        (b"%PDF-1.7", "came PDF by its first bytes. Export the table as CSV or as a workbook"),
    ],
    ids=["gzip", "bzip2", "xz", "7-Zip", "RAR", "zstd", "Parquet", "ZIP", "XLS", "PDF"],
)
def test_a_file_that_is_no_text_is_told_by_its_first_bytes(shop: Path, content: bytes, told: str) -> None:
    """It was refused for its encoding, or for columns that are missing among letters that nobody can read."""
    with pytest.raises(LandingFileRefused, match=re.escape(told)):
        rows_of(shop, "stores.csv", content)


@pytest.mark.parametrize(("name", "came"), [("stores.csv.gz", "something else"), ("stores.csv.zst", "something else")])
def test_text_whose_name_says_that_it_is_compressed_is_told(shop: Path, name: str, came: str) -> None:
    with pytest.raises(LandingFileRefused, match=f"as its name says, came {came} by its first bytes. Take .* from its name, or pack it again"):
        rows_of(shop, name, STORES)


@pytest.mark.parametrize(("name", "pack"), [("stores.csv.bz2", bz2.compress), ("stores.csv.xz", lzma.compress)])
def test_files_of_bzip2_and_xz_are_read_within_bounds(shop: Path, name: str, pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    assert rows_of(shop, name, pack(STORES)) == 2
    for cut in (pack(STORES)[:-5], STORES, pack(STORES) + b"garbage"):
        with pytest.raises(LandingFileRefused, match=r"as its name says, but expanding it failed: .*Drop the file again"):
            rows_of(shop, name, cut)
    monkeypatch.setattr("transforms.adapters.formats.archives.MAX_EXPANDED", 1 << 20)
    with pytest.raises(LandingFileRefused, match=r"once expanded, came more\. Split the file"):
        rows_of(shop, name, pack(bytes(3 << 20)))
