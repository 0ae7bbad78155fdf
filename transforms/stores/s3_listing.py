"""Listing of an S3 bucket by its protocol, where keys in it are no paths (`a//b`, `../a`): obstore ends its listing at the first of them.

Objects are read, and buckets without such keys listed, by `stores`. Requests are signed by version 4 of Amazon's signature.
"""

import hashlib
import hmac
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote_plus, urlsplit
from urllib.request import Request, urlopen

_CONTENTS = re.compile(r"<Contents>(.*?)</Contents>", re.DOTALL)
_NOTHING = hashlib.sha256(b"").hexdigest()
_ENCODED = "<EncodingType>url</EncodingType>"


class ListingFailed(Exception):
    """The server does not list the bucket; holds its answer, or why there is none."""


@dataclass(frozen=True)
class Bucket:
    """A bucket and who asks for it."""

    endpoint: str
    """Address of the server; empty for Amazon's own."""
    name: str
    region: str
    key: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)

    def pages(self, prefix: str, seconds: int) -> Iterator[list[dict[str, str]]]:
        """Objects whose keys begin with `prefix`, page by page: `Key`, `Size`, `ETag` and `LastModified` of each.

        Raises
        ------
        ListingFailed
            If the server does not answer within `seconds`, or refuses.
        """
        asked = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
        while True:
            answer = self._answer(asked, seconds)
            encoded = _ENCODED in answer
            yield [_object(found, encoded) for found in _CONTENTS.findall(answer)]
            following = _value("NextContinuationToken", answer)
            if not following:
                return
            asked["continuation-token"] = following

    def _answer(self, asked: Mapping[str, str], seconds: int) -> str:
        request = self._signed(asked, datetime.now(UTC))
        try:
            with urlopen(request, timeout=seconds) as answer:  # noqa: S310 - the scheme of the address was looked at
                return str(answer.read().decode())
        except HTTPError as error:
            raise ListingFailed(f"non-2xx status code: {error.code} {error.reason}: {error.read().decode(errors='replace')}") from None
        except (URLError, OSError, UnicodeDecodeError) as error:
            raise ListingFailed(str(getattr(error, "reason", error))) from None

    def _signed(self, asked: Mapping[str, str], now: datetime) -> Request:
        """A request as https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html says."""
        server = urlsplit(self.endpoint or f"https://s3.{self.region}.amazonaws.com")
        path = f"{server.path.rstrip('/')}/{self.name}"
        query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(asked.items()))
        headers = {"host": server.netloc.rpartition("@")[2], "x-amz-content-sha256": _NOTHING, "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}"}
        headers |= {"x-amz-security-token": self.token} if self.token else {}
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        canonical = f"GET\n{quote(path)}\n{query}\n{lines}\n{names}\n{_NOTHING}"
        scope = f"{now:%Y%m%d}/{self.region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{self.secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        login = f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return Request(f"{server.scheme}://{headers['host']}{quote(path)}?{query}", headers={**headers, "authorization": login})  # noqa: S310


def _object(text: str, encoded: bool) -> dict[str, str]:
    found = {name: _value(name, text) for name in ("Key", "Size", "ETag", "LastModified")}
    return found | ({"Key": unquote_plus(found["Key"])} if encoded else {})


def _value(name: str, text: str) -> str:
    found = re.search(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return html.unescape(found.group(1)) if found else ""
