"""What a LiteRT file says of itself, read back by the field numbers of TensorFlow Lite's metadata schema."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from support.tiny_bundle import BREEDS

from smartbreed.breeds.catalogue import get_breed
from smartbreed.core.errors import BundleError
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.bundle import load_bundle, write_config
from smartbreed.inference.head import Head, read_head, replace_head
from smartbreed.inference.network_metadata import ENTRY, IDENTIFIER, describe_networks, with_metadata
from smartbreed.inference.pipeline import Identifier

Types = flatbuffers.number_types


class Table:
    """A table of any flatbuffer."""

    def __init__(self, data: bytes, at: int) -> None:
        self._table = flatbuffers.table.Table(data, at)

    def _at(self, slot: int) -> int:
        offset = int(self._table.Offset(4 + 2 * slot))
        return offset and offset + int(self._table.Pos)

    def text(self, slot: int) -> str:
        return self._table.String(at).decode() if (at := self._at(slot)) else ""

    def number(self, slot: int, flags: Any = Types.Int8Flags) -> int:
        return int(self._table.Get(flags, self._at(slot)))

    def table(self, slot: int) -> Table:
        return Table(self._table.Bytes, self._table.Indirect(self._at(slot)))

    def tables(self, slot: int) -> list[Table]:
        if not (at := self._at(slot)):
            return []
        offset = at - self._table.Pos
        start, count = self._table.Vector(offset), self._table.VectorLen(offset)
        return [Table(self._table.Bytes, self._table.Indirect(start + 4 * n)) for n in range(count)]

    def floats(self, slot: int) -> list[float]:
        offset = self._at(slot) - self._table.Pos
        start, count = self._table.Vector(offset), self._table.VectorLen(offset)
        return [float(self._table.Get(Types.Float32Flags, start + 4 * n)) for n in range(count)]


def metadata_of(content: bytes) -> Table:
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    [entry] = [one for one in model.metadata if one.name == ENTRY.encode()]
    data = bytes(model.buffers[entry.buffer].data)
    assert data[4:8] == IDENTIFIER
    return Table(data, flatbuffers.encode.Get(flatbuffers.packer.uoffset, data, 0))


def attached(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def config_of(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return values


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """The bundle that ships, with networks that describe themselves."""
    folder = tmp_path / "described"
    config = config_of(EMBEDDED_BUNDLE)
    for name in ("config.json", *config.pop("files")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(EMBEDDED_BUNDLE / name, folder / name)
    describe_networks(folder, config, "Apache-2.0")
    write_config(folder, config)
    return folder


def test_labels_scaling_and_licence_stand_in_the_file(described: Path) -> None:
    content = (described / "classifier.tflite").read_bytes()
    about = metadata_of(content)
    config = config_of(described)
    assert [about.text(slot) for slot in (0, 2, 5)] == [config["name"], config["version"], "Apache-2.0"]
    [graph] = about.tables(3)
    [image] = graph.tables(2)
    size = image.table(3).table(1).table(1)
    assert image.text(0) == "image"
    assert [size.number(slot, Types.Uint32Flags) for slot in (0, 1)] == [
        config["classifier"]["input_size"]
    ] * 2
    [unit] = image.tables(4)
    assert unit.number(0) == 1, "NormalizationOptions"
    assert unit.table(1).floats(0) == unit.table(1).floats(1) == [127.5]
    outputs = {output.text(0): output for output in graph.tables(3)}
    assert set(outputs) == {"logits", "class_maps", "embedding"}
    files = [(one.text(0), one.number(2), one.text(3)) for one in outputs["logits"].tables(6)]
    assert files == [("labels.txt", 2, ""), ("labels_en.txt", 2, "en")]
    assert not outputs["embedding"].tables(6)
    texts = attached(content)
    labels = Identifier.load(described).known
    assert texts["labels.txt"].splitlines() == list(labels.ids)
    assert texts["labels_en.txt"].splitlines() == [breed.name for breed in labels.breeds]
    section = json.loads(texts["network.json"])
    assert section["temperature"] == config["classifier"]["temperature"]
    assert section["license"] == "Apache-2.0"
    assert [label["name"] for label in section["labels"]] == texts["labels_en.txt"].splitlines()


def test_the_metadata_names_the_outputs_in_their_order(described: Path) -> None:
    for part in ("classifier", "detector"):
        path = described / f"{part}.tflite"
        interpreter = Interpreter(model_path=str(path))
        runner = interpreter.get_signature_runner()
        shapes = {name: list(one["shape"]) for name, one in runner.get_output_details().items()}
        [graph] = metadata_of(path.read_bytes()).tables(3)
        named = [shapes[output.text(0)] for output in graph.tables(3)]
        assert named == [list(one["shape"]) for one in interpreter.get_output_details()]
    assert attached((described / "detector.tflite").read_bytes())["labels.txt"].split() == ["cat", "dog"]


def test_the_networks_compute_what_they_did(described: Path) -> None:
    size = config_of(described)["classifier"]["input_size"]
    picture = np.random.default_rng(0).uniform(-1, 1, (1, size, size, 3)).astype(np.float32)
    before, after = (
        Interpreter(model_path=str(folder / "classifier.tflite")).get_signature_runner()(image=picture)
        for folder in (EMBEDDED_BUNDLE, described)
    )
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_an_export_leaves_networks_that_describe_themselves(bundle_copy: Path) -> None:
    """The tiny networks of the tests, by the trainer's own way to finish a bundle."""
    from training.export.bundle import finish

    config = config_of(bundle_copy)
    config.pop("files")
    finish(bundle_copy, config)
    assert not zipfile.is_zipfile(bundle_copy / "classifier.tflite"), (
        "one that is not finished is asked alone"
    )
    finish(bundle_copy, config, final=True)
    content = (bundle_copy / "classifier.tflite").read_bytes()
    about = metadata_of(content)
    assert [about.text(slot) for slot in (0, 2, 5)] == ["tiny", "0.0.1", "Apache-2.0"]
    texts = attached(content)
    assert texts["labels.txt"].splitlines() == list(BREEDS)
    assert texts["labels_en.txt"].splitlines() == [get_breed(breed).name for breed in BREEDS]
    assert attached((bundle_copy / "detector.tflite").read_bytes())["labels.txt"].split() == ["cat", "dog"]


