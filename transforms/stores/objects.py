"""Object stores: Amazon S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage. What they hold is read as it was listed, and written
in one step. The only importer of obstore.

What an object is called in landing is for `transforms.fetching.keys` to say, and what a lake keeps in a store for `transforms.lake`.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any, Literal
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, InvalidPathError, PreconditionError
from obstore.store import AzureStore, GCSStore, S3Store

from transforms.redaction import blotted, redacted
from transforms.stores.s3_listing import Bucket, ListingFailed

CONNECT_SECONDS, READ_SECONDS = 10, 60
"""How long to wait for a connection, and for the next bytes."""
RETRIES, RETRY_SECONDS = 4, 60
"""How often a request that fails is repeated, and for how long."""
_CHUNK = 1 << 18
_PAGE = 1000
_CODE = re.compile(r"<Code>(\w+)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]+)</Message>")
_STATUS = re.compile(r"non-2xx status code: ((\d{3})[\w -]*)")
_NO_SERVER = ("Connect,", "dns error", "builder error", "Errno")
_TOO_SLOW, _CUT = ("TimedOut", "timed out"), ("body error", "IncompleteMessage", "ConnectionReset", "connection closed")
_MACHINES = ("169.254.", "metadata.google.internal", "/computeMetadata/")
"""Where a store's library asks the machine for credentials when the environment has none."""
_FOLDER_TYPES = ("application/x-directory", "httpd/unix-directory")

ValueOf = Callable[[str], str]
"""Finds what a variable holds; an empty text where it is not set."""


class StoreUnreachable(Exception):
    """Nothing can be had from the store now; says why and what to do."""


class ObjectNotTaken(Exception):
    """One object could not be read as it was listed; says why and what to do."""


class NotWritten(Exception):
    """Something else stands under that key by now."""


class NoObject(Exception):
    """What was listed is no object: it marks a folder, as consoles make them."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a store lists it."""

    key: str
    """Its key behind that of the folder that the provider file names."""
    size: int
    modified: datetime
    etag: str | None
    """Its tag, which changes with its content."""


@dataclass(frozen=True)
class _Kind:
    """A kind of store: where its addresses, keys and secrets stand in the environment, by the name that the library gives them."""

    name: str
    make: Callable[..., Any]
    endpoint: tuple[str, str]
    login: tuple[tuple[str, str], ...]
    secrets: frozenset[str]
    needed: str
    """The variables that are needed, as a message names them."""
    place: str = "bucket"


