"""One request, taken apart: which repo it is about, what it wants, who asks, what its body says.

Works on the raw path, because a revision arrives as ``quote(safe="")``: in a decoded
path ``refs%2Fpr%2F1`` would be three segments. A body is read up to a limit.
"""

from __future__ import annotations

import json
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

#: Bytes of a JSON or form body; the largest the client sends is a preupload of 256 files.
MAX_BODY = 8_000_000
#: Items the client may name in one request.
MAX_ITEMS = 10_000


async def read_body(request: Request, most: int = MAX_BODY) -> bytes:
    """The whole body.

    Raises:
        HubError: 413.
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
    """JSON, without the lone surrogates that it allows and that nothing can store or send on.

    Raises:
        HubError: 400.
    """
    try:
        value = json.loads(data)
        if b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise bad_request("Not valid JSON") from None
    return value


def parse_json(data: bytes) -> dict[str, Any]:
    """A JSON object; an empty body is an empty object.

    Raises:
        HubError: 400.
    """
    value = loads(data) if data.strip() else {}
    if not isinstance(value, dict):
        raise bad_request("The body must be a JSON object")
    return value


def parse_form(data: bytes, content_type: str) -> dict[str, Any]:
    """A urlencoded form as lists of texts; JSON is taken too, as on the public Hub.

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
    """What a caller may send.

    Attributes:
        commit_bytes: of one commit's body (files over 10 MB travel ahead of it).
        operations: of one commit.
        file_bytes: of one large file.
    """

    commit_bytes: int = 256_000_000
    operations: int = 25_000
    file_bytes: int = 5_000_000_000


@dataclass
class Call:
    """A request on its way to a handler.

    Attributes:
        base: the Hub's address as the caller knows it, without a trailing slash.
        name: the repo the path names; None for paths without one.
        rest: what follows the repo and the verb, decoded; a revision is one item.
        body: the decoded JSON or form, for routes that want one.
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
        """The revision the path names, ``main`` when it names none."""
        return self.rest[0] if self.rest else "main"

    @property
    def path(self) -> str:
        """The path in the repo, after the revision; quoted whole or segment by segment."""
        return "/".join(self.rest[1:])

    @contextmanager
    def open(self) -> Iterator[Opened]:
        """The repo as of one moment, if the caller may read it.

        Raises:
            HubError: 404, or 401 without a token, whether or not there is such a repo.
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
        """Lead a reader from a repo's earlier name to its present one; a writer is served as it comes.

        Raises:
            Moved: with a path, which a client follows on the same host.
        """
        raw = (self.request.scope.get("raw_path") or self.request.scope["path"].encode()).decode("ascii")
        old, query = raw.split("?")[0], self.request.url.query
        new = old.replace(f"/{self.repo.id}", f"/{name.id}", 1)
        if self.request.method in ("GET", "HEAD") and new != old:
            raise Moved(f"{new}?{query}" if query else new)

    def flag(self, name: str) -> bool:
        """Whether the query says yes to `name`; the client writes ``true``, ``True`` or ``1``."""
        return self.request.query_params.get(name, "").lower() in ("true", "1")

    def cursor(self) -> int:
        """Where a page begins.

        Raises:
            HubError: 400, when it is none of ours.
        """
        text = self.request.query_params.get("cursor", "0")
        if not (text.isascii() and text.isdigit() and len(text) < 9):
            raise bad_request("The cursor is not one of ours")
        return int(text)

    def page(self, default: int, most: int) -> int:
        """How many items the caller wants at once."""
        text = self.request.query_params.get("limit", "")
        return (
            min(max(int(text), 1), most) if text.isascii() and text.isdigit() and len(text) < 9 else default
        )

    def text(self, key: str, default: str | None = None) -> str:
        """A text of the JSON body.

        Raises:
            HubError: 400, when it is something else, or missing and there is no default.
        """
        value = self.body.get(key, default)
        if not isinstance(value, str):
            raise bad_request(f"{key} must be a text")
        return value

    def items(self, key: str) -> list[Any]:
        """A list of the JSON body.

        Raises:
            HubError: 400, 413.
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
    """What answers a method and a verb.

    Attributes:
        handle: blocking; run in a thread.
        stream: instead of `handle`, for what reads its body bit by bit.
        write: whether the caller needs the role write.
        body: how the body is read before `handle` sees it.
        query: parameters of the address that `handle` looks at.
        expand: what ``expand`` may ask for, which the address may then have.
        keys: keys of the body that it looks at; None: it checks them itself.
    """

    handle: Handler | None = None
    stream: StreamHandler | None = None
    write: bool = False
    body: Literal["none", "json", "form"] = "none"
    query: tuple[str, ...] = ()
    expand: frozenset[str] = frozenset()
    keys: tuple[str, ...] | None = None

    def check_query(self, request: Request) -> None:
        """Refuse what would be ignored.

        Raises:
            HubError: 400, with the name of the first.
        """
        for key, value in request.query_params.multi_items():
            if key in ("expand", "expand[]") and self.expand:
                if value not in self.expand:
                    raise not_served(f"expand={value}")
            elif key not in self.query:
                raise not_served(key)

    def check_body(self, body: dict[str, Any]) -> None:
        """The same for keys of the body; one without a value is as good as left out."""
        for key, value in body.items():
            if self.keys is not None and key not in self.keys and value is not None:
                raise not_served(key)


Table = dict[tuple[str, str], Route]


def split_path(raw: bytes) -> list[str]:
    """The decoded segments of a raw path.

    Raises:
        HubError: 400, not ASCII or not UTF-8 behind the percent signs.
    """
    try:
        parts = raw.decode("ascii").removeprefix("/").rstrip("/").split("/")
        return [unquote(part, errors="strict") for part in parts]
    except UnicodeDecodeError:
        raise bad_request("The address is not valid UTF-8") from None


def find_repo(parts: list[str], verbs: Container[str]) -> tuple[RepoName, str, list[str]] | None:
    """Take apart a path below a repo.

    Args:
        verbs: what the Hub knows, so that ``gpt2/resolve/main`` is not taken for a repo ``gpt2/resolve``.

    Returns:
        The repo, the verb with the area it belongs to (``api:tree``, ``web:resolve``,
        ``git:batch``) and the rest; None when the path is not below a repo.

    Raises:
        HubError: 404, for a repo with one part or with a name that no repo can have.
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
    """The address to put before a path in an answer."""
    if public_url:
        return public_url.rstrip("/")
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        raise bad_request("The Host header is unusable")
    return f"{request.scope['scheme']}://{host}{request.scope.get('root_path', '')}"


def answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON."""
    return JSONResponse(content, status, headers)
