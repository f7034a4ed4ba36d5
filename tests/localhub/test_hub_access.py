"""Tokens and roles, private repos, and keeping web pages out."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from support.embedded_hub import Hub

from localhub.access import Access, Token, User
from localhub.embedded import serve, serving
from localhub.errors import SettingError
from localhub.store import HubStore

WRITER = Token("hf_writer_secret", User("ada", "write"))
READER = Token("hf_reader_secret", User("rob", "read"))


@pytest.fixture
def guarded(store: HubStore) -> Iterator[str]:
    with serving(store, access=Access([WRITER, READER])) as endpoint:
        yield endpoint


def client(endpoint: str, secret: str | bool) -> HfApi:
    return HfApi(endpoint=endpoint, token=secret)


def test_the_writer_writes_the_reader_reads_others_see_what_is_public(guarded: str) -> None:
    writer, reader, anonymous = (client(guarded, who) for who in (WRITER.secret, READER.secret, False))
    assert writer.whoami()["auth"]["accessToken"]["role"] == "write"
    assert reader.whoami()["name"] == "rob"
    for name, private in (("open", False), ("hidden", True)):
        writer.create_repo(name, private=private)
        writer.upload_file(path_or_fileobj=b"\0" * 2000, path_in_repo="a.bin", repo_id=f"ada/{name}")
    assert {commit.authors[0] for commit in writer.list_repo_commits("ada/open")} == {"ada"}
    for api in (writer, reader):
        assert api.file_exists("ada/hidden", "a.bin")
        assert {repo.id for repo in api.list_models()} == {"ada/open", "ada/hidden"}
    assert anonymous.file_exists("ada/open", "a.bin")
    assert [repo.id for repo in anonymous.list_models()] == ["ada/open"]
    with pytest.raises(RepositoryNotFoundError):
        anonymous.repo_info("ada/hidden")
    with pytest.raises(RepositoryNotFoundError):
        anonymous.repo_info("ada/none")
    writer.update_repo_settings("ada/hidden", private=False)
    assert anonymous.repo_info("ada/hidden").private is False


def test_reading_roles_change_nothing(guarded: str) -> None:
    client(guarded, WRITER.secret).create_repo("ada/open")
    calls = (
        lambda api: api.create_repo("ada/other"),
        lambda api: api.delete_repo("ada/open"),
        lambda api: api.create_tag("ada/open", tag="x"),
        lambda api: api.create_branch("ada/open", branch="x"),
        lambda api: api.super_squash_history("ada/open"),
        lambda api: api.update_repo_settings("ada/open", private=True),
        lambda api: api.move_repo("ada/open", "ada/moved"),
        lambda api: api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id="ada/open"),
    )
    for secret, status in ((READER.secret, 403), (False, 401)):
        for call in calls:
            with pytest.raises(HfHubHTTPError) as refused:
                call(client(guarded, secret))
            assert refused.value.response.status_code == status
    assert httpx2.post(f"{guarded}/api/models/ada/open/commit/main", content=b"{}").status_code == 401
    batch = {"operation": "upload", "objects": [{"oid": "0" * 64, "size": 1}]}
    assert httpx2.post(f"{guarded}/ada/open.git/info/lfs/objects/batch", json=batch).status_code == 401


def test_a_wrong_token_is_named_as_such(guarded: str) -> None:
    for call in ("whoami", "list_models"):
        with pytest.raises(HfHubHTTPError) as refused:
            list(getattr(client(guarded, "hf_wrong_secret"), call)())
        assert refused.value.response.status_code == 401
    with pytest.raises(HfHubHTTPError) as refused:
        client(guarded, "hf_wrong_secret").repo_info("ada/open")
    assert not isinstance(refused.value, RepositoryNotFoundError)


def test_callers_without_a_token_can_be_kept_out_altogether(store: HubStore) -> None:
    store.create_repo("ada/open")
    with serving(store, access=Access([READER], anonymous_read=False)) as endpoint:
        with pytest.raises(RepositoryNotFoundError):
            client(endpoint, False).repo_info("ada/open")
        assert not list(client(endpoint, False).list_models())
        assert client(endpoint, READER.secret).repo_info("ada/open").id == "ada/open"


def test_an_upload_address_is_good_for_its_file_only(hub: Hub) -> None:
    hub.api.create_repo("a/b")
    batch = {"operation": "upload", "objects": [{"oid": "0" * 64, "size": 3}]}
    answer = hub.http.post("/a/b.git/info/lfs/objects/batch", json=batch).json()
    href = answer["objects"][0]["actions"]["upload"]["href"]
    assert hub.http.put(href, content=b"abc").status_code == 400, "not those bytes"
    assert hub.http.put(href, content=b"abcdef").status_code == 413
    assert hub.http.put(href.replace("000?", "001?"), content=b"abc").status_code == 403
    assert hub.http.put(href.replace("token=", "token=x"), content=b"abc").status_code == 403
    assert hub.http.put(href.replace("a/b.git", "a/c.git"), content=b"abc").status_code == 403
    assert hub.http.put(href.split("?")[0], content=b"abc").status_code == 403
    assert hub.store.files.size("0" * 64) is None


def test_other_web_pages_are_kept_out(hub: Hub) -> None:
    create = {"json": {"name": "x", "type": "model"}}
    foreign = hub.http.post("/api/repos/create", headers={"Origin": "https://evil.example"}, **create)
    assert foreign.status_code == 403
    rebound = hub.http.get("/api/models", headers={"Host": "evil.example"})
    assert rebound.status_code == 403
    assert "error" in rebound.json()
    for odd in ({"Host": "[bad"}, {"Origin": "http://[bad"}):
        assert hub.http.post("/api/repos/create", headers=odd, **create).status_code == 403, odd
    own = hub.http.post("/api/repos/create", headers={"Origin": hub.endpoint}, **create)
    assert own.status_code == 200


def test_no_tokens_no_service_to_other_machines(store: HubStore) -> None:
    with pytest.raises(SettingError, match="without tokens"):
        serve(store, host="0.0.0.0")
    with pytest.raises(SettingError, match="8 characters"):
        Token("short", User("ada", "write"))
    with pytest.raises(SettingError, match="unusable"):
        Token("hf_long_enough", User("no spaces", "write"))
