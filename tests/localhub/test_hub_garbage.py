"""Whatever is sent, the Hub answers with JSON and stays whole."""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.embedded_hub import Hub

from localhub.inprocess import InProcessTransport
from localhub.maintenance import check_store
from localhub.names import RepoName
from localhub.routing import Limits
from localhub.server import HubApp
from localhub.store import HubStore

FUZZ = settings(max_examples=100, suppress_health_check=list(HealthCheck))
HEADER = {"key": "header", "value": {"summary": "x"}}
COMMIT = "/api/models/a/b/commit/main"


def lines(*items: object) -> bytes:
    return b"\n".join(json.dumps(item).encode() for item in items)


def put(path: object, content: object = "aGk=") -> dict[str, object]:
    return {"key": "file", "value": {"path": path, "content": content, "encoding": "base64"}}


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[tuple[HubStore, httpx2.Client]]:
    folder = Path(tempfile.mkdtemp())
    store = HubStore(folder / "hub")
    store.create_repo("a/b")
    limits = Limits(commit_bytes=300_000, operations=20, file_bytes=1_000_000)
    app = HubApp(store, hosts=["hub.fuzz"], limits=limits)
    with httpx2.Client(transport=InProcessTransport(app), base_url="http://hub.fuzz") as client:
        yield store, client
    assert not check_store(store, contents=True)
    assert {path.name for path in folder.iterdir()} == {"hub"}, "nothing was written beside the store"
    shutil.rmtree(folder)


def sane(response: httpx2.Response) -> None:
    assert response.status_code < 500, response.text
    if response.status_code >= 400 and response.request.method != "HEAD" and response.status_code != 416:
        assert isinstance(response.json()["error"], str)
        assert "Traceback" not in response.text


NASTY = st.sampled_from(
    [
        *[
            "..",
            ".",
            "%2e%2e",
            "..%2f..%2fetc%2fpasswd",
            "%00",
            "\\",
            "a\\..\\b",
            "C:",
            "~",
            "api",
            "models",
            "main",
            "refs/heads/main",
        ],
        *["🐕", "%ff", "%", "?", "#", "api:", "tree", "resolve", "{0}", "%0d%0a"],
        *("", "a b", "x" * 5000),
    ]
)
SEGMENT = st.one_of(NASTY, st.text(max_size=20).map(lambda text: quote(text, safe="", errors="replace")))


@FUZZ
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
    start=st.sampled_from(
        [
            *("", "api/", "api/models/a/b/", "api/models/a/b/tree/main/", "a/b/resolve/main/", "datasets/"),
            *("a/b.git/info/lfs/objects/", "api/models/a/b/branch/", "api/models/a/b/revision/"),
        ]
    ),
    segments=st.lists(SEGMENT, max_size=5),
    query=st.text(alphabet="abclimtcursorexpandtrue=&%0123", max_size=30),
)
def test_any_address(
    fuzzed: tuple[HubStore, httpx2.Client], method: str, start: str, segments: list[str], query: str
) -> None:
    raw = "/" + start + "/".join(segments)
    raw = raw.replace("?", "%3F").replace("#", "%23").replace(" ", "%20")
    url = httpx2.URL("http://hub.fuzz", raw_path=quote(f"{raw}?{query}", safe="/%:=&?{}~\\").encode())
    sane(fuzzed[1].request(method, url))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
PATHS = st.one_of(
    st.sampled_from(
        [
            *[
                "a/../b",
                "/etc/passwd",
                "..",
                "a//b",
                "a/",
                ".git/config",
                "x/.GIT/y",
                "a\\b",
                "C:\\x",
                "con",
                "ok/file.txt",
                "ok",
            ],
            *("\ud800", "a\0b", "x" * 300, "/".join("a" * 100), "x/" * 600),
        ]
    ),
    st.text(max_size=30),
    JSON,
)
KEYS = st.sampled_from(
    [*["header", "file", "lfsFile", "deletedFile", "deletedFolder", "other"], "", None, 3, []]
)
ITEM = st.one_of(
    st.fixed_dictionaries({"key": KEYS, "value": JSON}),
    st.builds(put, PATHS, st.sampled_from(["aGk=", "", "a", "é", "====", None, 5, "aGk=\n"])),
    st.builds(
        lambda path, oid, size: {"key": "lfsFile", "value": {"path": path, "oid": oid, "size": size}},
        PATHS,
        st.sampled_from(["0" * 64, "../../x", "A" * 64, None, 7]),
        st.sampled_from([0, -1, 10**30, "x", None]),
    ),
    st.builds(lambda path: {"key": "deletedFolder", "value": {"path": path}}, PATHS),
    JSON,
)


@FUZZ
@given(items=st.lists(ITEM, max_size=5), header=st.booleans(), tail=st.binary(max_size=10))
def test_any_commit(
    fuzzed: tuple[HubStore, httpx2.Client], items: list[object], header: bool, tail: bytes
) -> None:
    body = lines(*([HEADER] if header else []), *items) + tail
    sane(fuzzed[1].post(COMMIT, content=body))
    for entry in fuzzed[1].get("/api/models/a/b/tree/main?recursive=true").json():
        parts = entry["path"].split("/")
        assert not {"", ".", ".."} & set(parts)
        assert ".git" not in [part.lower() for part in parts]


