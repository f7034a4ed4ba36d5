"""Repos, commits, refs and downloads, with the real client."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
from pathlib import Path

import pytest
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfFileSystem,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from support.embedded_hub import Hub

from localhub.commits import Change
from localhub.maintenance import check_store, collect_garbage
from localhub.names import RepoName
from localhub.trees import git_oid, pointer, regular_blob

REPO = "pets/breeds"


def add(hub: Hub, path: str, data: bytes, repo: str = REPO, **arguments: object) -> str:
    made = hub.api.create_commit(
        repo, [CommitOperationAdd(path, data)], commit_message=f"add {path}", **arguments
    )
    return str(made.oid)


@pytest.fixture
def repo(hub: Hub) -> str:
    """A model repo; the id of its first commit."""
    hub.api.create_repo(REPO)
    return str(hub.api.repo_info(REPO).sha)


@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
def test_a_repo_is_made_found_renamed_and_removed(hub: Hub, kind: str) -> None:
    sdk = {"space_sdk": "gradio"} if kind == "space" else {}
    made = hub.api.create_repo("a/One-2.3", repo_type=kind, **sdk)
    assert (made.repo_id, made.repo_type) == ("a/One-2.3", kind)
    with pytest.raises(HfHubHTTPError, match="409"):
        hub.api.create_repo("a/One-2.3", repo_type=kind, **sdk)
    assert hub.api.create_repo("a/One-2.3", repo_type=kind, exist_ok=True, **sdk) == made
    assert hub.api.repo_exists("a/One-2.3", repo_type=kind)
    listing = getattr(hub.api, f"list_{kind}s")
    assert [found.id for found in listing(search="one", author="a")] == ["a/One-2.3"]
    assert not list(listing(search="two"))
    hub.api.move_repo("a/One-2.3", "b/two", repo_type=kind)
    assert hub.api.repo_info("a/One-2.3", repo_type=kind).id == "b/two"
    with pytest.raises(RepositoryNotFoundError):
        hub.api.delete_repo("a/One-2.3", repo_type=kind)
    info = hub.api.repo_info("b/two", repo_type=kind)
    assert info.sha
    assert [sibling.rfilename for sibling in info.siblings or []] == [".gitattributes"]
    hub.api.delete_repo("b/two", repo_type=kind)
    with pytest.raises(RepositoryNotFoundError):
        hub.api.delete_repo("b/two", repo_type=kind)
    hub.api.delete_repo("b/two", repo_type=kind, missing_ok=True)


def test_a_repo_without_an_owner_belongs_to_the_caller(hub: Hub) -> None:
    assert hub.api.create_repo("mine").repo_id == "local/mine"


def test_a_name_without_an_owner_is_no_repo_and_no_fault_of_the_connection(hub: Hub, tmp_path: Path) -> None:
    for kind in ("model", "dataset", "space"):
        assert not hub.api.repo_exists("gpt2", repo_type=kind)
        assert not hub.api.file_exists("gpt2", "config.json", repo_type=kind)
        assert not hub.api.revision_exists("gpt2", "main", repo_type=kind)
    for ask in (
        lambda: hf_hub_download("gpt2", "a", endpoint=hub.endpoint, cache_dir=tmp_path),
        lambda: snapshot_download("gpt2", endpoint=hub.endpoint, cache_dir=tmp_path),
        lambda: hub.api.list_repo_refs("gpt2"),
        lambda: hub.api.upload_file(path_or_fileobj=b"x", path_in_repo="a", repo_id="gpt2"),
        lambda: hub.api.upload_file(path_or_fileobj=b"\0", path_in_repo="a", repo_id="gpt2"),
        lambda: hub.api.create_branch("gpt2", branch="x"),
        lambda: hub.api.create_tag("gpt2", tag="x", repo_type="dataset"),
    ):
        with pytest.raises(RepositoryNotFoundError):
            ask()
    sent = hub.http.post("/gpt2.git/info/lfs/objects/batch", json={"operation": "upload"})
    assert (sent.status_code, sent.headers["x-error-code"]) == (404, "RepoNotFound")


def test_an_earlier_name_leads_on(hub: Hub, repo: str, tmp_path: Path) -> None:
    add(hub, "ä b.txt", b"text")
    hub.api.move_repo(REPO, "pets/renamed")
    answer = hub.http.get(f"/{REPO}/resolve/main/%C3%A4%20b.txt?download=true", follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["location"] == "/pets/renamed/resolve/main/%C3%A4%20b.txt?download=true"
    got = hf_hub_download(REPO, "ä b.txt", endpoint=hub.endpoint, cache_dir=tmp_path)
    assert Path(got).read_bytes() == b"text"
    add(hub, "b.bin", b"\0" * 20)  # to the earlier name
    assert hub.api.file_exists("pets/renamed", "b.bin")
    hub.api.create_repo(REPO)
    assert not hub.api.file_exists(REPO, "b.bin"), "a new repo takes its name back"
    with pytest.raises(HfHubHTTPError, match=f"A model repository called {REPO} already exists"):
        hub.api.move_repo("pets/renamed", REPO)


def test_a_repo_is_duplicated(hub: Hub, repo: str) -> None:
    sha = add(hub, "b.bin", b"\0" * 20)
    hub.api.create_tag(REPO, tag="v1", revision=repo[:7])
    made = hub.api.duplicate_repo(REPO, "else/copy", private=True)
    assert (made.repo_id, made.files_copy_pending) == ("else/copy", False)
    assert hub.api.duplicate_repo(REPO, "else/copy", exist_ok=True).repo_id == "else/copy"
    info = hub.api.model_info("else/copy")
    assert (info.sha, info.private) == (sha, True)
    assert hub.api.list_repo_refs("else/copy").tags[0].target_commit == repo
    add(hub, "only-in-the-copy", b"x", repo="else/copy")
    hub.api.delete_repo(REPO)
    assert hub.api.file_exists("else/copy", "b.bin")
    assert not check_store(hub.store, contents=True)
    hub.api.create_repo(
        "pets/demo", repo_type="space", space_sdk="gradio",
        space_variables=[{"key": "A", "value": "x"}], space_secrets=[{"key": "B", "value": "y"}],
    )  # fmt: skip
    hub.api.duplicate_repo("pets/demo", "else/demo", repo_type="space", space_hardware="t4-small")
    assert hub.api.get_space_variables("else/demo")["A"].value == "x"
    assert hub.http.get("/api/spaces/else/demo/secrets").json() == {}
    assert hub.api.get_space_runtime("else/demo").requested_hardware == "t4-small"


def test_the_words_that_tools_look_for(hub: Hub, repo: str) -> None:
    add(hub, "folder/a", b"a")
    with pytest.raises(HfHubHTTPError, match=r"happened since\. The branch was updated since you"):
        add(hub, "a", b"a", parent_commit=repo)
    hub.api.create_branch(REPO, branch="x")
    with pytest.raises(HfHubHTTPError, match="Reference refs/heads/x already exists"):
        hub.api.create_branch(REPO, branch="x")
    with pytest.raises(BadRequestError, match="Invalid reference for a branch"):
        hub.api.create_branch(REPO, branch="a..b")
    with pytest.raises(BadRequestError, match="Cannot delete refs/heads/main"):
        hub.api.delete_branch(REPO, branch="main")
    with pytest.raises(RepositoryNotFoundError, match=r"\(Request ID: \S{36}\)"):
        hub.api.model_info("no/such")
    assert len(hub.http.get("/healthz").headers["x-request-id"]) == 36
    for header, sent, back in (
        ("x-request-id", "custom-id", "custom-id"),
        ("x-amzn-trace-id", "0c1b-77", "0c1b-77"),
        ("x-request-id", "no id <b>", None),
    ):
        answered = hub.http.get("/healthz", headers={header: sent}).headers["x-request-id"]
        assert answered == back or (back is None and len(answered) == 36)
    hub.api.create_commit(REPO, [CommitOperationDelete("folder", is_folder=False)], commit_message="folder")
    assert not hub.api.file_exists(REPO, "folder/a")


def test_a_card_that_cannot_be_read_is_not_taken(hub: Hub, repo: str) -> None:
    for bad in ("\n---\nmodel-index: foo\n---\n", "---\ntags: [a\n---\n", "---\nlicense: {a: b}\n---\n"):
        with pytest.raises(ValueError, match="Invalid metadata"):
            add(hub, "README.md", bad.encode())
        lines = [{"key": "header", "value": {"summary": "x"}},
                 {"key": "file", "value": {"path": "README.md", "encoding": "base64",
                                           "content": base64.b64encode(bad.encode()).decode()}}]  # fmt: skip
        sent = hub.http.post(f"/api/models/{REPO}/commit/main", content="\n".join(map(json.dumps, lines)))
        assert (sent.status_code, "Invalid metadata in README.md" in sent.json()["error"]) == (400, True)
    add(hub, "README.md", b"\n\n---\nlicense: mit\n---\n# Text")
    assert hub.api.model_info(REPO).card_data.license == "mit"


def test_the_addresses_that_are_printed_open_in_a_browser(hub: Hub, repo: str) -> None:
    script = "<script>alert(1)</script>"
    text = f"---\nlicense: mit\n---\n# Pets {script}"
    made = hub.api.create_commit(
        REPO,
        [CommitOperationAdd("README.md", text.encode()), CommitOperationAdd("a b/<i>.bin", b"\0")],
        commit_message=f"add {script}",
    )
    url = hub.api.upload_file(path_or_fileobj=b"x", path_in_repo="a b/<i>.txt", repo_id=REPO)
    shown = [str(hub.api.create_repo(REPO, exist_ok=True)), made.commit_url, url.commit_url]
    shown += [f"{hub.endpoint}/{REPO}/{path}" for path in (
        "tree/main", "tree/main/a%20b", "blob/main/README.md", "commits/main",
        "blob/main/a%20b/%3Ci%3E.bin")]  # fmt: skip
    for address in [*shown, f"{hub.endpoint}/"]:
        page = hub.http.get(address, headers={"Accept": "text/html"})
        assert page.status_code == 200, (address, page.text)
        assert page.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "<script" not in page.text
        assert "<i>" not in page.text
        for link in re.findall(r'href="([^"]*)"', page.text):
            assert hub.http.get(html.unescape(link)).status_code == 200, (address, link)
    assert "# Pets" in hub.http.get(shown[0]).text
    assert hub.http.get(f"/{REPO}/tree/none").headers["x-error-code"] == "RevisionNotFound"


def test_small_files_and_a_large_one_come_back_as_they_were(hub: Hub, repo: str, tmp_path: Path) -> None:
    big = os.urandom(12_000_000)
    (tmp_path / "big.bin").write_bytes(big)
    text = "grüße\n".encode()
    sha = hub.api.create_commit(
        REPO,
        [
            CommitOperationAdd("deep/er/ä b#c?.txt", text),
            CommitOperationAdd("empty", b""),
            CommitOperationAdd("zeros", b"\0" * 100),
            CommitOperationAdd("big.bin", str(tmp_path / "big.bin")),
        ],
        commit_message="all sorts",
        commit_description="of files",
    ).oid
    folder = Path(snapshot_download(REPO, endpoint=hub.endpoint, cache_dir=tmp_path / "cache"))
    assert folder.name == sha
    assert (folder / "deep/er/ä b#c?.txt").read_bytes() == text
    assert (folder / "empty").read_bytes() == b""
    assert (folder / "zeros").read_bytes() == b"\0" * 100
    assert (folder / "big.bin").read_bytes() == big
    facts = {file.path: file for file in hub.api.list_repo_tree(REPO, recursive=True, expand=True)}
    assert facts["deep/er/ä b#c?.txt"].blob_id == git_oid("blob", text)
    assert facts["deep/er/ä b#c?.txt"].lfs is None
    assert facts["big.bin"].lfs.sha256 == hashlib.sha256(big).hexdigest()
    assert facts["big.bin"].size == len(big)
    assert facts["zeros"].lfs is not None, "binary files travel as large ones"
    assert facts["deep/er"].last_commit.oid == sha
    assert facts[".gitattributes"].last_commit.oid == repo
    assert (
        hub.api.get_paths_info(REPO, ["deep", "no", "empty"], expand=True)[1].last_commit.title == "all sorts"
    )
    assert not check_store(hub.store, contents=True)


def test_a_snapshot_by_full_sha_after_main_has_moved_on(hub: Hub, repo: str, tmp_path: Path) -> None:
    first = add(hub, "a.txt", b"one")
    add(hub, "big.bin", bytes(range(256)) * 100)
    pinned = hub.api.repo_info(REPO).sha
    add(hub, "a.txt", b"two")
    hub.api.delete_file("big.bin", REPO)
    for revision, files in ((first, {"a.txt"}), (pinned, {"a.txt", "big.bin"})):
        folder = Path(
            snapshot_download(REPO, endpoint=hub.endpoint, cache_dir=tmp_path / "cache", revision=revision)
        )
        assert folder.name == revision
        assert {path.name for path in folder.iterdir()} == files | {".gitattributes"}
        assert (folder / "a.txt").read_bytes() == b"one"
    assert (folder / "big.bin").read_bytes() == bytes(range(256)) * 100
    again = snapshot_download(
        REPO, endpoint=hub.endpoint, cache_dir=tmp_path / "cache", revision=pinned, local_files_only=True
    )
    assert Path(again) == folder


def test_an_old_commit_a_branch_and_a_tag_stay_what_they_were(hub: Hub, repo: str, tmp_path: Path) -> None:
    first = add(hub, "a.txt", b"one")
    hub.api.create_tag(REPO, tag="v1", tag_message="first")
    hub.api.create_branch(REPO, branch="feature/x", revision=first)
    second = add(hub, "a.txt", b"two")
    third = add(hub, "a.txt", b"three", revision="feature/x")

    def content(revision: str) -> bytes:
        path = hf_hub_download(
            REPO, "a.txt", revision=revision, endpoint=hub.endpoint, cache_dir=tmp_path / "cache"
        )
        return Path(path).read_bytes()

    assert [content(revision) for revision in (first, "v1", "main", "feature/x", "refs/heads/feature/x")] == [
        b"one", b"one", b"two", b"three", b"three"
    ]  # fmt: skip
    refs = hub.api.list_repo_refs(REPO, include_pull_requests=True)
    assert {ref.name: ref.target_commit for ref in refs.branches} == {"main": second, "feature/x": third}
    assert [(tag.name, tag.ref, tag.target_commit) for tag in refs.tags] == [("v1", "refs/tags/v1", first)]
    with pytest.raises(HfHubHTTPError, match="409"):
        hub.api.create_tag(REPO, tag="v1", revision="main")
    hub.api.create_tag(REPO, tag="v1", exist_ok=True)
    assert hub.api.repo_info(REPO, revision="v1").sha == first
    hub.api.delete_tag(REPO, tag="v1")
    hub.api.delete_branch(REPO, branch="feature/x")
    for revision in ("v1", "feature/x", "0" * 40):
        with pytest.raises(RevisionNotFoundError):
            hub.api.repo_info(REPO, revision=revision)
    with pytest.raises(BadRequestError, match="main branch"):
        hub.api.delete_branch(REPO, branch="main")
    with pytest.raises(BadRequestError):
        add(hub, "b.txt", b"to a commit", revision=first)


def test_a_commit_on_an_old_parent_is_refused_and_changes_nothing(hub: Hub, repo: str) -> None:
    head = add(hub, "a.txt", b"one", parent_commit=repo)
    with pytest.raises(HfHubHTTPError) as refused:
        add(hub, "b.txt", b"two", parent_commit=repo)
    assert refused.value.response.status_code == 412
    assert hub.api.repo_info(REPO).sha == head
    assert not hub.api.file_exists(REPO, "b.txt")
    assert add(hub, "b.txt", b"two", parent_commit=head[:7]) != head


def test_the_same_content_again_adds_no_commit(hub: Hub, repo: str) -> None:
    head = add(hub, "a.txt", b"one")
    assert add(hub, "a.txt", b"one") == head
    # Also when a client does not look first.
    body = (
        '{"key":"header","value":{"summary":"x"}}\n{"key":"file","value":{"path":"a.txt","content":"b25l"}}'
    )
    answer = hub.http.post(f"/api/models/{REPO}/commit/main", content=body)
    assert answer.json()["commitOid"] == head
    assert len(hub.api.list_repo_commits(REPO)) == 2


def test_deleting_and_copying(hub: Hub, repo: str) -> None:
    add(hub, "x/a.txt", b"one")
    add(hub, "x/y/b.bin", b"\0two")
    hub.api.create_commit(
        REPO,
        [
            CommitOperationCopy("x/a.txt", "z/c.txt"),
            CommitOperationCopy("x/y/b.bin", "z/d.bin"),
            CommitOperationDelete("x/y/"),
        ],
        commit_message="move things",
    )
    assert sorted(hub.api.list_repo_files(REPO)) == [".gitattributes", "x/a.txt", "z/c.txt", "z/d.bin"]
    hub.api.delete_file("x/a.txt", REPO)
    assert "x" not in {entry.path for entry in hub.api.list_repo_tree(REPO, recursive=True)}
    for operation in (CommitOperationDelete("x/a.txt"), CommitOperationDelete("z/c.txt/")):
        with pytest.raises(EntryNotFoundError):
            hub.api.create_commit(REPO, [operation], commit_message="again")
    for path in ("z", "z/c.txt/inside"):
        with pytest.raises(BadRequestError):
            add(hub, path, b"in the way")


def test_what_is_not_there_has_its_own_error(hub: Hub, repo: str) -> None:
    with pytest.raises(RepositoryNotFoundError):
        hub.api.repo_info("pets/none")
    with pytest.raises(RepositoryNotFoundError):
        add(hub, "a", b"a", repo="pets/none")
    with pytest.raises(RevisionNotFoundError):
        add(hub, "a", b"a", revision="none")
    with pytest.raises(EntryNotFoundError):
        hf_hub_download(REPO, "none.txt", endpoint=hub.endpoint)
    with pytest.raises(EntryNotFoundError):
        list(hub.api.list_repo_tree(REPO, "none"))
    assert not hub.api.file_exists(REPO, "none.txt")
    assert not hub.api.revision_exists(REPO, "none")


def test_pull_requests_discussions_and_webhooks_are_refused_with_what_to_do(hub: Hub, repo: str) -> None:
    api = hub.api
    for ask in (
        lambda: add(hub, "a", b"a", create_pr=True),
        lambda: list(api.get_repo_discussions(REPO)),
        lambda: api.get_discussion_details(REPO, 1),
        lambda: api.create_discussion(REPO, "A question"),
        lambda: api.create_pull_request(REPO, "A change"),
        lambda: api.merge_pull_request(REPO, 1),
        lambda: api.comment_discussion(REPO, 1, "Yes"),
        lambda: api.change_discussion_status(REPO, 1, "closed"),
    ):
        with pytest.raises(BadRequestError, match="no pull requests and no discussions; commit to a branch"):
            ask()
    for ask in (
        lambda: api.list_webhooks(),
        lambda: api.create_webhook(url="http://127.0.0.1:9/hook", watched=[{"type": "model", "name": REPO}]),
        lambda: api.get_webhook("one"),
        lambda: api.delete_webhook("one"),
    ):
        with pytest.raises(BadRequestError, match="takes webhooks when it is started"):
            ask()
    assert api.repo_info(REPO).sha == repo, "nothing was committed on the way"
    other = hub.http.get("/api/settings/webhooksome")
    assert (other.status_code, other.json()["error"]) == (404, "The embedded Hub has nothing at this address")


def test_history_and_folders_come_in_pages(hub: Hub, repo: str) -> None:
    name = RepoName("model", *REPO.split("/"))
    one = hub.store.put_text("", b"same")
    many = [one._replace(path=f"f/{number:04}.txt") for number in range(1010)]
    hub.store.commit(name, "main", many, title="many")
    below = [e.path for e in hub.api.list_repo_tree(REPO, recursive=True) if e.path.startswith("f/")]
    assert below == [change.path for change in many]
    assert len(list(hub.api.list_repo_tree(REPO, "f", expand=True))) == 1010
    for number in range(60):
        change = one._replace(path=f"n{number}.txt")
        hub.store.commit(name, "main", [change], title=f"number {number}")
    commits = hub.api.list_repo_commits(REPO, formatted=True)
    assert len(commits) == 62
    assert [commits[0].title, commits[-1].title, commits[0].authors] == [
        "number 59",
        "initial commit",
        ["local"],
    ]
    first_page = hub.http.get(f"/api/models/{REPO}/tree/main", params={"recursive": "true", "limit": 2})
    assert len(first_page.json()) == 2
    assert f"/tree/{commits[0].commit_id}?" in first_page.headers["link"], "pages are of one commit"


def test_squashing_keeps_the_content_and_drops_the_history(hub: Hub, repo: str) -> None:
    old = add(hub, "a.txt", b"one")
    hub.api.super_squash_history(REPO, commit_message="one commit")
    assert [commit.title for commit in hub.api.list_repo_commits(REPO)] == ["one commit"]
    assert sorted(hub.api.list_repo_files(REPO)) == [".gitattributes", "a.txt"]
    assert hub.api.repo_info(REPO).sha != old


def test_parts_of_a_file_and_what_the_caller_has_already(hub: Hub, repo: str) -> None:
    sha = add(hub, "a.bin", bytes(range(256)) * 100)
    url = f"/{REPO}/resolve/main/a.bin"
    head = hub.http.head(url)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "25600", b"")
    assert head.headers["x-repo-commit"] == sha
    assert head.headers["etag"] == f'"{hashlib.sha256(bytes(range(256)) * 100).hexdigest()}"'
    part = hub.http.get(url, headers={"Range": "bytes=250-259"})
    assert part.status_code == 206
    assert part.content == bytes([*range(250, 256), 0, 1, 2, 3])
    assert part.headers["content-range"] == "bytes 250-259/25600"
    assert hub.http.get(url, headers={"Range": "bytes=-3"}).content == bytes([253, 254, 255])
    assert hub.http.get(url, headers={"Range": "bytes=99999-"}).status_code == 416
    known = hub.http.get(url, headers={"If-None-Match": f'W/"x", {head.headers["etag"]}'})
    assert (known.status_code, known.content) == (304, b"")
    stale = hub.http.get(url, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert (stale.status_code, len(stale.content)) == (200, 25600)


def test_the_file_system_lists_reads_and_writes(hub: Hub, repo: str) -> None:
    files = HfFileSystem(endpoint=hub.endpoint, token=False, skip_instance_cache=True)
    with files.open(f"{REPO}/dir/a.txt", "wb") as file:
        file.write(b"hello world")
    assert files.ls(f"{REPO}/dir", detail=False) == [f"{REPO}/dir/a.txt"]
    with files.open(f"{REPO}/dir/a.txt", "rb", block_size=4) as file:
        file.seek(6)
        assert file.read() == b"world"
    assert files.glob(f"{REPO}/**/*.txt") == [f"{REPO}/dir/a.txt"]
    assert files.info(f"{REPO}/dir/a.txt", expand_info=True)["last_commit"].title
    files.rm(f"{REPO}/dir/a.txt")
    assert not files.exists(f"{REPO}/dir/a.txt")


def test_what_gitignore_names_is_left_out(hub: Hub, repo: str, tmp_path: Path) -> None:
    add(hub, ".gitignore", b"*.log\n!keep.log\n/build/\n")
    for name in ("a.log", "keep.log", "a.txt"):
        (tmp_path / "up" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "up" / name).write_text(name)
    (tmp_path / "up" / "build").mkdir()
    (tmp_path / "up" / "build" / "b.txt").write_text("b")
    hub.api.upload_folder(repo_id=REPO, folder_path=tmp_path / "up")
    assert set(hub.api.list_repo_files(REPO)) == {".gitattributes", ".gitignore", "keep.log", "a.txt"}


def test_a_readme_with_bad_metadata_is_refused_before_the_upload(hub: Hub, repo: str) -> None:
    with pytest.raises(ValueError, match="Invalid metadata"):
        add(hub, "README.md", b"---\na: [\n---\nhello")
    add(hub, "README.md", b"---\nlicense: mit\ntags: [dog]\ndate: 2026-01-02\n---\nhello")
    card = hub.api.model_info(REPO).card_data
    assert card is not None
    assert (card.license, card.tags, card.to_dict()["date"]) == ("mit", ["dog"], "2026-01-02")


def pointer_of(data: bytes) -> bytes:
    return pointer(hashlib.sha256(data).hexdigest(), len(data))


def content_of(hub: Hub, path: str, repo: str = REPO) -> bytes:
    return bytes(hub.http.get(f"/{repo}/resolve/main/{path}").content)


@pytest.mark.parametrize("first", [False, True], ids=["pointer first", "file first"])
def test_the_pointer_of_a_large_file_is_no_file(hub: Hub, repo: str, first: bool) -> None:
    data = b"\0 the real content" * 100
    if first:
        add(hub, "data.idx", data)
    with pytest.raises(BadRequestError, match="git lfs pull"):
        add(hub, "notes.txt", pointer_of(data))
    add(hub, "data.idx", data)
    hub.api.create_repo("pets/other")
    add(hub, "b.bin", data, repo="pets/other")
    collect_garbage(hub.store, grace_s=0)
    assert content_of(hub, "data.idx") == content_of(hub, "b.bin", "pets/other") == data
    for like in (pointer_of(data)[:-1], pointer_of(data) + b"\n", b"see " + pointer_of(data)):
        add(hub, "notes.txt", like)
        assert content_of(hub, "notes.txt") == like


def test_a_pointer_in_an_older_store_stays_itself_and_hides_no_file(hub: Hub, repo: str) -> None:
    data = b"\0 the real content" * 100
    hub.store.files.put(pointer_of(data))
    change = Change("put", "data.idx", regular_blob(pointer_of(data)))
    hub.store.commit(RepoName("model", *REPO.split("/")), "main", [change], title="as before")
    hub.api.create_repo("pets/other")
    with pytest.raises(BadRequestError, match="pointer"):
        add(hub, "b.bin", data, repo="pets/other")
    assert content_of(hub, "data.idx") == pointer_of(data)
    assert not check_store(hub.store, contents=True)
    hub.api.delete_repo(REPO)
    collect_garbage(hub.store, grace_s=0)
    add(hub, "b.bin", data, repo="pets/other")
    assert content_of(hub, "b.bin", "pets/other") == data


def test_the_lines_of_a_card_may_end_as_on_windows(hub: Hub, repo: str) -> None:
    add(hub, "README.md", b"---\r\nlicense: mit\r\ntags:\r\n- dog\r\n---\r\n# Text\r\n")
    info = hub.api.model_info(REPO)
    assert (info.card_data.license, "dog" in info.tags) == ("mit", True)


def test_settings_answer_what_is_stored(hub: Hub, repo: str) -> None:
    address = f"/api/models/{REPO}/settings"
    assert hub.http.put(address, json={"visibility": None, "private": True}).json() == {"private": True}
    assert hub.http.put(address, json={"gated": False}).json() == {"private": True}
    assert hub.http.put(address, json={"private": False}).json() == {"private": False}
    assert hub.http.put(address, json={"visibility": "hidden"}).status_code == 400


@pytest.mark.parametrize("key", ["expand", "expand[]"])
def test_the_second_page_of_a_history_is_formatted_too(hub: Hub, repo: str, key: str) -> None:
    add(hub, "a.txt", b"one")
    first = hub.http.get(f"/api/models/{REPO}/commits/main", params={key: "formatted", "limit": 1})
    link = re.search("<(.*)>", first.headers["link"])
    assert link
    for page in (first, hub.http.get(link[1])):
        [commit] = page.json()
        assert commit["formatted"]["title"] == commit["title"]


def test_asking_to_download_large_files_by_hash_keeps_no_upload(hub: Hub, repo: str) -> None:
    stray = hub.store.files.put(b"an upload whose commit never came")
    os.utime(hub.store.files.path(stray), (0, 0))
    batch = {"operation": "download", "objects": [{"oid": stray, "size": 33}]}
    answer = hub.http.post(f"/{REPO}.git/info/lfs/objects/batch", json=batch).json()
    assert answer["objects"][0]["error"]["code"] == 404
    assert collect_garbage(hub.store).files == 1
