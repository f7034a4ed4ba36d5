"""Metadata inside a LiteRT file: labels, scaling of the input, name, version and licence.

It has the form of TensorFlow Lite's metadata, which Android, MediaPipe and others read: a flatbuffer of
``metadata_schema.fbs`` under ``TFLITE_METADATA``, and a zip appended to the network with the files that the
flatbuffer names:

* ``labels.txt`` and ``labels_en.txt``: ids and names, one per line, in the order of the outputs;
* ``network.json``: the network's section of ``config.json``, so that the file alone is enough to run it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from smartbreed.breeds.catalogue import breed_of_label
from smartbreed.inference.litert_file import pack

#: Name of the metadata entry in a LiteRT file, and file identifier of its flatbuffer.
ENTRY, IDENTIFIER = "TFLITE_METADATA", b"M001"
#: Members of the appended zip.
IDS, NAMES, SECTION = "labels.txt", "labels_en.txt", "network.json"
#: Oldest version of the metadata parser that reads everything written here.
_PARSER = "1.5.0"
_DESCRIPTIONS, _AXIS_LABELS = 1, 2
_IMAGE, _NORMALISATION, _RGB = 2, 1, 1
#: Section of ``config.json`` → the output whose last axis the labels describe.
_LABELLED = {"classifier": "logits", "detector": "scores"}


def describe_networks(folder: Path, config: dict[str, Any], licence: str = "") -> None:
    """Write the metadata into the networks of a bundle.

    Write ``config.json`` afterwards, since the sha256 sums of the networks change.

    Args:
        folder: of the bundle.
        config: content of ``config.json``.
        licence: SPDX identifier; empty: the file states none.
    """
    for part in _LABELLED:
        if section := config.get(part):
            path = folder / section.get("file", f"{part}.tflite")
            path.write_bytes(with_metadata(path.read_bytes(), config, part, licence))


def with_metadata(content: bytes, config: dict[str, Any], part: str, licence: str = "") -> bytes:
    """Return a LiteRT file with its metadata, in place of any that it had.

    Args:
        content: bytes of the file.
        config: content of ``config.json``.
        part: section of the network in ``config``, ``classifier`` or ``detector``.
        licence: as in `describe_networks`.

    Example::

        path.write_bytes(with_metadata(path.read_bytes(), json.loads(config.read_text()), "classifier"))
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    drop_metadata(model)
    graph, names = model.subgraphs[0], {}
    for signature in model.signatureDefs or []:
        names = {int(one.tensorIndex): one.name.decode() for one in [*signature.inputs, *signature.outputs]}
    outputs = [names.get(int(index), f"output_{place}") for place, index in enumerate(graph.outputs)]
    ids, shown = _labels(config, part)
    buffer = schema.BufferT()
    buffer.data = _metadata(config, part, outputs, licence)
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = ENTRY, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    about = {key: config.get(key, "") for key in ("name", "version")}
    section = {**config[part], "labels": [{"id": i, "name": n} for i, n in zip(ids, shown, strict=True)]}
    files = {
        IDS: "\n".join(ids),
        NAMES: "\n".join(shown),
        SECTION: json.dumps({**about, "license": licence, **section}, ensure_ascii=False),
    }
    return pack(model, len(content) + len(buffer.data)) + _archive(files)


def drop_metadata(model: Any) -> None:
    """Remove the metadata entry from an unpacked model whose labels are about to change.

    The zip is not part of the unpacked model, so packing drops it.
    """
    for entry in [one for one in model.metadata or [] if one.name == ENTRY.encode()]:
        model.metadata.remove(entry)
        if entry.buffer == len(model.buffers) - 1:
            model.buffers.pop()
        else:  # the indices of the other buffers must not change
            model.buffers[entry.buffer].data = None


def _labels(config: dict[str, Any], part: str) -> tuple[list[str], list[str]]:
    """Return the ids and the names of a network's labels."""
    section = config[part]
    if part == "detector":
        species = list(section.get("species", ("cat", "dog")))
        return species, [name.capitalize() for name in species]
    breeds = [
        breed_of_label(one["id"], one.get("name", ""), one.get("species", ""), one.get("group", ""))
        for one in section["labels"]
    ]
    return [breed.id for breed in breeds], [breed.name for breed in breeds]