_KINDS = {
    "s3": _Kind(
        "S3",
        S3Store,
        ("endpoint", "AWS_ENDPOINT_URL"),
        (
            ("access_key_id", "AWS_ACCESS_KEY_ID"),
            ("secret_access_key", "AWS_SECRET_ACCESS_KEY"),
            ("session_token", "AWS_SESSION_TOKEN"),
            ("region", "AWS_REGION"),
        ),
        frozenset({"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}),
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    ),
    "gs": _Kind(
        "Google Cloud Storage",
        GCSStore,
        ("base_url", "GOOGLE_BASE_URL"),
        (("service_account", "GOOGLE_SERVICE_ACCOUNT"), ("service_account_key", "GOOGLE_SERVICE_ACCOUNT_KEY")),
        frozenset({"GOOGLE_SERVICE_ACCOUNT_KEY"}),
        "GOOGLE_SERVICE_ACCOUNT (the path of a key file)",
    ),
    "az": _Kind(
        "Azure Blob Storage",
        AzureStore,
        ("endpoint", "AZURE_STORAGE_ENDPOINT"),
        (
            ("account_name", "AZURE_STORAGE_ACCOUNT_NAME"),
            ("account_key", "AZURE_STORAGE_ACCOUNT_KEY"),
            ("sas_key", "AZURE_STORAGE_SAS_TOKEN"),
        ),
        frozenset({"AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN"}),
        "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY (or AZURE_STORAGE_SAS_TOKEN)",
        "container",
    ),
}
_PART_OF_AN_ADDRESS = re.compile(r"[\w-]*", re.ASCII)
_ALSO = {"AWS_ENDPOINT_URL": "AWS_ENDPOINT_URL_S3", "AWS_REGION": "AWS_DEFAULT_REGION"}
"""Other names of variables, by which they are known too."""
_ADDRESS = re.compile(r"https?://([^/?#\s]+@)?(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?(/[\w./~-]*)?", re.ASCII)


@dataclass(frozen=True)
class ObjectStore:
    """A folder of a bucket, opened with what the environment holds."""

    address: str
    kind: _Kind
    bucket: str
    prefix: str
    opened: Any
    endpoint: str
    direct: Bucket | None
    """The same bucket by S3's protocol, where key and secret are known here."""
    secrets: tuple[str, ...] = field(repr=False)
    named: str
    """Where its address was given, as messages name it."""
    again: str
    """What to do once it answers again."""

    def pages(self, folder: str) -> Iterator[list[StoredObject]]:
        """What the store holds below a folder, page by page; each key whole.

        Raises
        ------
        StoreUnreachable
            If it does not let itself be listed.
        """
        listed: set[str] = set()
        try:
            for page in obstore.list(self.opened, folder or None, chunk_size=_PAGE):
                found = [_object(one) for one in page]
                listed.update(one.key for one in found)
                yield found
        except InvalidPathError as error:
            if self.direct is None:
                raise StoreUnreachable(self._explained(error, "list")) from None
            yield from self._pages_with_odd_keys(self.direct, folder, listed)
        except (BaseError, FileNotFoundError, ValueError) as error:
            raise StoreUnreachable(self._explained(error, "list")) from None

    def _pages_with_odd_keys(self, bucket: Bucket, folder: str, listed: Collection[str]) -> Iterator[list[StoredObject]]:
        """What was not listed yet, with the keys that the library cannot hold."""
        above = f"{self.prefix}/" if self.prefix else ""
        try:
            for page in bucket.pages(f"{above}{folder}/" if folder else above, READ_SECONDS):
                found = [
                    StoredObject(one["Key"].removeprefix(above), int(one["Size"]), datetime.fromisoformat(one["LastModified"]), _tag(one["ETag"]))
                    for one in page
                ]
                yield [one for one in found if one.key not in listed]
        except (ListingFailed, ValueError) as error:
            raise StoreUnreachable(self._explained(error, "list")) from None

    def read(self, wanted: StoredObject, seconds: int) -> Iterator[bytes]:
        """Stream the content of an object as it was listed.

        Raises
        ------
        NoObject
            If it marks a folder.
        ObjectNotTaken
            If it is another one by now, it is gone, or it takes longer than `seconds`.
        StoreUnreachable
            If the store cannot be asked, also in the midst of the content.
        """
        until, size = monotonic() + seconds, 0
        try:
            found = obstore.get(self.opened, wanted.key, options={"if_match": f'"{wanted.etag}"'} if wanted.etag else {})
            meta = _object(found.meta)
            if not wanted.size and str(found.attributes.get("Content-Type", "")).startswith(_FOLDER_TYPES):
                raise NoObject
            if (meta.size, meta.etag) != (wanted.size, wanted.etag):
                raise ObjectNotTaken(_CHANGED)
            for chunk in found.stream(min_chunk_size=_CHUNK):
                size += len(chunk)
                yield bytes(chunk)
                if monotonic() > until:
                    raise ObjectNotTaken(f"it did not come within {seconds} seconds. Set 'timeout' beside 'files' higher, or make it smaller.")
        except PreconditionError:
            raise ObjectNotTaken(_CHANGED) from None
        except FileNotFoundError:
            if not wanted.size:
                raise NoObject from None
            raise ObjectNotTaken(
                "it was there when the store was listed and is not there now, or its key begins or ends with /. Fetch again, or give it another key."
            ) from None
        except (BaseError, ValueError) as error:
            raise StoreUnreachable(self._explained(error, "read")) from None
        if size != wanted.size:
            raise ObjectNotTaken(_CHANGED)

    def find(self, key: str) -> StoredObject | None:
        """An object as it stands now; None where there is none. Raise `StoreUnreachable` where that cannot be told."""
        try:
            return _object(obstore.head(self.opened, key))
        except FileNotFoundError:
            return None
        except (BaseError, ValueError) as error:
            raise StoreUnreachable(self._explained(error, "read")) from None

    def write(self, key: str, content: bytes | Path, where: Literal["any", "absent"] | StoredObject = "any") -> StoredObject:
        """Put an object in one step and return it as it stands then.

        Parameters
        ----------
        where
            Only where there is none of that key (`absent`), or only in the place of one as it was found.

        Raises
        ------
        NotWritten
            If another one stands there.
        StoreUnreachable
            If the store cannot be asked.
        """
        mode: Any = "overwrite" if where == "any" else "create" if where == "absent" else {"e_tag": f'"{where.etag}"'}
        try:
            # In one part where there is a condition: what is put together of several parts has none.
            put = obstore.put(self.opened, key, content, mode=mode, use_multipart=None if where == "any" else False)
        except (AlreadyExistsError, PreconditionError):
            raise NotWritten from None
        except FileNotFoundError as error:
            if isinstance(where, StoredObject):
                raise NotWritten from None
            raise StoreUnreachable(self._explained(error, "write")) from None
        except (BaseError, ValueError) as error:
            raise StoreUnreachable(self._explained(error, "write")) from None
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        return StoredObject(key, size, datetime.now(UTC), _tag(put["e_tag"]))

    def delete(self, key: str) -> None:
        """Take an object away; there need not be one."""
        with suppress(FileNotFoundError):
            try:
                obstore.delete(self.opened, key)
            except (BaseError, ValueError) as error:
                raise StoreUnreachable(self._explained(error, "write")) from None

    def _explained(self, error: Exception, do: str) -> str:
        """Why a request failed and what to do, in two sentences."""
        where = self.endpoint or f"{self.kind.name}'s own address, since {self.kind.endpoint[1]} is not set"
        return f"{self._reason(error, str(error), do)} It was asked for at {where}."

    def _reason(self, error: Exception, text: str, do: str) -> str:
        endpoint, needed = self.kind.endpoint[1], self.kind.needed
        code, status, message = ((found.group(1).strip() if (found := pattern.search(text)) else "") for pattern in (_CODE, _STATUS, _MESSAGE))
        told = _CODES.get(code) or ("" if status[:3] != "404" else _CODES["NoSuchBucket"])
        causes = (
            (
                isinstance(error, InvalidPathError),
                f"it holds an object whose key is no path ({_first_line(text)}), so that it cannot be listed. Remove it, or give it another key.",
            ),
            (
                any(place in text for place in _MACHINES),
                f"there are no credentials for it. Set {needed}, or variables with _FILE behind their names to files that hold them.",
            ),
            (told, told.format(bucket=self.bucket, place=self.kind.place, endpoint=endpoint, needed=needed, do=do, named=self.named)),
            (
                status[:3] in {"401", "403"},
                f"it does not let in who is named by {needed} ({status}). Correct them, or let them {do} there.",
            ),
            (status.startswith("5"), f"it answers {status!r}, also when it is asked {RETRIES + 1} times. {self.again} later."),
            (any(sign in text for sign in _NO_SERVER), f"no server answers there. Check that it runs, and {endpoint}."),
            (any(sign in text for sign in _TOO_SLOW), f"no answer came within {READ_SECONDS} seconds. {self.again}, or check {endpoint}."),
            (
                any(sign in text for sign in _CUT),
                f"the connection broke, also when what was missing was asked for {RETRIES} times. {self.again} later.",
            ),
        )
        return next((blotted(why, self.secrets) for holds, why in causes if holds), "") or (
            f"it cannot be {'listed' if do == 'list' else 'written' if do == 'write' else do}: {blotted(message or _first_line(text), self.secrets)}."
        )


_CHANGED = "it was changed while it was fetched, or is still being written. Fetch again."
_CODES = {
    "NoSuchBucket": "there is no {place} {bucket!r}. Correct {named}, or {endpoint}.",
    "ContainerNotFound": "there is no {place} {bucket!r}. Correct {named}, or {endpoint}.",
    "InvalidBucketName": "{bucket!r} is no name of a {place}. Correct {named}.",
    "InvalidAccessKeyId": "it knows no such key. Correct AWS_ACCESS_KEY_ID, and AWS_SESSION_TOKEN where it is set.",
    "SignatureDoesNotMatch": "the secret does not belong to the key. Correct AWS_SECRET_ACCESS_KEY, AWS_ACCESS_KEY_ID or AWS_REGION.",
    "AuthenticationFailed": "the secret does not belong to the account. Correct {needed}.",
    "AccessDenied": "who is named by {needed} may not {do} there. Let them, or name others.",
    "ExpiredToken": "the session is over. Renew AWS_SESSION_TOKEN with its key and secret.",
    "InvalidToken": "it knows no such session. Correct AWS_SESSION_TOKEN, or unset it.",
    "AuthorizationHeaderMalformed": "the {place} {bucket!r} lies in another region. Correct AWS_REGION.",
    "PermanentRedirect": "the {place} {bucket!r} lies in another region. Correct AWS_REGION.",
    "RequestTimeTooSkewed": "this machine's clock is wrong by more than it allows. Set the clock.",
}


def opened(address: str, value_of: ValueOf, seconds: int, named: str = "'store' in the provider YAML", again: str = "Fetch again") -> ObjectStore:
    """Open a store by its address.

    Parameters
    ----------
    seconds
        How long one object may take.
    named, again
        Where the address was given, and what to do once the store answers again, as messages say it.

    Raises
    ------
    StoreUnreachable
        If a variable of the environment holds what cannot be right.
    """
    scheme, _, place = address.partition("://")
    bucket, _, prefix = place.partition("/")
    kind = _KINDS[scheme]
    values = {variable: value_of(variable) or value_of(_ALSO.get(variable, variable)) for _, variable in (*kind.login, kind.endpoint)}
    secrets = tuple(values[variable] for variable in sorted(kind.secrets) if values[variable])
    endpoint = values[kind.endpoint[1]]
    _refuse_odd(kind, values)
    options = {option: values[variable] for option, variable in (*kind.login, kind.endpoint) if values[variable]}
    within = {
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "read_timeout": timedelta(seconds=READ_SECONDS),
        "timeout": timedelta(seconds=seconds),
        "allow_http": endpoint.startswith("http://"),
    }
    retries = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)}
    try:
        made = kind.make(bucket, prefix=prefix or None, config=options, client_options=within, retry_config=retries)
    except (BaseError, ValueError) as error:
        why = blotted(_first_line(str(error)), secrets)
        raise StoreUnreachable(f"what the environment says of it cannot be used: {why}. Correct {kind.needed}.") from None
    return ObjectStore(
        address, kind, bucket, prefix, made, redacted(endpoint, endpoint), _direct(bucket, endpoint, options, kind), secrets, named, again
    )