BELOW = ["preupload/main", "paths-info/main", "tag/main", "branch/x", "super-squash/main", "lfs-files/batch"]
WHERE = [
    *("/api/repos/create", "/api/repos/delete", "/api/repos/move", "/api/validate-yaml"),
    *("/a/b.git/info/lfs/objects/batch", *(f"/api/models/a/b/{verb}" for verb in BELOW)),
]
FIELDS = [
    "name",
    "type",
    "organization",
    "files",
    "paths",
    "content",
    "tag",
    "message",
    "operation",
    "objects",
    "deletions",
    "fromRepo",
    "toRepo",
    "startingPoint",
    "private",
    "sdk",
    "visibility",
]
VALUES = st.one_of(
    JSON, st.sampled_from(["model", "space", "c/d", "main", "upload", "---\na: &x [*x]\n---\n"])
)


@FUZZ
@given(
    where=st.sampled_from(WHERE),
    body=st.one_of(
        st.binary(max_size=50),
        st.dictionaries(st.sampled_from(FIELDS), VALUES).map(lambda value: json.dumps(value).encode()),
    ),
    kind=st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/plain", ""]),
)
def test_any_body(fuzzed: tuple[HubStore, httpx2.Client], where: str, body: bytes, kind: str) -> None:
    method = "DELETE" if where.endswith("/delete") else "POST"
    sane(fuzzed[1].request(method, where, content=body, headers={"content-type": kind}))


@FUZZ
@given(head=st.text(max_size=200))
def test_any_readme(fuzzed: tuple[HubStore, httpx2.Client], head: str) -> None:
    text = f"---\n{head}\n---\n"
    sane(fuzzed[1].post("/api/validate-yaml", json={"content": text.encode("utf-8", "replace").decode()}))


#: Merged mappings: each has the pairs of the one before ten times over.
MERGED = "---\na: &a {k: v}\n" + "".join(
    f"{new}: &{new} {{<<: [{','.join(['*' + old] * 10)}]}}\n"
    for old, new in zip("abcdefghijklmnopqrs", "bcdefghijklmnopqrst", strict=True)
)
BOMB = "---\na: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "head",
    [
        BOMB + "---\n",
        '---\na: "\\ud800"\n---\n',
        f"---\na: 0x{'f' * 50000}\n---\n",
        f"---\na: {'[' * 2000}\n---\n",
        "---\na: 2026-99-99\n---\n",
        "---\n? [a, b]\n: c\n---\n",
        "---\na: .nan\nb: !!python/object:os.system x\n---\n",
        "---\n!!binary aGk=\n---\n",
        "---\na: !!bool x\n---\n",
        "---\na: !!int ''\n---\n",
        "---\na: !!timestamp x\n---\n",
        "---\na: 0001-01-01T00:00:00+23:59\n---\n",
        MERGED + "---\n",
        f"---\n? 0x{'f' * 5000}\n: a\n---\n",
        "---\na: &a {<<: *a}\n---\n",
    ],
    ids=range(15),
)
def test_metadata_that_wants_to_hurt(fuzzed: tuple[HubStore, httpx2.Client], head: str) -> None:
    sane(fuzzed[1].post("/api/validate-yaml", json={"content": head}))
    content = base64.b64encode(head.encode()).decode()
    sane(fuzzed[1].post(COMMIT, content=lines(HEADER, put("README.md", content))))
    assert fuzzed[1].get("/api/models/a/b").status_code == 200


def test_a_card_may_merge_mappings(fuzzed: tuple[HubStore, httpx2.Client]) -> None:
    head = "---\na: &a {license: mit}\nb: &b {tags: [dog]}\n<<: [*a, *b]\n---\n"
    content = base64.b64encode(head.encode()).decode()
    sane(fuzzed[1].post(COMMIT, content=lines(HEADER, put("README.md", content))))
    card = fuzzed[1].get("/api/models/a/b").json()["cardData"]
    assert (card["license"], card["tags"]) == ("mit", ["dog"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (lines(HEADER, put("a", "x" * 400_000)), 413),
        (lines(HEADER, *[put(f"n{number}") for number in range(21)]), 413),
        (b"x" * 100_000, 400),
        (b"\xff\xfe{}", 400),
        (b"[" * 100_000, 400),
        (lines(put("a")), 400),
        (b"", 400),
        (lines({"key": "header", "value": {"summary": "x", "parentCommit": "../.."}}), 400),
        (lines({"key": "header", "value": {"summary": "x" * 3000}}), 400),
    ],
    ids=range(9),
)
def test_too_much_or_too_little(fuzzed: tuple[HubStore, httpx2.Client], body: bytes, status: int) -> None:
    response = fuzzed[1].post(COMMIT, content=body)
    assert response.status_code == status, response.text
    assert response.json()["error"]


def test_over_a_port_too(hub: Hub) -> None:
    hub.store.create_repo("a/b")
    for raw in (
        b"/a/b/resolve/main/..%2f..%2f..%2fetc/passwd",
        b"/a/b/resolve/main/%ff",
        b"/api/models/..%2f../x",
    ):
        url = httpx2.URL(hub.endpoint).copy_with(raw_path=raw)
        response = hub.http.get(url)
        assert response.status_code in (400, 404)
        assert response.json()["error"]
    assert hub.http.patch("/api/models").status_code == 405
    assert hub.http.get("/nothing/here/at/all").status_code == 404
    assert hub.http.get("/healthz").json()["status"] == "ok"
    change = hub.store.put_text("page.html", b"<script>alert(1)</script>")
    hub.store.commit(RepoName("model", "a", "b"), "main", [change], title="x")
    page = hub.http.get("/a/b/resolve/main/page.html")
    assert page.headers["content-type"].startswith("text/plain")
    assert page.headers["x-content-type-options"] == "nosniff"
