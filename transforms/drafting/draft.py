"""The draft of a provider file: YAML with the reason beside each line, and open questions marked."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from transforms.adapters import load_provider
from transforms.contracts import SOURCES
from transforms.drafting.folders import refuse_no_folder
from transforms.drafting.kinds import Found, Progress, kinds_of
from transforms.drafting.roles import roles_of
from transforms.drafting.settings import ColumnDraft, as_yaml
from transforms.drafting.sources import SourceDraft, sources_of
from transforms.drafting.words import plain
from transforms.errors import ConfigurationError

QUESTION = "QUESTION"
_WIDTH = 150
_MOST_NAMED = 30
_STORE = "# store: s3://bucket/folder  # where files like these stand in an object store: 'shelfcast fetch' copies them from there"


@dataclass(frozen=True)
class Draft:
    """A provider file as text.

    Attributes
    ----------
    questions
        How many it leaves open.
    missing
        What stands against loading it, in a sentence; None where it loads.
    """

    text: str
    questions: int
    sources: tuple[str, ...]
    missing: str | None = None


def draft(folder: Path, target: Path, name: str | None, progress: Progress) -> Draft:
    """Look at the files of a folder and write a provider file for them.

    Parameters
    ----------
    target
        Where the draft is written; one that stands there is not overwritten.
    name
        Name of the provider; the folder's, where None.

    Raises
    ------
    ConfigurationError
        If the folder or the target does not allow it, or no file can be read.
    """
    refuse_no_folder(folder, f"Folder {folder} does not exist: expected a folder with the files of a provider.")
    if target.exists():
        raise ConfigurationError(f"{target} exists already: name another file by --to, or remove it.")
    provider = provider_name(name, folder)
    found = kinds_of(folder, progress)
    if not found.kinds:
        told = "; ".join(f"{file}: {reason}" for file, reason in list(found.aside.items())[:5])
        raise ConfigurationError(
            f"{folder} holds no file that can be read{f' ({told})' if told else ''}: expected CSV, JSON lines, Parquet, XLSX, XLS or ODS."
        )
    progress("comparing columns with the contracts")
    roles, remarks = roles_of(found.kinds)
    sources = sources_of(roles, provider)
    text = _text(provider, folder, sources, remarks, found)
    try:
        target.write_text(text)
    except OSError as error:
        raise ConfigurationError(f"{target} cannot be written: {error.strerror}. Name another file by --to.") from error
    return Draft(text, text.count(f"# {QUESTION}"), tuple(dict.fromkeys(source.source for source in sources)), _missing(target))


def provider_name(name: str | None, folder: Path) -> str:
    """A plain key, of the name given or the folder's."""
    if name is not None and not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise ConfigurationError(f"Expected a name like corner_shop (small letters, digits, underscores), came {name!r}.")
    made = re.sub(r"[^a-z0-9]+", "_", plain(name or folder.resolve().name)).strip("_")[:60]
    return made if made and made[0].isalpha() else f"provider_{made}".strip("_")


def _missing(target: Path) -> str | None:
    try:
        load_provider(str(target.resolve()))
    except ConfigurationError as error:
        return str(error)
    return None


def _text(provider: str, folder: Path, sources: Sequence[SourceDraft], remarks: Sequence[str], found: Found) -> str:
    body = [*_sources(sources)]
    aside = [*_remarks(remarks), *_aside(found)]
    missing = [source for source, contract in SOURCES.items() if contract.needed and all(draft.source != source for draft in sources)]
    lines = [f"name: {provider}", f"description: Files of {folder.resolve().name}, as drafted.", _STORE, "sources:" if body else "sources: {}", *body]
    for source in missing:
        required = [column.name for column in SOURCES[source].columns if column.required and column.name not in SOURCES[source].completed]
        lines.append(f"  # {QUESTION}: no file looks like {source}, which nothing can do without: it needs {', '.join(required)}.")
    count = sum(f"# {QUESTION}" in line for line in [*lines, *aside])
    head = [
        f"# Draft by 'shelfcast provider draft'; beside each column stands why. {count} open questions are marked: search for {QUESTION}.",
        f"# It {'cannot be loaded yet' if missing else 'can be loaded as it is'}. What it makes of the files is shown by 'shelfcast provider check'.",
    ]
    return "\n".join([*head, *lines, *([""] if aside else []), *aside]) + "\n"


