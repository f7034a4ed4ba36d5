"""``smartbreed deploy`` against the embedded Hub, over a port and with the real client."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from support.processes import smartbreed

from localhub.embedded import serving
from localhub.repo_card import front_matter
from localhub.store import HubStore
from smartbreed.core.errors import HubCallError, RequestError
from smartbreed.core.settings import Settings, load_settings
from smartbreed.hub.deployment import ROOT, carry_out, plan
from smartbreed.hub.deployment_files import collect_files, space_card
from smartbreed.registry.initial_model import embedded_version
from smartbreed.registry.live import LiveModel
from smartbreed.registry.watcher import Watcher

#: Version of the model that ships.
EMBEDDED = embedded_version()

README = (ROOT / "README.md").read_text("utf-8")
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """An embedded Hub on a port, as a stand-in for huggingface.co."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    store = HubStore(tmp_path / "hub")
    with serving(store) as endpoint:
        yield load_settings(home=tmp_path / "home", hub=endpoint)
    store.close()


@pytest.fixture
def api(settings: Settings) -> HfApi:
    return HfApi(endpoint=settings.hub, token=False)


def test_everything_is_made_and_set(settings: Settings, api: HfApi) -> None:
    made = plan(
        settings,
        "me/breeds",
        variables={"SMARTBREED_TOP_K": "3"},
        secrets={"HF_TOKEN": "hf_very_secret"},
        private=True,
        hardware="cpu-upgrade",
        bucket="me/data",
    )
    assert "hf_very_secret" not in repr(made)
    said: list[str] = []
    sha = carry_out(settings, made, said.append)
    assert not any("hf_very_secret" in line for line in said)
    space = api.space_info("me/breeds")
    assert (space.sha, space.sdk, space.private) == (sha, "gradio", True)
    files = set(api.list_repo_files("me/breeds", repo_type="space"))
    assert {
        "app.py",
        "README.md",
        "requirements.txt",
        "smartbreed/web/server.py",
        "smartbreed/assets/classifier.tflite",
    } <= files
    assert {
        "smartbreed/breeds/breeds.csv",
        "smartbreed/web/static/style.css",
        "training/explain/worker.py",
        "LICENSE",
    } <= files
    assert not [
        name for name in files if name.startswith(("tests/", "benchmarks/", "runs/")) or "__pycache__" in name
    ]
    variables = {key: one.value for key, one in api.get_space_variables("me/breeds").items()}
    assert variables == {
        "SMARTBREED_MODEL_REPO": "me/pets",
        "SMARTBREED_DATASET": "me/flags",
        "SMARTBREED_HUB": settings.hub,
        "SMARTBREED_PUBLISH_EVERY": "30",
        "SMARTBREED_PUBLISH_SIZE": "1",
        "SMARTBREED_HOME": "/data",
        "SMARTBREED_TOP_K": "3",
    }
    assert list(api.get_space_secrets("me/breeds")) == ["HF_TOKEN"]
    runtime = api.get_space_runtime("me/breeds")
    assert runtime.requested_hardware == "cpu-upgrade"
    assert [(one.type, one.source, one.mount_path) for one in runtime.volumes or []] == [
        ("bucket", "me/data", "/data")
    ]
    card = api.hf_hub_download("me/breeds", "README.md", repo_type="space", local_dir=settings.home_dir)
    head = front_matter(Path(card).read_text("utf-8"))
    assert (head["models"], head["datasets"]) == (["me/pets"], ["me/flags"])
    assert api.repo_exists("me/flags", repo_type="dataset")
    assert [ref.name for ref in api.list_repo_refs("me/pets").tags] == [f"v{embedded_version()}"]
    # What was released there can be served as it is.
    live = LiveModel(settings.model_copy(update={"model": "me/pets"}))
    assert live.status().version == EMBEDDED
    assert live.status().repo == "me/pets"
    # The app on the Space has the same model in its hands and takes no other for newer.
    beside = LiveModel(settings.model_copy(update={"model_repo": "me/pets"}))
    Watcher(beside).check()
    assert (beside.status().chosen, beside.status().problem) == ("embedded", "")