def test_saying_it_again_changes_nothing(described: Path) -> None:
    config = config_of(described)
    for part in ("classifier", "detector"):
        content = (described / f"{part}.tflite").read_bytes()
        assert with_metadata(content, config, part, "Apache-2.0") == content
    other = with_metadata(content, {**config, "version": "9.9.9"}, "detector")
    assert [metadata_of(other).text(slot) for slot in (2, 5)] == ["9.9.9", ""]


def test_another_head_takes_the_labels_along(described: Path) -> None:
    """They are no longer true."""
    content = (described / "classifier.tflite").read_bytes()
    head = read_head(content)
    bare = replace_head(content, Head(head.kernel[:, :2], head.bias[:2]))
    assert not zipfile.is_zipfile(io.BytesIO(bare))
    assert all(one.name != ENTRY.encode() for one in schema.ModelT.InitFromPackedBuf(bare, 0).metadata)
    config = config_of(described)
    config["classifier"]["labels"] = [{"id": "rex", "name": "Rex"}, {"id": "tom", "name": "Tom"}]
    assert attached(with_metadata(bare, config, "classifier"))["labels_en.txt"] == "Rex\nTom"


@pytest.mark.parametrize(
    ("name", "content"), [("run.py", b"print()"), ("labels.txt", b"\x80\x04\xff"), ("model.pkl", b"x")]
)
def test_nothing_but_texts_hides_behind_a_network(described: Path, name: str, content: bytes) -> None:
    path = described / "classifier.tflite"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"more-{name}", content)
    config = config_of(described)
    write_config(described, config)
    with pytest.raises(BundleError, match="attached"):
        load_bundle(described)