def _remarks(remarks: Sequence[str]) -> Iterator[str]:
    for remark in remarks:
        yield from _comment(remark, "")


def _aside(found: Found) -> Iterator[str]:
    if found.aside:
        yield "# Left aside:"
    for name, reason in list(found.aside.items())[:_MOST_NAMED]:
        yield from _comment(f"- {name}: {reason}", "")
    if len(found.aside) > _MOST_NAMED:
        yield f"# - and {len(found.aside) - _MOST_NAMED} more"


def _sources(sources: Sequence[SourceDraft]) -> Iterator[str]:
    for name in dict.fromkeys(draft.source for draft in sources):
        yield f"  {name}:"
        for draft in sources:
            if draft.source == name:
                # Columns that another source takes from the same file are mapped too.
                read = {column for other in sources if other.kind is draft.kind for column in other.read}
                yield from _files(draft, read)


def _files(draft: SourceDraft, read: set[str]) -> Iterator[str]:
    files, rows = draft.kind.files, draft.kind.sample.table.num_rows
    looked = f"{len(files)} files" if len(files) > 1 else files[0]
    yield from _comment(f"{looked}: {rows:,} rows {'in all' if draft.kind.sample.complete and len(files) == 1 else 'looked at'}.", "    ")
    for note in (*draft.kind.sample.notes, *draft.notes):
        yield from _comment(note[0].upper() + note[1:], "    ")
    for question in (*draft.kind.sample.questions, *draft.questions):
        yield from _comment(f"{QUESTION}: {question}", "    ")
    settings = dict(draft.kind.sample.settings) | draft.settings
    if draft.kind.path is not None and any(name.startswith("{") for name in draft.read):
        settings["path"] = draft.kind.path
    for number, pattern in enumerate(draft.kind.patterns):
        yield f"    - files: {_flow(pattern)}"
        yield from (f"      {key}: {_flow(value)}" for key, value in settings.items())
        anchor = re.sub(r"[^a-z0-9]+", "_", f"{draft.source}_{plain(draft.kind.name)}") if len(draft.kind.patterns) > 1 else ""
        if number:
            yield f"      columns: *{anchor}"
            continue
        yield f"      columns:{f' &{anchor}' if anchor else ''}"
        for target, column in draft.columns.items():
            yield from _column(target, column)
    if left := [name for name in draft.kind.sample.names if name not in read and not name.startswith("{")]:
        yield from _comment(f"Not mapped: {', '.join(left[:40])}{' ...' if len(left) > 40 else ''}", "        ")


def _column(target: str, column: ColumnDraft) -> Iterator[str]:
    value = as_yaml(column.settings)
    line = f"        {target}: {_flow(value)}"
    told = f"{line}  # {_plain(column.reason)}" if column.reason else line
    if column.reason and len(told) > _WIDTH:
        yield from _comment(column.reason, "        ")
        told = line
    for question in column.questions:
        yield from _comment(f"{QUESTION}: {question}", "        ")
    yield told


def _comment(text: str, indent: str) -> Iterator[str]:
    """A comment in lines that can be read."""
    words, line = _plain(text).split(" "), ""
    for word in words:
        if line and len(indent) + 2 + len(line) + 1 + len(word) > _WIDTH:
            yield f"{indent}# {line}"
            line = ""
        line = f"{line} {word}" if line else word
    yield f"{indent}# {line}"


def _plain(text: str) -> str:
    """A text of one line without signs that YAML cannot hold; names and values come from files."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _flow(value: Any) -> str:
    """A value of YAML in one line."""
    data = dict(value) if isinstance(value, Mapping) else value
    text = yaml.safe_dump(data, default_flow_style=True, width=10**9, sort_keys=False, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("...").strip()
