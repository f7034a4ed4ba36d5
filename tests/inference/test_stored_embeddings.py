"""Embeddings in a bundle are read whole, or refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartbreed.core.errors import BundleError
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.bundle import load_bundle
from smartbreed.inference.stored_embeddings import GATE, REPLAY, StoredEmbeddings, read_embeddings
from training.export.replay import save_replay

ROWS, WIDTH = 300, 40


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("replay") / REPLAY
    origins = np.array([""] * (ROWS - 1) + ["0" * 16])
    save_replay(path, rng.normal(size=(ROWS, WIDTH)), np.arange(ROWS) % 3, ["beagle", "pug", "mudi"], origins)
    return path


def read_or_refused(path: Path) -> StoredEmbeddings | BundleError:
    try:
        return read_embeddings(path)
    except BundleError as error:
        return error


def plain() -> dict[str, Any]:
    return {
        "embeddings": np.zeros((4, 8), np.int8),
        "scales": np.ones((4, 1), np.float32),
        "labels": np.array([0, 1, 1, 0], np.int16),
        "names": np.array(["beagle", "pug"]),
    }


@pytest.mark.parametrize("name", [REPLAY, GATE])
def test_what_ships(name: str) -> None:
    bundle = load_bundle(EMBEDDED_BUNDLE)
    stored = read_embeddings(bundle.path(name))
    assert stored.names == [label.id for label in bundle.config.classifier.labels]
    assert stored.embeddings.shape == (len(stored.labels), 1280)
    assert np.isfinite(stored.embeddings).all()
    assert set(stored.labels) <= set(range(len(stored.names)))
    assert set(stored.origins) == {""}
    away = stored.out_of_distribution
    assert away is None if name == REPLAY else away is not None and away.shape == (102, 1280)


def test_what_was_written_is_read(replay: Path) -> None:
    stored = read_embeddings(replay)
    written = np.random.default_rng(0).normal(size=(ROWS, WIDTH))
    assert np.allclose(stored.embeddings, written, atol=0.03)
    assert (stored.labels == np.arange(ROWS) % 3).all()
    assert stored.names == ["beagle", "pug", "mudi"]
    assert [str(key) for key in stored.origins if key] == ["0" * 16]


@settings(deadline=None)
@given(st.data())
def test_damage_is_named(replay: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    whole = replay.read_bytes()
    start = data.draw(st.integers(0, len(whole) - 1))
    damage = data.draw(st.binary(min_size=0, max_size=64))
    cut = data.draw(st.booleans())
    broken = tmp_path_factory.getbasetemp() / "broken" / REPLAY
    broken.parent.mkdir(exist_ok=True)
    broken.write_bytes(whole[:start] + damage + (b"" if cut else whole[start + len(damage) :]))
    found = read_or_refused(broken)
    if isinstance(found, BundleError):
        assert REPLAY in found.message
        assert str(broken.parent) not in found.message
    else:  # a byte that no checksum covers
        assert len(found.labels) == len(found.embeddings) == len(found.origins) == ROWS


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": np.array([0, 1, 2, 0], np.int16)},
        {"labels": np.array([0, 1, -1, 0], np.int16)},
        {"labels": np.array([0, 1, 0], np.int16)},
        {"labels": np.array([0, 1, 0, 0.5])},
        {"labels": np.array(0)},
        {"scales": np.ones(4, np.float32)},
        {"embeddings": np.zeros(4, np.int8)},
        {"embeddings": np.array([["a"] * 8] * 4)},
        {"names": np.array([[1, 2]])},
        {"names": np.array(["beagle"])},
        {"origins": np.array([""])},
        {"origins": np.zeros(4)},
        {"strangers": np.zeros((2, 8), np.int8)},
        {"strangers": np.zeros((2, 7), np.int8), "stranger_scales": np.ones((2, 1), np.float32)},
        {"strangers": np.array(0), "stranger_scales": np.array(0)},
    ],
)
def test_arrays_that_do_not_belong_together(tmp_path: Path, wrong: dict[str, Any]) -> None:
    np.savez(tmp_path / REPLAY, **plain())
    assert len(read_embeddings(tmp_path / REPLAY).labels) == 4
    np.savez(tmp_path / REPLAY, **{**plain(), **wrong})
    with pytest.raises(BundleError, match=r"arrays of replay\.npz do not belong together"):
        read_embeddings(tmp_path / REPLAY)


@pytest.mark.parametrize("missing", ["embeddings", "scales", "labels", "names"])
def test_an_array_is_missing(tmp_path: Path, missing: str) -> None:
    np.savez(tmp_path / REPLAY, **{name: array for name, array in plain().items() if name != missing})
    with pytest.raises(BundleError, match=f"has no array '{missing}'"):
        read_embeddings(tmp_path / REPLAY)


def test_no_archive_at_all(tmp_path: Path) -> None:
    for content in (b"", b"PK", b"text", b"\x93NUMPY\x01\x00"):
        (tmp_path / REPLAY).write_bytes(content)
        with pytest.raises(BundleError, match=r"replay\.npz cannot be read"):
            read_embeddings(tmp_path / REPLAY)
    with (tmp_path / REPLAY).open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(BundleError, match=r"replay\.npz cannot be read"):
        read_embeddings(tmp_path / REPLAY)
    with pytest.raises(BundleError, match=r"gate\.npz cannot be read"):
        read_embeddings(tmp_path / GATE)
