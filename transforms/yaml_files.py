"""YAML that people write (provider files, `shelfcast.yaml`): read, checked against a model, and each fault told with file, line and key.

What a file may say is its model's business; nothing here knows providers or projects.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from transforms.errors import ConfigurationError

MAX_BYTES = 1_000_000
MAX_NODES = 100_000
"""Values of a file with its aliases written out: ten lines of aliases to aliases can stand for billions."""
_MAX_DEPTH = 30
_YAML_READS_AS = {"bool": "true or false", "int": "a number", "float": "a number", "timestamp": "a date", "null": "nothing"}
_NUMBERS = {
    "tag:yaml.org,2002:int": re.compile(r"[-+]?(0|[1-9][0-9]*)"),
    "tag:yaml.org,2002:float": re.compile(r"[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?|[-+]?[.](inf|nan)", re.IGNORECASE),
}
"""Numbers that everybody reads alike: 0101 is 65 in YAML, 1:30 is 90, and who writes 1_000 may mean a name."""
_TEXT_WANTED = frozenset({"string_type", "model_type"})

Model = TypeVar("Model", bound=BaseModel)


class RuleBroken(ValueError):
    """A rule between several values of a file, with the path from the validated value to the one at fault."""

    def __init__(self, message: str, *at: str | int) -> None:
        super().__init__(message)
        self.at = at


def read_model(path: Path, model: type[Model], kind: str) -> Model:
    """Read a file as `model`.

    Parameters
    ----------
    kind
        How messages name the file's role, like "Provider file".

    Raises
    ------
    ConfigurationError
        If the file cannot be read, is not YAML, or breaks the model's rules; names file, line and key of each fault.
    """
    where = f"{kind} {path.name}"
    loader = _opened(path, where)
    try:
        root = loader.get_single_node()
        for fault in _faults(loader, root):
            raise ConfigurationError(f"{where}, {fault}")
        values = loader.construct_document(root) if root is not None else {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{where}{line} is not YAML: {error.problem or error.context}. Correct the line, or the one before it.") from error
    except RecursionError as error:
        raise ConfigurationError(f"{where}: expected at most {_MAX_DEPTH} levels, came many more. Is it the right file?") from error
    except ValueError as error:
        # Values that look like a date or a number and are none: 2024-13-45.
        raise ConfigurationError(f"{where} is not YAML: {error}. If it is meant as a text, put it in quotes.") from error
    finally:
        loader.dispose()
    if not isinstance(values, dict):
        raise ConfigurationError(f"{where}, line 1: expected keys with values ('name: ...'), came {type(values).__name__}. See README.")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = [_fault(problem, root) for problem in error.errors()]
        raise ConfigurationError(f"{where} breaks the rules: {'; '.join(faults)}.") from error


def _opened(path: Path, where: str) -> yaml.SafeLoader:
    text = ""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(f"{where}: expected at most {MAX_BYTES:,} bytes of YAML, came {path.stat().st_size:,}. Is it the right file?")
        text = path.read_text(encoding="utf-8-sig")
        return yaml.SafeLoader(text)
    except OSError as error:
        raise ConfigurationError(f"{where} cannot be read: {error.strerror}. Expected a text file with YAML at {path}.") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{where}, line {line}: expected text in UTF-8, came other bytes. Save the file as UTF-8.") from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise ConfigurationError(f"{where}, line {line}: expected text, came a control character ({error.character:#x}). Remove it.") from error


def _faults(loader: yaml.SafeLoader, root: yaml.Node | None) -> Iterator[str]:
    """Faults that YAML itself lets pass; the first one counts."""
    count, waiting = 0, [(root, 0, "")] if root is not None else []
    while waiting:
        node, depth, key = waiting.pop()
        count += 1
        line = f"line {node.start_mark.line + 1}{key and f', key {key}'}"
        if depth > _MAX_DEPTH or count > MAX_NODES:
            yield f"{line}: expected at most {_MAX_DEPTH} levels and {MAX_NODES:,} values, aliases written out. Is it the right file?"
        plain = getattr(node, "style", None) is None
        if node.tag != loader.resolve(type(node), node.value, (plain, not plain)):  # type: ignore[no-untyped-call]
            yield f"{line}: expected plain keys, texts and numbers, came the tag {node.tag}. Remove it."
        if isinstance(node, yaml.ScalarNode) and ("\0" in node.value or any("\ud800" <= character <= "\udfff" for character in node.value)):
            yield f"{line}: expected text, came {node.value!r} with a character that no text can hold. Remove it."
        if isinstance(node, yaml.ScalarNode) and node.tag in _NUMBERS and not _NUMBERS[node.tag].fullmatch(node.value):
            read = f"came {node.value}, which YAML reads as {loader.construct_object(node)}"
            yield f'{line}: expected a number in plain digits, {read}. If a text is meant, quote it: "{node.value}".'
        if isinstance(node, yaml.SequenceNode):
            waiting += [(item, depth + 1, _joined(key, str(index))) for index, item in reversed(list(enumerate(node.value)))]
        if isinstance(node, yaml.MappingNode):
            seen: dict[tuple[str, str], int] = {}
            for name_node, _ in node.value:
                named = (name_node.tag, str(name_node.value))
                if named in seen and isinstance(name_node, yaml.ScalarNode):
                    again = f"line {name_node.start_mark.line + 1}, key {_joined(key, named[1])}"
                    yield f"{again}: the key stands in line {seen[named]} already. Keep one."
                seen[named] = name_node.start_mark.line + 1
            waiting += [(value, depth + 1, _joined(key, str(name_node.value))) for name_node, value in reversed(node.value)]
            waiting += [(name_node, depth + 1, key) for name_node, _ in node.value]


def _joined(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _fault(problem: ErrorDetails, root: yaml.Node | None) -> str:
    """One fault as `line, key: what was expected`."""
    cause = problem.get("ctx", {}).get("error")
    at = [*problem["loc"], *(cause.at if isinstance(cause, RuleBroken) else ())]
    node, line, found = _node_at(root, at)
    message = problem["msg"].removeprefix("Value error, ")
    read_as = _YAML_READS_AS.get(node.tag.removeprefix("tag:yaml.org,2002:")) if isinstance(node, yaml.ScalarNode) else None
    if found and node is not None and read_as and problem["type"] in _TEXT_WANTED:
        message = f'expected a text, came {node.value}, which YAML reads as {read_as}. If a text is meant, quote it: "{node.value}"'
    key = ".".join(map(str, at)) or "(the whole file)"
    return f"line {line}, key {key}: {message.removesuffix('.')}"


def _node_at(root: yaml.Node | None, at: Sequence[str | int]) -> tuple[yaml.Node | None, int, bool]:
    """The deepest node on a path, the line of its key, and whether the whole path was found (parts that name a model's variant are passed over)."""
    node, key, line, found = root, root, 1, True
    for part in at:
        inner: Sequence[tuple[yaml.Node, yaml.Node]] = ()
        if isinstance(node, yaml.MappingNode):
            inner = [(name, value) for name, value in node.value if _as_read(name) == str(part)]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            inner = [(node.value[part], node.value[part])]
        found = bool(inner)
        if inner:
            (key, node), line = inner[0], inner[0][0].start_mark.line + 1
    return (key, line, True) if at and at[-1] == "[key]" else (node, line, found)


def _as_read(name: yaml.Node) -> str:
    """A key as it stands in the path to an error: `No` is 0."""
    value = str(name.value)
    return str(int(yaml.SafeLoader.bool_values[value.lower()])) if name.tag == "tag:yaml.org,2002:bool" else value