def test_once_more_changes_nothing(settings: Settings, api: HfApi) -> None:
    made = plan(settings, "me/breeds", variables={}, secrets={})
    first = carry_out(settings, made, lambda line: None)
    said: list[str] = []
    assert carry_out(settings, made, said.append) == first
    assert any("as they were" in line for line in said)
    assert not any(line.startswith(("set ", "asked", "mounted")) for line in said)
    assert len(api.list_repo_commits("me/pets")) == 2
    # What a later version no longer has goes; what a person added beside it stays.
    stale = [f"{folder}/old.py" for folder in ("smartbreed", "training", "localhub", "docs")]
    for path in stale:
        api.upload_file(path_or_fileobj=b"old", path_in_repo=path, repo_id="me/breeds", repo_type="space")
    api.upload_file(path_or_fileobj=b"mine", path_in_repo="notes.txt", repo_id="me/breeds", repo_type="space")
    carry_out(settings, made, lambda line: None)
    files = api.list_repo_files("me/breeds", repo_type="space")
    assert not set(stale) & set(files)
    assert "notes.txt" in files


def test_what_died_between_release_and_tag_is_tagged_the_next_time(
    settings: Settings, api: HfApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise HubCallError("refused", "no more power")

    made = plan(settings, "me/breeds", variables={}, secrets={})
    with monkeypatch.context() as patch:
        patch.setattr("smartbreed.hub.client.tag", die)
        with pytest.raises(HubCallError):
            carry_out(settings, made, lambda line: None)
    assert api.list_repo_refs("me/pets").tags == []
    released = api.repo_info("me/pets").sha
    api.upload_file(path_or_fileobj=b"hello", path_in_repo="notes.txt", repo_id="me/pets")
    for _ in range(2):
        carry_out(settings, made, lambda line: None)
        (tag,) = api.list_repo_refs("me/pets").tags
        assert (tag.name, tag.target_commit) == (f"v{EMBEDDED}", released)


def test_repos_of_ones_own_are_kept(settings: Settings) -> None:
    asked = settings.model_copy(update={"model_repo": "team/models", "dataset": "team/data"})
    made = plan(asked, "me/breeds", variables={}, secrets={})
    assert (made.model_repo, made.dataset) == ("team/models", "team/data")


def test_a_head_the_hub_refuses_stops_it_before_anything_is_made(settings: Settings, api: HfApi) -> None:
    made = plan(settings, "me/breeds", variables={}, secrets={})
    files = {**made.files, "README.md": b"---\ntitle: [unfinished\n---\n# x\n"}
    with pytest.raises(HubCallError) as caught:
        carry_out(settings, type(made)(**{**made.__dict__, "files": files}), lambda line: None)
    assert caught.value.kind == "refused"
    assert "README.md" in caught.value.message
    assert not api.repo_exists("me/breeds", repo_type="space")


def test_postgres_brings_its_driver(settings: Settings) -> None:
    url = "postgresql+psycopg://ann:pw@db/flags"
    made = plan(
        settings, "me/breeds", variables={}, secrets={"SMARTBREED_DATABASE_URL": url, "HF_TOKEN": "x"}
    )
    requirements = made.files["requirements.txt"]
    assert isinstance(requirements, bytes)
    assert b"psycopg[binary]==" in requirements
    assert any("--bucket" in warning for warning in made.warnings)
    assert not any("HF_TOKEN" in warning for warning in made.warnings)


@pytest.mark.parametrize("name", ["", "breeds", "me/", "/breeds", "me/b/c", "me/../x", "m e/b"])
def test_a_name_that_is_none(settings: Settings, name: str) -> None:
    with pytest.raises(RequestError, match="owner/name"):
        plan(settings, name, variables={}, secrets={})


def test_other_nonsense(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="environment variable"):
        plan(settings, "me/b", variables={"1x": ""}, secrets={})
    with pytest.raises(RequestError, match="both"):
        plan(settings, "me/b", variables={"A": "1"}, secrets={"A": "2"})
    with pytest.raises(RequestError, match="checkout"):
        plan(settings, "me/b", variables={}, secrets={}, root=tmp_path)
    for readme in ("# No head\n", "---\nnot: [closed\n---\n"):
        with pytest.raises(RequestError, match="head"):
            space_card(readme, {})


def test_the_head_of_the_readme_fits_a_space() -> None:
    """https://huggingface.co/docs/hub/spaces-config-reference"""
    head = front_matter(README)
    assert head["sdk"] == "gradio"
    assert (ROOT / head["app_file"]).is_file()
    assert {head["colorFrom"], head["colorTo"]} <= COLOURS
    assert len(head["short_description"]) <= 60
    pinned = re.search(r"^gradio\[mcp\]==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert pinned
    assert head["sdk_version"] == pinned[1]
    assert isinstance(head["python_version"], str), "3.10 would become 3.1"
    kept = space_card(README, {"models": ["me/pets"]})
    assert kept.split("---\n", 2)[2] == README.split("---\n", 2)[2], "the text stays as it is"
    assert front_matter(kept)["emoji"] == head["emoji"]


def test_the_image_holds_what_the_app_needs() -> None:
    """Read, not built: there is no container engine here."""
    steps = (ROOT / "Dockerfile").read_text()
    left_out = (ROOT / ".dockerignore").read_text().split()
    for needed in (
        "app.py",
        "smartbreed",
        "localhub",
        "training",
        "requirements.txt",
        "pyproject.toml",
        "README.md",
    ):
        assert (ROOT / needed).exists()
        assert needed not in left_out
    assert "HEALTHCHECK" in steps
    assert 'CMD ["python", "app.py"]' in steps


def command(settings: Settings, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    changes = {"SMARTBREED_HUB": settings.hub, **changes}
    return smartbreed(settings.home.parent, "deploy", *words, **changes)


def test_on_the_command_line(settings: Settings, api: HfApi) -> None:
    dry = command(
        settings,
        "me/breeds",
        "--dry-run",
        "--secret",
        "HF_TOKEN",
        "--variable",
        "A=b=c",
        HF_TOKEN="hf_hidden",
    )
    assert dry.returncode == 0
    assert "variable   A=b=c" in dry.stdout
    assert "file       app.py" in dry.stdout
    assert "hf_hidden" not in dry.stdout + dry.stderr
    assert not api.repo_exists("me/breeds", repo_type="space")
    done = command(settings, "me/breeds", "--secret", "PASS=word")
    assert done.returncode == 0
    assert "Space me/breeds" in done.stdout
    assert "word" not in done.stdout.replace("password", "")
    for wrong in (["--secret", "NOT_THERE"], ["--variable", "NO_VALUE"]):
        refused = command(settings, "me/breeds", *wrong)
        assert refused.returncode == 2
        assert "Traceback" not in refused.stderr
    dead = command(settings, "me/breeds", SMARTBREED_HUB="http://127.0.0.1:9")
    assert (dead.returncode, dead.stdout) == (2, "")
    assert "cannot be reached" in dead.stderr


def test_the_embedded_hub_keeps_settings_of_spaces_only(settings: Settings, api: HfApi) -> None:
    api.create_repo("me/breeds", repo_type="space", space_sdk="gradio")
    api.create_repo("me/breeds", repo_type="model")
    api.add_space_variable("me/breeds", "A", "1")
    api.add_space_variable("me/breeds", "A", "2", description="two")
    assert {key: one.value for key, one in api.get_space_variables("me/breeds").items()} == {"A": "2"}
    with pytest.raises(Exception, match="already"):
        api.add_space_secret("me/breeds", "A", "hidden")
    with pytest.raises(Exception, match="letters"):
        api.add_space_secret("me/breeds", "not a name", "hidden")
    api.delete_space_variable("me/breeds", "A")
    api.add_space_secret("me/breeds", "A", "hidden")
    assert api.get_space_variables("me/breeds") == {}
    secret = api.get_space_secrets("me/breeds")["A"]
    assert secret.updated_at is not None
    api.delete_space_secret("me/breeds", "A")
    assert api.get_space_secrets("me/breeds") == {}
    with pytest.raises(Exception, match="404"):
        api.get_space_variables("me/nothing")


def test_every_relative_link_of_the_spaces_readme_leads_to_one_of_its_files() -> None:
    files = collect_files(ROOT, "", {})
    readme = files["README.md"]
    assert isinstance(readme, bytes)
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)|(?:src|href|srcset)=\"([^\":#]+)\"", readme.decode())
    targets = {one or other for one, other in links}
    assert "docs/python.md" in targets
    assert sorted(target for target in targets if target not in files) == []


def test_a_space_gets_every_package_that_the_app_imports(tmp_path: Path) -> None:
    """Its files alone, without the checkout, hold every module of the page and of the trainer."""
    for name, source in collect_files(ROOT, "", {}).items():
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source if isinstance(source, bytes) else source.read_bytes())
    code = (
        "import smartbreed, localhub.store, smartbreed.hub.connection;"
        "import smartbreed.web.blocks, training.retrain;"
        "print(smartbreed.__file__); print(localhub.store.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert all(line.startswith(str(tmp_path)) for line in done.stdout.splitlines())
