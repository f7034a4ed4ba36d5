"""Parse a request: which repo it is about, what it asks for, who sends it, and its body.

This works on the raw path, because a revision arrives as ``quote(safe="")``: in a decoded
path ``refs%2Fpr%2F1`` would be three segments. A body is read up to a limit.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Awaitable, Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs, unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub.access import LOCAL, Access, User
from localhub.errors import HubError, Moved, bad_request, no_repo, not_served, too_large
from localhub.names import RepoName, repo_name
from localhub.store import HubStore, Opened

#: Most bytes of a JSON or form body; the largest that the client sends is a preupload of 256 files.
MAX_BODY = 8_000_000
#: Most items in one request.
MAX_ITEMS = 10_000


async def read_body(request: Request, most: int = MAX_BODY) -> bytes:
    """Read the whole body.

    Raises:
        HubError: 413, it has more than `most` bytes.
    """
    chunks = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise too_large(f"The body is over {most} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def loads(data: bytes) -> Any:
    """Parse JSON; refuse what can be neither stored nor sent: lone surrogates, NaN and infinite numbers.

    Raises:
        HubError: 400.
    """
    try:
        # As a text, because from bytes the parser also takes surrogates that are encoded as if by UTF-8.
        value = json.loads(data.decode("utf-8-sig"), parse_constant=_finite, parse_float=_finite)
        if b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise bad_request("Not valid JSON") from None
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number of JSON, or too large")
    return number


def parse_json(data: bytes) -> dict[str, Any]:
    """Parse a JSON object; an empty body is an empty object.

    Raises:
        HubError: 400.
    """
    value = loads(data) if data.strip() else {}
    if not isinstance(value, dict):
        raise bad_request("The body must be a JSON object")
    return value


def parse_form(data: bytes, content_type: str) -> dict[str, Any]:
    """Parse a URL-encoded form into lists of texts; JSON is accepted too, as on the public Hub.

    Raises:
        HubError: 400.
    """
    if content_type.startswith("application/json"):
        return parse_json(data)
    try:
        return dict(parse_qs(data.decode(), max_num_fields=MAX_ITEMS, errors="strict"))
    except ValueError:
        raise bad_request("The body is not a valid form") from None


_PLURAL = {"models": "model", "datasets": "dataset", "spaces": "space"}
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")


@dataclass(frozen=True)
class Limits:
    """The most that a caller may send.

    Attributes:
        commit_bytes: bytes of one commit's body (files over 10 MB are uploaded ahead of it).
        operations: operations of one commit.
        file_bytes: bytes of one large file.
    """

    commit_bytes: int = 256_000_000
    operations: int = 25_000
    file_bytes: int = 5_000_000_000


@dataclass
class Call:
    """A parsed request on its way to a handler.

    Attributes:
        base: the Hub's address as the caller knows it, without a trailing slash.
        name: the repo in the path; None for paths without one.
        rest: the decoded segments after the repo and the verb; a revision is one item.
        body: the decoded JSON or form, for routes that read one.
    """

    request: Request
    store: HubStore
    access: Access
    limits: Limits
    base: str
    user: User | None
    name: RepoName | None = None
    rest: list[str] = field(default_factory=list)
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def repo(self) -> RepoName:
        assert self.name is not None, "only for routes below a repo"
        return self.name

    @property
    def author(self) -> str:
        """Name of the caller; only for routes that write."""
        return (self.user or LOCAL).name

    @property
    def revision(self) -> str:
        """The revision in the path; ``main`` if there is none."""
        return self.rest[0] if self.rest else "main"

    @property
    def path(self) -> str:
        """The path in the repo, after the revision; the client may quote it whole or segment by segment."""
        return "/".join(self.rest[1:])

    @contextmanager
    def open(self) -> Iterator[Opened]:
        """Open a snapshot of the repo, if the caller may read it.

        Raises:
            HubError: 404; without a token 401, which does not tell whether the repo exists.
            Moved: a read request uses an earlier name of the repo.
        """
        try:
            with self.store.open(self.repo) as opened:
                self.access.check_read(self.user, self.repo.id, private=opened.repo.private)
                if opened.repo.name.id.lower() != self.repo.id.lower():
                    self._redirect(opened.repo.name)
                yield opened
        except HubError as error:
            if error.header == "RepoNotFound" and self.user is None:
                raise HubError(401, no_repo(self.repo.id).message, header="RepoNotFound") from None
            raise

    def _redirect(self, name: RepoName) -> None:
        """Redirect a read request from a repo's earlier name to its current one; let other requests pass.

        Raises:
            Moved: with a path, which a client follows on the same host.
        """
        raw = (self.request.scope.get("raw_path") or self.request.scope["path"].encode()).decode("ascii")
        old, query = raw.split("?")[0], self.request.url.query
        new = old.replace(f"/{self.repo.id}", f"/{name.id}", 1)
        if self.request.method in ("GET", "HEAD") and new != old:
            raise Moved(f"{new}?{query}" if query else new)

    def flag(self, name: str) -> bool:
        """True if the query parameter `name` is ``true``, ``True`` or ``1``, as the client writes it."""
        return self.request.query_params.get(name, "").lower() in ("true", "1")

    def cursor(self) -> int:
        """Return the index of the first item of a page.

        Raises:
            HubError: 400, the cursor is not one that the Hub made.
        """
        text = self.request.query_params.get("cursor", "0")
        if not (text.isascii() and text.isdigit() and len(text) < 9):
            raise bad_request("The cursor is not one of ours")
        return int(text)

    def page(self, default: int, most: int) -> int:
        """Return how many items the caller wants at once: 1 to `most`; `default` if it does not say."""
        text = self.request.query_params.get("limit", "")
        return (
            min(max(int(text), 1), most) if text.isascii() and text.isdigit() and len(text) < 9 else default
        )

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text of the JSON body.

        Raises:
            HubError: 400, it is not a text, or it is missing and there is no default.
        """
        value = self.body.get(key, default)
        if not isinstance(value, str):
            raise bad_request(f"{key} must be a text")
        return value

    def items(self, key: str) -> list[Any]:
        """Return a list of the JSON body.

        Raises:
            HubError: 400, it is not a list; 413, it has more than `MAX_ITEMS` items.
        """
        value = self.body.get(key)
        if not isinstance(value, list):
            raise bad_request(f"{key} must be a list")
        if len(value) > MAX_ITEMS:
            raise too_large(f"{key} has more than {MAX_ITEMS} items")
        return value


