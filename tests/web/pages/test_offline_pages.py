"""The page that names pets in the browser: who gets the model, and what its files are."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from smartbreed.core.errors import SmartBreedError
from smartbreed.core.settings import EMBEDDED_BUNDLE, load_settings
from smartbreed.inference.bundle import load_bundle
from smartbreed.services import Services
from smartbreed.web.pages.offline import page, runtime, site


def test_the_browser_gets_what_the_decision_needs_and_no_more() -> None:
    bundle = load_bundle(EMBEDDED_BUNDLE)
    config = site.model_config(bundle)
    assert len(config["classifier"]["labels"]) == len(config["classifier"]["bias"]) == 133
    assert config["classifier"]["labels"][0] == {
        "id": "abyssinian", "name": "Abyssinian", "species": "cat", "group": "patterned_cat",
    }  # fmt: skip
    assert set(config["detector"]["confirm"]) == {"candidate", "detector", "classifier", "bias"}
    for name in config["page_files"]:
        assert site.file_of(bundle, name.partition("?")[0]) is not None, name
    for name in ("classifier.weights.h5", "model/classifier.weights.h5", "../page.py", "model/../config.json",
                 "vendor/../page.js", "", "replay.npz", "model/replay.npz"):  # fmt: skip
        assert site.file_of(bundle, name) is None, name
    said = site.words(bundle)
    assert said["dog_dark"] == "A dog; too dark to tell the breed"
    assert said["_other"].startswith("This looks like an animal")


def test_a_changed_runtime_is_refused_and_nothing_of_it_kept(tmp_path: Path) -> None:
    for package in runtime._PACKAGES:
        name, _, version = package.rpartition("@")
        folder = tmp_path / "registry" / name / "-"
        folder.mkdir(parents=True)
        with tarfile.open(folder / f"{name.rpartition('/')[2]}-{version}.tgz", "w:gz") as packed:
            entry = tarfile.TarInfo("package/dist/index.js")
            entry.size = 4
            packed.addfile(entry, io.BytesIO(b"evil"))
    with pytest.raises(SmartBreedError, match="not the expected file"):
        runtime.fetch(tmp_path / "kept", (tmp_path / "registry").as_uri())
    with pytest.raises(SmartBreedError, match="cannot be fetched"):
        runtime.fetch(tmp_path / "kept", (tmp_path / "nowhere").as_uri())
    assert not list((tmp_path / "kept").iterdir())


def test_without_the_runtime_no_folder_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "is_there", lambda: False)
    with pytest.raises(SmartBreedError, match="make offline"):
        site.build(load_bundle(EMBEDDED_BUNDLE), tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_network_is_sent_only_to_who_has_its_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model may be replaced, or the replica be another one, between config.json and the networks."""
    monkeypatch.setattr(page, "is_there", lambda: True)
    services = Services(load_settings(home=tmp_path / "home", model="", hub="embedded"))
    browser = TestClient(page.offline_app(services))
    config = browser.get("/offline/model/config.json").json()
    for part in (config["classifier"], config["detector"]):
        address = f"/offline/model/{part['file']}"
        answer = browser.get(f"{address}?v={part['version']}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        for other in ("0" * 12, f"{part['version']}0", part["version"][:11]):
            answer = browser.get(f"{address}?v={other}")
            assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store"), other
        assert browser.get(address).headers["cache-control"] == "no-cache"
    for name in ("page.js", "identify.js", "worker.js", "page.css", "model/config.json"):
        answer = browser.get(f"/offline/{name}?v=0123456789ab")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache"), name
    assert browser.get("/offline/new.js?v=1").headers["cache-control"] == "no-store"
