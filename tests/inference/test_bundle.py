"""A bundle is used only when every file is what ``config.json`` says."""

from __future__ import annotations

import errno
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.bundles import edit_config

from smartbreed.core.errors import BundleError, StorageError
from smartbreed.inference.bundle import load_bundle, sha256_of, write_config
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.stored_embeddings import read_embeddings

FILES = ["classifier.tflite", "classifier.weights.h5", "detector.tflite", "detector.weights.h5"]


def refused(folder: Path, *words: str) -> None:
    with pytest.raises(BundleError) as caught:
        Identifier.load(folder)
    assert caught.value.code == "bad_bundle"
    for word in words:
        assert word in caught.value.message


def test_a_good_bundle(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    assert sorted(bundle.config.files) == FILES
    assert bundle.version.repo == "bundle"
    assert bundle.version.revision == sha256_of(tiny_bundle / "config.json")
    assert bundle.path("classifier.tflite").is_file()
    named = load_bundle(str(tiny_bundle), repo="me/pets", revision="abc").version
    assert (named.repo, named.revision, named.version) == ("me/pets", "abc", "0.0.1")
    with pytest.raises(BundleError, match=r"surprise\.bin"):
        bundle.path("surprise.bin")


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_refused_by_name(bundle_copy: Path, name: str) -> None:
    content = bytearray((bundle_copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle_copy / name).write_bytes(content)
    refused(bundle_copy, name, "changed")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_name(bundle_copy: Path, name: str) -> None:
    (bundle_copy / name).unlink()
    refused(bundle_copy, name, "missing")
    (bundle_copy / name).mkdir()
    refused(bundle_copy, name, "missing")


@pytest.mark.parametrize("name", ["x" * 300 + ".txt", "ä" * 150, "a/" * 4000 + "b"])
def test_a_name_that_no_file_can_have_is_missing(bundle_copy: Path, name: str) -> None:
    edit_config(bundle_copy, lambda c: c["files"].update({name: "0" * 64}))
    refused(bundle_copy, name[:50], "missing")


def test_a_disk_that_gives_a_file_out_no_more(bundle_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is no fault of the bundle, so that a release is not rejected for it."""

    def fail(path: Path) -> str:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("smartbreed.inference.bundle.sha256_of", fail)
    with pytest.raises(StorageError, match="The model bundle could not be read"):
        load_bundle(bundle_copy)


def test_a_folder_without_a_bundle(tmp_path: Path) -> None:
    refused(tmp_path, "config.json")
    refused(tmp_path / "nowhere", "config.json")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (b"", "the file"),
        (b"{", "the file"),
        (b"\xff\xfe\x00", "the file"),
        (b"[]", "the file"),
        (b"null", "the file"),
        (b"{}", "format"),
        (b'{"format": 1}', "name"),
        (b'{"format": "one"}', "format"),
    ],
)
def test_a_malformed_config(bundle_copy: Path, text: bytes, word: str) -> None:
    (bundle_copy / "config.json").write_bytes(text)
    refused(bundle_copy, "config.json", word)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda c: c.update(format=3), "format 3"),
        (lambda c: c["classifier"].update(labels=[]), "classifier.labels"),
        (lambda c: c["classifier"].update(temperature=0), "classifier.temperature"),
        (lambda c: c["classifier"].update(input_size=100_000), "classifier.input_size"),
        (lambda c: c["classifier"].update(alpha=1000), "classifier.alpha"),
        (lambda c: c["classifier"]["thresholds"].update(breed=2), "classifier.thresholds.breed"),
        (lambda c: c["detector"].update(score=1.5), "detector.score"),
        (lambda c: c["files"].pop("classifier.tflite"), "classifier.tflite"),
        (lambda c: c["files"].pop("detector.tflite"), "detector.tflite"),
        (lambda c: c["classifier"].update(file="other.tflite"), "other.tflite"),
    ],
)
def test_a_config_that_makes_no_sense(
    bundle_copy: Path, change: Callable[[dict[str, Any]], Any], word: str
) -> None:
    edit_config(bundle_copy, change)
    refused(bundle_copy, word)


@pytest.mark.parametrize("name", ["../secret.txt", "a/../../secret.txt", "/etc/hostname"])
def test_no_file_outside_the_folder(bundle_copy: Path, name: str) -> None:
    outside = bundle_copy.parent / "secret.txt"
    outside.write_text("secret")
    edit_config(bundle_copy, lambda c: c["files"].update({name: sha256_of(outside)}))
    refused(bundle_copy, "outside", name)
    edit_config(bundle_copy, lambda c: c["classifier"].update(file=name))
    refused(bundle_copy, "outside", name)


def test_a_name_no_file_can_have(bundle_copy: Path) -> None:
    edit_config(bundle_copy, lambda c: c["files"].update({"a\0b": "0"}))
    refused(bundle_copy, "missing")


def test_links_into_a_cache_are_followed(tiny_bundle: Path, tmp_path: Path) -> None:
    """`huggingface_hub.snapshot_download` returns a folder of links into its blobs."""
    snapshot = tmp_path / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    shutil.copytree(tiny_bundle, tmp_path / "blobs")
    for path in (tmp_path / "blobs").iterdir():
        (snapshot / path.name).symlink_to(Path("../../blobs") / path.name)
    assert load_bundle(snapshot).config.name == "tiny"


def test_labels_that_do_not_fit_the_network(bundle_copy: Path) -> None:
    edit_config(bundle_copy, lambda c: c["classifier"]["labels"].pop())
    refused(bundle_copy, "4 labels")


def test_a_label_named_twice(bundle_copy: Path) -> None:
    edit_config(bundle_copy, lambda c: c["classifier"]["labels"][0].update(id="pug"))
    refused(bundle_copy, "labels")


def test_a_bias_that_does_not_fit(bundle_copy: Path) -> None:
    edit_config(bundle_copy, lambda c: c["classifier"]["bias"].pop())
    refused(bundle_copy, "bias")


@pytest.mark.parametrize("logits", [[99.0] * 5, [0.0] * 7, ["a"], 1.0])
def test_a_failed_self_test(bundle_copy: Path, logits: object) -> None:
    edit_config(bundle_copy, lambda c: c.update(self_test={"logits": logits}))
    refused(bundle_copy, "self-test")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x1c\0\0\0TFL3" + bytes(64)])
@pytest.mark.parametrize("name", ["classifier.tflite", "detector.tflite"])
def test_a_file_that_is_no_network(bundle_copy: Path, name: str, content: bytes) -> None:
    (bundle_copy / name).write_bytes(content)
    edit_config(bundle_copy, lambda c: c["files"].update({name: sha256_of(bundle_copy / name)}))
    refused(bundle_copy, name)


def test_the_wrong_network(bundle_copy: Path) -> None:
    """Detector and classifier swapped: both load, neither can do the other's work."""
    edit_config(bundle_copy, lambda c: c["classifier"].update(file="detector.tflite"))
    refused(bundle_copy, "detector.tflite")
    edit_config(bundle_copy, lambda c: c["classifier"].update(file="classifier.tflite"))
    edit_config(bundle_copy, lambda c: c["detector"].update(file="classifier.tflite"))
    refused(bundle_copy, "classifier.tflite")


def test_nothing_is_unpickled(bundle_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(bundle_copy / "replay.npz", trap=np.array([object()], dtype=object))
    write_config(bundle_copy, json.loads((bundle_copy / "config.json").read_text()))

    def trap(*_: Any, **__: Any) -> Any:
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, trap)
    refused(bundle_copy, "replay.npz", "pickled")
    with pytest.raises(BundleError, match=r"replay\.npz cannot be read"):
        read_embeddings(bundle_copy / "replay.npz")