Handler = Callable[[Call], Response]
StreamHandler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """The handler of a method and a verb.

    Attributes:
        handle: blocking function; it runs in a thread.
        stream: async function, instead of `handle`, that reads the body piece by piece.
        write: True if the caller needs the role write.
        body: how the body is parsed before `handle` is called.
        query: query parameters that `handle` reads.
        expand: allowed values of the query parameter ``expand``, for routes that read it as a list.
        keys: keys of the body that `handle` reads; None if it checks them itself.
    """

    handle: Handler | None = None
    stream: StreamHandler | None = None
    write: bool = False
    body: Literal["none", "json", "form"] = "none"
    query: tuple[str, ...] = ()
    expand: frozenset[str] = frozenset()
    keys: tuple[str, ...] | None = None

    def check_query(self, request: Request) -> None:
        """Refuse query parameters that would be ignored.

        Raises:
            HubError: 400, with the name of the first one.
        """
        for key, value in request.query_params.multi_items():
            if key in ("expand", "expand[]") and self.expand:
                if value not in self.expand:
                    raise not_served(f"expand={value}")
            elif key not in self.query:
                raise not_served(key)

    def check_body(self, body: dict[str, Any]) -> None:
        """Refuse keys of the body that would be ignored; one that is null counts as missing.

        Raises:
            HubError: 400, with the name of the first one.
        """
        for key, value in body.items():
            if self.keys is not None and key not in self.keys and value is not None:
                raise not_served(key)


Table = dict[tuple[str, str], Route]


def split_path(raw: bytes) -> list[str]:
    """Return the decoded segments of a raw path.

    Raises:
        HubError: 400, it is not ASCII, or not UTF-8 once percent-decoded.
    """
    try:
        parts = raw.decode("ascii").removeprefix("/").rstrip("/").split("/")
        return [unquote(part, errors="strict") for part in parts]
    except UnicodeDecodeError:
        raise bad_request("The address is not valid UTF-8") from None


def find_repo(parts: list[str], verbs: Container[str]) -> tuple[RepoName, str, list[str]] | None:
    """Parse a path below a repo.

    Args:
        verbs: all known verbs, so that ``gpt2/resolve/main`` is not taken for a repo ``gpt2/resolve``.

    Returns:
        The repo, the verb with the area that it belongs to (``api:tree``, ``web:resolve``,
        ``git:batch``) and the rest; None if the path is not below a repo.

    Raises:
        HubError: 404 for a repo name with only one part, or one that no repo can have.
    """
    api = parts[0] == "api"
    if api:
        kind, parts = _PLURAL.get(parts[1] if len(parts) > 1 else ""), parts[2:]
    elif parts[0] in ("datasets", "spaces"):
        kind, parts = _PLURAL[parts[0]], parts[1:]
    else:
        kind = "model"
    if kind is None or not parts or (len(parts) == 1 and kind == "model" and not api):
        return None
    git = parts[0].endswith(".git") and parts[1:4] == ["info", "lfs", "objects"]
    if len(parts) == 1 or git:
        raise no_repo(_shown(parts[0].removesuffix(".git")))
    verb, rest = (parts[2] if len(parts) > 2 else ""), parts[3:]
    namespace, name = parts[:2]
    area = "api" if api else "web"
    if not api and name.endswith(".git") and [verb, *rest[:2]] == ["info", "lfs", "objects"]:
        area, name = "git", name.removesuffix(".git")
        verb, rest = ("batch", []) if rest[2:] == ["batch"] else ("object", rest[2:])
    if f"{area}:{verb}" not in verbs and f"{area}:{name}" in verbs:
        raise no_repo(_shown(namespace))
    try:
        return repo_name(kind, namespace, name), f"{area}:{verb}", rest
    except HubError:
        raise no_repo(_shown(f"{namespace}/{name}")) from None


def _shown(text: str) -> str:
    return ascii(text)[1:-1][:120]


def base_url(request: Request, public_url: str) -> str:
    """Return the address to put before a path in an answer.

    Raises:
        HubError: 400, the Host header is unusable.
    """
    if public_url:
        return public_url.rstrip("/")
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        raise bad_request("The Host header is unusable")
    return f"{request.scope['scheme']}://{host}{request.scope.get('root_path', '')}"


def answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response."""
    return JSONResponse(content, status, headers)
