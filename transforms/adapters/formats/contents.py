"""What a file is by its first bytes, whatever its name or the provider file says."""

from pathlib import Path

from transforms.errors import LandingFileRefused

_HEAD = 512
_SIGNATURES = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"PAR1", "Parquet"),
    (b"PK\x03\x04", "ZIP"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "XLS"),
    (b"%PDF-", "PDF"),
)
_ADVICE = {
    "gzip": "Name it .gz at its end",
    "zstd": "Name it .zst at its end",
    "bzip2": "Name it .bz2 at its end",
    "xz": "Name it .xz at its end",
    "7-Zip": "Unpack it, or pack what is in it as .gz or .zip",
    "RAR": "Unpack it, or pack what is in it as .gz or .zip",
    "Parquet": "Say 'format: parquet' in the provider YAML",
    "ZIP": "If it is an archive, say in the provider YAML which 'member' of it is the file; if it is a workbook, 'format: xlsx' (xlsb, ods)",
    "XLS": "Say 'format: xls' in the provider YAML",
    "PDF": "Export the table as CSV or as a workbook",
}
_BY_SUFFIX = {".gz": "gzip", ".zst": "zstd", ".bz2": "bzip2", ".xz": "xz"}
COMPRESSED = frozenset(_BY_SUFFIX)
"""Endings of names of files that are expanded."""


def content_of(head: bytes) -> str | None:
    """What begins with these bytes; None for what has no signature, like text."""
    return next((content for signature, content in _SIGNATURES if head.startswith(signature)), None)


def head_of(path: Path) -> bytes:
    """The first bytes of a file."""
    with path.open("rb") as stream:
        return stream.read(_HEAD)


def refuse_other_content(path: Path, name: str, wanted: str) -> None:
    """Refuse a file of another kind than the texts that the provider file names, or compressed otherwise than its own name says."""
    head, packed = head_of(path), _BY_SUFFIX.get(Path(name).suffix.lower())
    content = content_of(head)
    if head and content != packed:
        came = f"{content} by its first bytes" if content else "something else by its first bytes"
        advice = _ADVICE[content] if content else f"Take {Path(name).suffix} from its name, or pack it again"
        expected = f"{packed}, as its name says" if packed else f"text ({wanted})"
        raise LandingFileRefused(f"{name}: expected {expected}, came {came}. {advice}; or drop it again as it is declared.")
