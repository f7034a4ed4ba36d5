"""Finding repos by what their cards say, and parameters that this Hub does not serve."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from huggingface_hub.errors import BadRequestError
from support.embedded_hub import Hub

from localhub.errors import StorageError
from localhub.maintenance import collect_garbage
from localhub.routes import catalogue

CARD = """---
pipeline_tag: image-classification
library_name: keras
license: mit
tags: [dog]
datasets: [a/b]
---
"""


def test_repos_are_found_by_their_cards(hub: Hub) -> None:
    for name in ("pets/one", "pets/two", "else/three"):
        hub.api.create_repo(name)
        hub.api.create_repo(name, repo_type="dataset")
    hub.api.upload_file(path_or_fileobj=CARD.encode(), path_in_repo="README.md", repo_id="pets/one")
    head = b"---\ntask_categories: [image-classification]\nlanguage: en\n---\n"
    hub.api.upload_file(
        path_or_fileobj=head, path_in_repo="README.md", repo_id="pets/two", repo_type="dataset"
    )

    def models(**wanted: object) -> list[str]:
        return [found.id for found in hub.api.list_models(**wanted)]

    every = ["else/three", "pets/two", "pets/one"]
    for wanted in ({"filter": "dog"}, {"filter": ["keras", "license:mit"]}, {"trained_dataset": "a/b"},
                   {"pipeline_tag": "image-classification"}, {"search": "ONE"}):  # fmt: skip
        assert models(**wanted) == ["pets/one"], wanted
    assert models(filter=["dog", "cat"]) == models(pipeline_tag="x") == models(gated=True) == []
    assert models(gated=False) == models(sort="downloads") == every
    assert models(sort="last_modified")[0] in every
    assert models(author="PETS", limit=1) == ["pets/two"]
    (found,) = hub.api.list_models(filter="dog", full=True, cardData=True)
    assert (found.pipeline_tag, found.library_name) == ("image-classification", "keras")
    assert {"dog", "keras", "license:mit", "dataset:a/b"} <= set(found.tags)
    assert {file.rfilename for file in found.siblings} == {".gitattributes", "README.md"}
    assert found.card_data.license == hub.api.model_info("pets/one").card_data.license == "mit"
    data = hub.api.list_datasets(task_categories="image-classification", language="en")
    assert [found.id for found in data] == ["pets/two"]


def test_listings_page(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_PAGE", 2)
    names = [f"pets/n{number}" for number in range(5)]
    for name in names:
        hub.api.create_repo(name)
    assert [found.id for found in hub.api.list_models(search="n", sort="created_at")] == names[::-1]
    hub.api.create_repo("local/mine", repo_type="dataset", private=True)
    (mine,) = hub.api.list_user_repos()
    assert (mine.id, mine.type, mine.visibility) == ("local/mine", "dataset", "private")
    assert mine.storage > 1000
    assert mine.updated_at.date() == dt.datetime.now(dt.UTC).date()
    assert sorted(repo.id for repo in hub.api.list_user_repos("pets")) == names


def test_settings_of_a_new_space_are_kept(hub: Hub) -> None:
    hub.api.create_repo(
        "pets/demo", repo_type="space", space_sdk="gradio", space_hardware="t4-small", space_sleep_time=3600,
        space_secrets=[{"key": "A", "value": "x"}], space_variables=[{"key": "B", "value": "y"}],
    )  # fmt: skip
    assert hub.api.get_space_variables("pets/demo")["B"].value == "y"
    assert list(hub.http.get("/api/spaces/pets/demo/secrets").json()) == ["A"]
    runtime = hub.api.get_space_runtime("pets/demo")
    assert (runtime.requested_hardware, runtime.sleep_time) == ("t4-small", 3600)
    twice = [{"key": "A", "value": "x"}]
    with pytest.raises(BadRequestError, match="as a secret"):
        hub.api.create_repo(
            "pets/b", repo_type="space", space_sdk="gradio", space_secrets=twice, space_variables=twice
        )
    assert not hub.api.repo_exists("pets/b", repo_type="space")


@pytest.fixture
def demo(hub: Hub) -> Hub:
    """A Hub with the Space pets/demo, which has a variable and a secret."""
    hub.api.create_repo(
        "pets/demo", repo_type="space", space_sdk="gradio",
        space_variables=[{"key": "A", "value": "a value of its own"}],
        space_secrets=[{"key": "B", "value": "y"}],
    )  # fmt: skip
    return hub


def test_a_space_is_made_with_its_settings_or_not_at_all(demo: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, write = list[bool](), demo.store.db.write

    @contextmanager
    def write_once() -> Iterator[object]:
        if opened:
            raise StorageError("The Hub's database is busy; try again in a moment.")
        opened.append(True)
        with write() as db:
            yield db

    settings = {"secrets": [{"key": "S", "value": "x"}], "variables": [{"key": "V", "value": "y"}]}
    for path, body in (
        ("repos/create", {"type": "space", "organization": "pets", "name": "new", "sdk": "gradio"}),
        ("spaces/pets/demo/duplicate", {"repository": "pets/copy"}),
    ):
        opened.clear()
        with monkeypatch.context() as patch:
            patch.setattr(demo.store.db, "write", write_once)
            made = demo.http.post(f"/api/{path}", json=body | settings)
        assert made.status_code == 200, made.text
    for name, variables in (("new", {"V"}), ("copy", {"A", "V"})):
        assert set(demo.http.get(f"/api/spaces/pets/{name}/variables").json()) == variables
        assert set(demo.http.get(f"/api/spaces/pets/{name}/secrets").json()) == {"S"}


def test_a_copy_of_a_space_has_no_name_twice(demo: Hub) -> None:
    given = {"repository": "pets/copy", "secrets": [{"key": "A", "value": "x"}]}
    refused = demo.http.post("/api/spaces/pets/demo/duplicate", json=given)
    assert (refused.status_code, "as a variable" in refused.json()["error"]) == (400, True)
    assert not demo.api.repo_exists("pets/copy", repo_type="space")
    given = {"repository": "pets/copy", "variables": [{"key": "A", "value": "another"}]}
    assert demo.http.post("/api/spaces/pets/demo/duplicate", json=given).status_code == 200
    assert demo.api.get_space_variables("pets/copy")["A"].value == "another"


def test_of_a_deleted_space_nothing_stays(demo: Hub, tmp_path: Path) -> None:
    demo.api.move_repo("pets/demo", "pets/moved", repo_type="space")
    demo.api.create_repo("pets/other")
    demo.api.move_repo("pets/other", "pets/renamed")
    demo.api.delete_repo("pets/moved", repo_type="space")
    collect_garbage(demo.store, grace_s=0)
    demo.store.db.checkpoint()
    kept = (tmp_path / "hub" / "hub.db").read_bytes()
    assert b"a value of its own" not in kept
    assert b"moved:space:pets/demo" not in kept
    assert demo.api.model_info("pets/other").id == "pets/renamed", "of another repo, its earlier name stays"


@pytest.mark.parametrize(
    "value", [b"\xed\xa0\x80", b"NaN", b"-Infinity", b"1e999"], ids=["surrogate", "NaN", "infinite", "1e999"]
)
def test_settings_that_could_not_be_answered_are_refused(demo: Hub, value: bytes) -> None:
    quoted = value if value[:1] in b"N-1" else b'"' + value + b'"'
    body = b'{"volumes": [{"a": ' + quoted + b"}]}"
    refused = demo.http.put("/api/spaces/pets/demo/volumes", content=body)
    assert (refused.status_code, refused.json()["error"]) == (400, "Not valid JSON")
    assert demo.api.get_space_runtime("pets/demo").stage == "STOPPED"


def test_both_spellings_of_expand_are_heard(hub: Hub) -> None:
    hub.api.create_repo("pets/one")
    for key in ("expand", "expand[]"):
        [found] = hub.http.get("/api/models", params={key: "siblings"}).json()
        assert found["siblings"] == [{"rfilename": ".gitattributes"}], key


REFUSED: dict[str, Callable[[Hub], object]] = {
    "gated": lambda hub: hub.api.update_repo_settings("pets/one", gated="auto"),
    "apps": lambda hub: list(hub.api.list_models(apps="x")),
    "num_parameters": lambda hub: list(hub.api.list_models(num_parameters="min:1")),
    "inference": lambda hub: list(hub.api.list_models(inference="warm")),
    "config": lambda hub: list(hub.api.list_models(fetch_config=True)),
    "models": lambda hub: list(hub.api.list_spaces(models="x")),
    "expand=trendingScore": lambda hub: list(hub.api.list_models(expand=["trendingScore"])),
    "expand=usedStorage": lambda hub: hub.api.model_info("pets/one", expand=["usedStorage"]),
    "securityStatus": lambda hub: hub.api.model_info("pets/one", securityStatus=True),
    "region": lambda hub: hub.api.create_repo("pets/x", region="eu"),
    "resourceGroupId": lambda hub: hub.api.create_repo("pets/x", resource_group_id="5"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_served_is_refused_by_name(hub: Hub, name: str) -> None:
    hub.api.create_repo("pets/one")
    with pytest.raises(BadRequestError, match=f"does not serve '{name}'"):
        REFUSED[name](hub)
    assert not hub.api.repo_exists("pets/x")
    hub.api.update_repo_settings("pets/one", gated=False, private=True)
