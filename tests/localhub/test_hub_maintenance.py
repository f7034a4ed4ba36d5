"""Garbage collection, erasure, and the check that nothing is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import RevisionNotFoundError
from support.embedded_hub import Hub

from localhub.embedded import serving
from localhub.erasure import erase
from localhub.errors import HubError, StorageError
from localhub.maintenance import check_store, collect_garbage
from localhub.names import RepoName
from localhub.store import HubStore, Push

NAME = RepoName("dataset", "pets", "flags")
SECRET = b"\0the photograph of a person" * 100


def commit(store: HubStore, **files: bytes) -> str:
    changes = [store.put_text(f"{name}.bin", data) for name, data in files.items()]
    return store.commit(NAME, "main", changes, title=f"add {', '.join(files)}").oid


def everything_under(root: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file())


@pytest.fixture
def repo(store: HubStore) -> HubStore:
    store.create_repo(NAME.id, NAME.type)
    return store


def test_only_what_no_commit_names_is_collected(repo: HubStore) -> None:
    commit(repo, a=b"one", b=b"two")
    loose = repo.files.put(b"no commit names me")
    assert collect_garbage(repo) == (0, 0, 0), "it may be an upload under way"
    collected = collect_garbage(repo, grace_s=0)
    assert (collected.files, collected.bytes) == (1, 18)
    assert repo.files.size(loose) is None
    assert not check_store(repo, contents=True)


def test_a_squashed_history_and_a_deleted_repo_are_collected(repo: HubStore, tmp_path: Path) -> None:
    commit(repo, a=SECRET)
    old = commit(repo, a=b"harmless")
    repo.squash(NAME, "main", title="fresh")
    with repo.open(NAME) as opened:
        assert opened.commit(old).oid == old, "readable until the collection"
    assert collect_garbage(repo, grace_s=0).files == 1
    with repo.open(NAME) as opened, pytest.raises(HubError):
        opened.commit(old)
    assert SECRET not in everything_under(tmp_path / "hub")
    repo.delete_repo(NAME)
    collect_garbage(repo, grace_s=0)
    assert not list((tmp_path / "hub" / "blobs").glob("??/*"))


def test_an_upload_that_was_collected_must_be_sent_again(repo: HubStore) -> None:
    change = repo.put_text("a.bin", b"slow")
    collect_garbage(repo, grace_s=0)
    with pytest.raises(StorageError, match="send it again"):
        repo.commit(NAME, "main", [change], title="late")
    assert not check_store(repo)


def test_erasing_takes_a_file_out_of_every_commit_and_off_the_disk(repo: HubStore, tmp_path: Path) -> None:
    first = commit(repo, keep=b"first")
    second = commit(repo, rex=SECRET)
    repo.create_ref(NAME, "tag", "v1", "main")
    commit(repo, keep=b"second", rex=SECRET + b"!")
    repo.create_ref(NAME, "branch", "side", second)
    reported: list[Push] = []
    repo.listeners.append(reported.append)
    erased = erase(repo, NAME, "rex.bin")
    assert (erased.commits, erased.bytes, erased.remaining) == (2, 2 * len(SECRET) + 1, [])
    remains = everything_under(tmp_path / "hub")
    assert SECRET not in remains
    assert b"rex.bin" not in remains
    assert {push.ref for push in reported} == {"refs/heads/main", "refs/heads/side", "refs/tags/v1"}
    with serving(repo) as endpoint:
        api = HfApi(endpoint=endpoint, token=False)
        titles = [commit.title for commit in api.list_repo_commits(NAME.id, repo_type="dataset")]
        # The commit that only added the file is gone with it.
        assert titles == ["add keep, rex", "add keep", "initial commit"]
        for revision in ("v1", "side"):
            assert api.repo_info(NAME.id, repo_type="dataset", revision=revision).sha == first
        with pytest.raises(RevisionNotFoundError):
            api.repo_info(NAME.id, repo_type="dataset", revision=second)
        assert api.file_exists(NAME.id, "keep.bin", repo_type="dataset")
    assert not check_store(repo, contents=True)
    with pytest.raises(HubError):
        erase(repo, NAME, "rex.bin")


def test_erasing_also_finds_what_was_deleted_moved_or_squashed(repo: HubStore, tmp_path: Path) -> None:
    commit(repo, a=SECRET)
    with serving(repo) as endpoint:
        api = HfApi(endpoint=endpoint, token=False)
        operations = [CommitOperationAdd("folder/b.bin", SECRET + b"?"), CommitOperationDelete("a.bin")]
        api.create_commit(NAME.id, operations, commit_message="move", repo_type="dataset")
    repo.squash(NAME, "main", title="squashed")
    assert erase(repo, NAME, "a.bin").bytes == len(SECRET)
    assert erase(repo, NAME, "folder").remaining == []
    assert SECRET not in everything_under(tmp_path / "hub")


def test_erasing_says_where_the_bytes_still_are(repo: HubStore) -> None:
    commit(repo, a=SECRET)
    commit(repo, copy=SECRET)
    erased = erase(repo, NAME, "a.bin")
    assert (erased.bytes, erased.remaining) == (0, ["dataset pets/flags: copy.bin"])
    assert erase(repo, NAME, "copy.bin").bytes == len(SECRET)


def test_a_crash_between_the_two_steps_of_erasing_is_made_good(
    repo: HubStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(repo, a=SECRET)

    def crash(store: HubStore) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("localhub.erasure.purge_doomed", crash)
        with pytest.raises(KeyboardInterrupt):
            erase(repo, NAME, "a.bin")
    assert SECRET in everything_under(tmp_path / "hub")
    collect_garbage(repo)
    assert SECRET not in everything_under(tmp_path / "hub")


def test_the_client_erases_large_files(hub: Hub, tmp_path: Path) -> None:
    hub.api.create_repo("pets/flags", repo_type="dataset")
    for name in ("a", "b"):
        hub.api.upload_file(
            path_or_fileobj=SECRET + name.encode(),
            path_in_repo=f"{name}.bin",
            repo_id="pets/flags",
            repo_type="dataset",
        )
    hub.api.delete_file("a.bin", "pets/flags", repo_type="dataset")
    found = {file.filename: file for file in hub.api.list_lfs_files("pets/flags", repo_type="dataset")}
    assert sorted(found) == ["a.bin", "b.bin"]
    hub.api.permanently_delete_lfs_files("pets/flags", [found["a.bin"]], repo_type="dataset")
    assert SECRET + b"a" not in everything_under(tmp_path / "hub")
    assert SECRET + b"b" in everything_under(tmp_path / "hub")


def test_the_check_finds_what_is_missing_or_damaged(repo: HubStore) -> None:
    commit(repo, a=b"one", b=b"two")
    (one, two) = (repo.files.path(repo.files.put(data)) for data in (b"one", b"two"))
    one.unlink()
    two.write_bytes(b"owt")
    assert len(check_store(repo)) == 1
    problems = check_store(repo, contents=True)
    assert len(problems) == 2
    assert any("damaged" in problem for problem in problems)
    # The next upload of the same bytes repairs what is missing.
    repo.put_text("a.bin", b"one")
    assert len(check_store(repo, contents=True)) == 1


def test_the_check_lists_files_that_cannot_be_read(repo: HubStore) -> None:
    commit(repo, a=b"one", b=b"two", c=b"")
    one, two, empty = (repo.files.path(repo.files.put(data)) for data in (b"one", b"two", b""))
    one.unlink()
    one.symlink_to(one)  # neither its size nor its age can be asked for
    two.write_bytes(b"owt")
    empty.unlink()
    empty.symlink_to("/proc/self/mem")  # it has a size, but the first byte cannot be read
    assert len(check_store(repo)) == 1
    problems = check_store(repo, contents=True)
    assert len(problems) == 3
    for path, word in ((one, "cannot be read"), (two, "damaged"), (empty, "cannot be read")):
        assert any(path.name in problem and word in problem for problem in problems), problems
    for ask in (repo.files.size, repo.files.age, repo.files.intact):
        with pytest.raises(StorageError):
            ask(one.name)
    with pytest.raises(StorageError):
        collect_garbage(repo, grace_s=0)
