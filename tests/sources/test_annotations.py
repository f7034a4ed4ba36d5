"""Boxes of COCO and YOLO: what is read, and what hostile or careless files do."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartbreed.core.errors import PhotoError, RequestError
from smartbreed.imaging.photo import Photo
from smartbreed.sources import annotations
from smartbreed.sources.annotations import (
    BAD_BOX,
    NO_CLASS,
    NO_PICTURE,
    Area,
    Boxed,
    boxes_of,
    cut,
)


def read(files: dict[str, bytes]) -> list[Boxed] | None:
    return boxes_of(list(files), lambda name, most: files[name][:most])


def coco(annotations: list[Any], **changes: Any) -> bytes:
    content = {
        "images": [
            {"id": 1, "file_name": "a.jpg", "width": 200, "height": 100},
            {"id": 2, "file_name": "gone.jpg", "width": 200, "height": 100},
            {"id": 3, "file_name": "../../etc/passwd.jpg"},
        ],
        "categories": [{"id": 7, "name": "Rex"}],
        "annotations": annotations,
    }
    return json.dumps({**content, **changes}).encode()


def one(image: int = 1, category: int = 7, bbox: Any = (20, 10, 100, 50)) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "bbox": bbox}


def test_coco() -> None:
    files = {"data/a.jpg": b"", "annotations.json": coco([one(), {**one(), "iscrowd": 1}, one(2), one(3)])}
    found = read(files)
    assert found == [
        Boxed("", "Rex", problem=NO_PICTURE),
        Boxed("", "Rex", problem=NO_PICTURE),
        Boxed("data/a.jpg", "Rex", Area(20, 10, 120, 60, 200, 100)),
    ]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("data.yaml", "names: [Rex, Luna]"),
        ("data.yaml", "names: {0: Rex, 1: Luna}"),
        ("classes.txt", "Rex\nLuna\n"),
    ],
)
def test_yolo(names: str, text: str) -> None:
    files = {
        "images/train/a.jpg": b"", "images/train/b.jpg": b"", "README.txt": b"all of them are mine",
        "labels/train/a.txt": b"1 0.5 0.5 0.2 0.4\n0 0.25 0.5 0.5 1\n", "labels/train/c.txt": b"0 .5 .5 1 1",
        names: text.encode(),
    }  # fmt: skip
    found = read(files) or []
    assert [(one.picture, one.label, one.problem) for one in found] == [
        ("", "Rex", NO_PICTURE), ("images/train/a.jpg", "Luna", ""), ("images/train/a.jpg", "Rex", ""),
    ]  # fmt: skip
    assert found[1].area == pytest.approx((0.4, 0.3, 0.6, 0.7, 1, 1))


def test_reading_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotations, "MOST_BOXES", 10)
    for files in (
        {"classes.txt": b"Rex", **{f"{n}.txt": b"0 0 0 1 1\n" * 4 for n in range(50)}},
        {f"{n}.json": coco([one()] * 4) for n in range(50)},
    ):
        asked = []

        def content(name: str, most: int, files: dict[str, bytes] = files, asked: list[str] = asked) -> bytes:
            asked.append(name)
            return files[name]

        with pytest.raises(RequestError, match="more than 10 boxes"):
            boxes_of(list(files), content)
        assert len(asked) < 10


def test_rows_of_no_picture_are_counted_before_they_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(annotations._Finder, "find", lambda self, said, beside: looked.append(said) or "")
    with pytest.raises(RequestError, match="more than 200,000 boxes"):
        read({"a.jpg": b"", "x.json": coco([{}] * 200_001)})
    assert looked == []
    read({"a.jpg": b"", "x.json": coco([one()] * 1000)})
    assert looked == ["a.jpg"], "a picture is looked for once, however many boxes it has"


@pytest.mark.parametrize(
    "hidden", ["[" + "{}," * 2_500_000 + "1]", "{" + '"a":{},' * 1_500_000 + '"b":1}', "[" * 2_500_000]
)
def test_json_of_too_many_items_is_not_parsed(hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "loads", lambda text: pytest.fail("parsed"))
    head = b'{"images":[],"categories":[],"annotations":[{}],"more":'
    with pytest.raises(RequestError, match="too large"):
        read({"a.jpg": b"", "x.json": head + hidden.encode() + b"}"})
    assert read({"a.jpg": b"", "other.json": hidden.encode()}) is None, "no annotations, and so in no way"


def test_all_annotations_together_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotations, "MOST_JSON", 10_000)
    for files in (
        {"classes.txt": b"Rex", **{f"{n}.txt": b"a" * 500 for n in range(50)}},
        {f"{n}.json": coco([], more="a" * 500) for n in range(50)},
    ):
        with pytest.raises(RequestError, match="too large"):
            read(files)


def test_thousands_of_pictures_of_one_name_are_found_by_their_folders() -> None:
    count = 20_000  # compared one by one, they would take 400 million steps
    images = [{"id": n, "file_name": f"{n}/1.jpg"} for n in range(count)]
    names = {f"data/{n}/1.jpg": b"" for n in range(count)}
    found = read({**names, "x.json": coco([one(n) for n in range(count)], images=images)}) or []
    assert {box.picture for box in found} == set(names)
    images = [{"id": 1, "file_name": "1.jpg"}, {"id": 2, "file_name": "C:\\all\\7.jpg"}]
    [first, second] = read({**names, "b/7.jpg": b"", "x.json": coco([one(1), one(2)], images=images)}) or []
    assert (first.picture, second.picture) == ("", "b/7.jpg"), "a name counts where there is one of it"


def test_files_without_boxes_are_no_annotations() -> None:
    assert (
        read({"Rex/a.jpg": b"", "Rex/note.txt": b"1 2 3 4 5", "some.json": b'{"a": 1}', "b.json": b"{"})
        is None
    )


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (one(bbox=[0, 0, 0, 10]), BAD_BOX), (one(bbox=[5, 5, -3, 9]), BAD_BOX), (one(bbox="all"), BAD_BOX),
        (one(bbox=[0, 0, float("nan"), 1]), BAD_BOX), (one(bbox=None), BAD_BOX), (one(category=8), NO_CLASS),
    ],
)  # fmt: skip
def test_bad_boxes_have_a_sentence(row: Any, problem: str) -> None:
    [found] = read({"a.jpg": b"", "x.json": coco([row])}) or []
    assert found.problem == problem


def test_what_cannot_be_read_is_refused() -> None:
    letters = "abcdefghijklmnopqrstuv"
    bomb = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in pairwise(letters))
    yolo = {"a.jpg": b"", "a.txt": b"0 .5 .5 1 1"}
    for text, why in (("names: [", "cannot be read"), ("names: 3", "no classes"), ("", "no classes")):
        with pytest.raises(RequestError, match=why):
            read({**yolo, "data.yaml": text.encode()})
    for text in ("[" * 20_000, "2001-99-99", "!!bool x", "!!int ''", "!!timestamp x", "9" * 5000):
        with pytest.raises(RequestError, match="cannot be read"):
            read({**yolo, "data.yaml": f"names: {text}".encode()})
    [found] = read({**yolo, "data.yaml": f"names: [0x{'f' * 5000}]".encode()}) or []
    assert found.problem == NO_CLASS
    merged = "a: &a {0: Rex}\n" + "".join(
        f"{b}: &{b} {{<<: [{', '.join([f'*{a}'] * 10)}]}}\n" for a, b in pairwise(letters)
    )
    with pytest.raises(RequestError, match="cannot be read"):
        read({**yolo, "data.yaml": f"{merged}names: *v".encode()})
    [found] = read({**yolo, "data.yaml": b"a: &a {0: Rex}\nnames: {<<: *a}"}) or []
    assert found.label == "Rex"
    with pytest.raises(RequestError, match="no box"):
        read({"a.jpg": b"", "x.json": coco([])})
    [found] = read({**yolo, "data.yaml": f"{bomb}names: [*v]".encode()}) or []
    assert found.problem == NO_CLASS


@pytest.mark.parametrize("odd", [[], {}, [[1]], None, float("nan"), float("inf")])
def test_ids_and_names_of_any_type_are_no_box_at_worst(odd: Any) -> None:
    picture, category = {"id": odd, "file_name": odd}, {"id": odd, "name": odd}
    for changes in ({}, {"images": [picture]}, {"categories": [category]}):
        found = read({"a.jpg": b"", "x.json": coco([one(odd), one(1, odd), one()], **changes)}) or []
        assert len(found) == 3
        assert all(box.problem for box in found[:1])


NUMBER = st.one_of(st.floats(), st.integers(-(10**400), 10**400), st.text(max_size=3), st.none())


@given(st.lists(NUMBER, min_size=3, max_size=5), NUMBER, st.one_of(st.none(), st.lists(NUMBER), st.text()))
def test_any_numbers_are_a_cut_or_a_sentence(bbox: list[Any], width: Any, rows: Any) -> None:
    images = [{"id": 1, "file_name": "a.jpg", "width": width, "height": width}]
    photo = Photo(np.zeros((50, 80, 3), np.uint8), "0" * 64, "a.jpg")
    content = {"images": images, "categories": [{"id": 7, "name": "Rex"}], "annotations": [one(bbox=bbox)]}
    read({"a.jpg": b"", "x.json": json.dumps({**content, "more": rows}).encode()})
    for found in read({"a.jpg": b"", "x.json": json.dumps(content).encode()}) or []:
        if not found.problem:
            try:
                part = cut(photo, found.area)
            except PhotoError:
                continue
            assert 16 <= part.pixels.shape[0] <= 50
            assert 16 <= part.pixels.shape[1] <= 80


def test_a_cut_has_a_little_around_the_box() -> None:
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[20:60, 40:140] = 255
    part = cut(Photo(pixels, "0" * 64, "a.jpg"), Area(20, 10, 70, 30, 100, 50))
    assert part.pixels.shape[:2] == (48, 120)
    assert part.pixels[4:44, 10:110].min() == 255