def _archive(files: dict[str, str]) -> bytes:
    """Build a zip; the same files give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return out.getvalue()


def _metadata(config: dict[str, Any], part: str, outputs: list[str], licence: str) -> bytes:
    """Build the flatbuffer; field numbers are those of ``metadata_schema.fbs``."""
    import flatbuffers  # type: ignore[import-untyped]

    builder = flatbuffers.Builder(4096)
    section, side = config[part], int(config[part].get("input_size", 224))
    scale, offset = float(section.get("scale", 1 / 127.5)), float(section.get("offset", -1.0))

    def files(*given: tuple[str, str, int, str]) -> int:
        made = [
            _table(builder, 5, {0: _text(builder, name), 1: _text(builder, about), 2: kind}
                   | ({3: _text(builder, locale)} if locale else {}), small={2})
            for name, about, kind, locale in given
        ]  # fmt: skip
        return _vector(builder, made)

    size = _table(builder, 2, {0: side, 1: side}, numbers={0, 1})
    picture = _table(builder, 2, {0: _RGB, 1: size}, small={0})
    content = _table(builder, 3, {0: _IMAGE, 1: picture}, small={0})
    # The metadata normalises as (value - mean) / std; this is value * scale + offset in that form.
    mean, std = (_floats(builder, value) for value in (-offset / scale, 1 / scale))
    unit = _table(builder, 2, {0: _NORMALISATION, 1: _table(builder, 2, {0: mean, 1: std})}, small={0})
    image = _table(
        builder, 7,
        {
            0: _text(builder, "image"),
            1: _text(builder, f"An RGB picture of {side} x {side}: value * {scale:.9g} + {offset:.9g}."),
            3: content,
            4: _vector(builder, [unit]),
        },
    )  # fmt: skip
    made = []
    for name in outputs:
        fields = {0: _text(builder, name)}
        if name == _LABELLED[part]:
            fields[6] = files(
                (IDS, "An id of each output.", _AXIS_LABELS, ""),
                (NAMES, "A name of each output.", _AXIS_LABELS, "en"),
            )
        made.append(_table(builder, 7, fields))
    graph = _table(
        builder, 10,
        {0: _text(builder, part), 2: _vector(builder, [image]), 3: _vector(builder, made)},
    )  # fmt: skip
    about = config.get("about") or f"The {part} of {config.get('name', 'SmartBreed')}."
    root = _table(
        builder, 8,
        {
            0: _text(builder, str(config.get("name", ""))),
            1: _text(builder, str(about)),
            2: _text(builder, str(config.get("version", ""))),
            3: _vector(builder, [graph]),
            4: _text(builder, "SmartBreed"),
            6: files((SECTION, "This network's section of config.json.", _DESCRIPTIONS, "")),
            7: _text(builder, _PARSER),
        }
        | ({5: _text(builder, licence)} if licence else {}),
    )  # fmt: skip
    builder.Finish(root, IDENTIFIER)
    return bytes(builder.Output())


def _text(builder: Any, text: str) -> int:
    return int(builder.CreateString(text))


def _vector(builder: Any, tables: list[int]) -> int:
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return int(builder.EndVector())


def _floats(builder: Any, value: float) -> int:
    """Add a vector of one number, which holds for all channels."""
    builder.StartVector(4, 1, 4)
    builder.PrependFloat32(value)
    return int(builder.EndVector())


def _table(
    builder: Any,
    slots: int,
    fields: dict[int, int],
    *,
    small: Collection[int] = (),
    numbers: Collection[int] = (),
) -> int:
    """Add a table; its fields are offsets, except for bytes (``small``) and 32-bit ``numbers``."""
    builder.StartObject(slots)
    for slot, value in fields.items():
        put: Callable[[int, int, int], None] = builder.PrependUOffsetTRelativeSlot
        if slot in small:
            put = builder.PrependInt8Slot
        elif slot in numbers:
            put = builder.PrependUint32Slot
        put(slot, value, 0)
    return int(builder.EndObject())
