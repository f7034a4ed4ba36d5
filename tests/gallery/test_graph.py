"""Galleries of very many photographs: a graph proposes, exact vectors decide."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.gallery import fill, photographs

from smartbreed.core.errors import RequestError
from smartbreed.core.settings import load_settings
from smartbreed.gallery import build as building
from smartbreed.gallery import graph
from smartbreed.gallery.index import Index, read_index, write_index
from smartbreed.services import Services

pytest.importorskip("usearch")
WIDTH = 64


def clusters(count: int) -> np.ndarray:
    """Unit vectors ``(count, WIDTH)`` around 40 centres, as breeds are."""
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(40, WIDTH))
    vectors = centres[rng.integers(40, size=count)] + rng.normal(0, 0.6, (count, WIDTH))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return clusters(5000)


def test_it_finds_what_comparing_all_finds(vectors: np.ndarray, tmp_path: Path) -> None:
    path = graph.graph_file(tmp_path / "embeddings.npy", "a stamp")
    graph.write_graph(path, vectors)
    names = np.array([f"g{n}" for n in range(len(vectors))])
    exact = Index("a stamp", names, vectors)
    quick = Index("a stamp", names, vectors, graph.read_graph(path, *vectors.shape))
    common = 0
    for asked in clusters(5300)[5000:5100]:
        all_of_them, some = exact.nearest(asked, 10), quick.nearest(asked, 10)
        near = dict(all_of_them)
        assert [value for _, value in some] == sorted((value for _, value in some), reverse=True)
        assert all(value == pytest.approx(near[name], abs=1e-6) for name, value in some if name in near)
        common += len(near.keys() & dict(some).keys())
    assert common >= 950, f"{common} of 1000"


def test_fewer_than_are_wanted_are_all_found(tmp_path: Path) -> None:
    few = clusters(4)
    path = tmp_path / "few.usearch"
    graph.write_graph(path, few)
    index = Index("", np.array(list("abcd")), few, graph.read_graph(path, *few.shape))
    assert {name for name, _ in index.nearest(few[0], 10)} == set("abcd")


def test_a_graph_of_something_else_is_not_read(vectors: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "graph.usearch"
    assert graph.read_graph(path, 10, WIDTH) is None
    graph.write_graph(path, vectors[:100])
    assert graph.read_graph(path, 101, WIDTH) is None
    assert graph.read_graph(path, 100, WIDTH + 1) is None
    assert graph.read_graph(path, 100, WIDTH) is not None
    for broken in (b"", b"no graph", path.read_bytes()[:200]):
        path.write_bytes(broken)
        assert graph.read_graph(path, 100, WIDTH) is None


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """With a small gallery that counts as a large one."""
    monkeypatch.setattr(graph, "EXACT", 5)
    made = Services(load_settings(home=tmp_path / "home", hub="embedded"))
    yield made
    made.stop()


def test_the_app_makes_and_uses_it(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(services, photographs(tmp_path / "photos", 1))
    gallery = services.gallery
    gallery.refresh_all()
    [file] = gallery.folder.glob("*.usearch")
    assert file.stat().st_mode & 0o077 == 0
    index = gallery._index
    assert index is not None
    assert index.graph is not None
    exact = read_index(gallery.folder / "embeddings.npy")
    assert exact is not None
    vector = np.array(exact.vectors[3])
    assert index.nearest(vector, 3) == exact.nearest(vector, 3)
    monkeypatch.setattr(graph, "available", lambda: False)
    gallery._index = None
    gallery.refresh_all()
    assert gallery._index is not None
    assert gallery._index.graph is None, "without usearch every vector is compared"


def test_an_earlier_graph_goes_with_its_index(tmp_path: Path, vectors: np.ndarray) -> None:
    path = tmp_path / "embeddings.npy"
    for stamp in ("first", "second"):
        rows = [(f"g{n}", vector.astype(np.float16).tobytes()) for n, vector in enumerate(vectors[:50])]
        write_index(path, stamp, rows, 50, WIDTH)
        graph.write_graph(graph.graph_file(path, stamp), vectors[:50])
    assert [one.name for one in tmp_path.glob("*.usearch")] == [graph.graph_file(path, "second").name]


def test_a_full_gallery_says_what_would_hold_more(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (graph, building):
        monkeypatch.setattr(module, "available", lambda: False)
    with pytest.raises(RequestError, match=r"at most 5 photos.*smartbreed\[gallery\]"):
        fill(services, photographs(tmp_path / "photos", 1))