def _direct(name: str, endpoint: str, options: Mapping[str, str], kind: _Kind) -> Bucket | None:
    if kind is not _KINDS["s3"] or "access_key_id" not in options:
        return None
    return Bucket(
        endpoint, name, options.get("region", "us-east-1"), options["access_key_id"], options["secret_access_key"], options.get("session_token", "")
    )


def _refuse_odd(kind: _Kind, values: Mapping[str, str]) -> None:
    """Refuse values over which the library stumbles, before it sees them."""
    variable = kind.endpoint[1]
    if values[variable] and not _is_address(values[variable]):
        raise StoreUnreachable(
            f"expected an address like https://storage.example.com:9000 in {variable}, came another text. Correct it, or unset it."
        )
    for variable in ("AWS_REGION", "AZURE_STORAGE_ACCOUNT_NAME"):
        if not _PART_OF_AN_ADDRESS.fullmatch(values.get(variable, "")):
            raise StoreUnreachable(f"expected letters, digits and hyphens in {variable}, came others. Correct it.")
    for variable, value in values.items():
        if not (value.isascii() and (value.isprintable() or variable == "GOOGLE_SERVICE_ACCOUNT_KEY")):
            raise StoreUnreachable(f"expected one line of plain characters in {variable}, came others. Correct it.")


def _is_address(text: str) -> bool:
    try:
        return _ADDRESS.fullmatch(text) is not None and (urlsplit(text).port or 1) > 0
    except ValueError:
        return False


def _object(found: Mapping[str, Any]) -> StoredObject:
    return StoredObject(found["path"], found["size"], found["last_modified"], _tag(found["e_tag"]))


def _tag(text: str | None) -> str | None:
    """A tag without its quotes, and without the sign of a weak one: some stores list it in one way and answer with it in another."""
    return text.removeprefix("W/").strip('"') if text else None


def _first_line(text: str) -> str:
    return text.partition("\n")[0].strip().removesuffix(".")
