"""A batch answers as identify does, in one table, and nothing is lost or done twice when it is killed."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image
from support.clock import until
from support.processes import environment, kill, smartbreed, start

import smartbreed as package
from smartbreed.batch import local
from smartbreed.batch import watch as watching
from smartbreed.batch.parts import Parts
from smartbreed.batch.report import write_report
from smartbreed.batch.rows import rows_of, schema
from smartbreed.batch.run import Progress, about, local_engine, run
from smartbreed.batch.watch import watch_folder
from smartbreed.batch.worker import Done, Options
from smartbreed.core.errors import PhotoError, RequestError, StorageError
from smartbreed.imaging.admission import MOST_CARRIED, Admission
from smartbreed.imaging.photo import read_photo
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.results import Failure
from smartbreed.sources.items import Item, Source
from smartbreed.sources.opening import open_source

Row = dict[str, Any]
OPTIONS = Options(top_k=3, max_bytes=1_000_000, max_pixels=64_000_000)
#: The command with parts of four photos, so that a test need not wait for the usual ones, and three of them
#: leave enough to be killed over.
SMALL_PARTS = "import smartbreed.batch.run as r; r._PHOTOS = 4; from smartbreed.cli.main import main; main()"


@pytest.fixture(scope="module")
def expected(album: Path, identifier: Identifier) -> list[Row]:
    """What identify says of each photo, one by one."""
    rows: list[Row] = []
    for item in open_source(str(album)).photos:
        try:
            answer = identifier.identify(read_photo(item.read(1_000_000), reduce=True), top_k=3)
            rows += rows_of(item.name, answer)
        except PhotoError as error:
            rows += rows_of(item.name, Failure(item.name, error))
    return [{name: row.get(name) for name in schema(3).names} for row in rows]


@pytest.fixture
def batch(identifier: Identifier) -> Callable[..., Progress]:
    def batch(
        source: Source, out: Path, options: Options = OPTIONS, where: str = "", **more: Any
    ) -> Progress:
        known = about(where, source, identifier.bundle.version.revision, options)
        return run(source, Parts(out, options.top_k), local_engine(identifier, options), known, **more)

    return batch


def test_rows_are_those_of_identify(
    album: Path, expected: list[Row], batch: Callable[..., Progress], tmp_path: Path
) -> None:
    source = open_source(str(album))
    for suffix in ("parquet", "jsonl", "csv"):
        done = batch(source, tmp_path / f"out.{suffix}")
        assert (done.photos, done.bad) == (25, 1)
        assert not (tmp_path / f"out.{suffix}.parts").exists()
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema.equals(schema(3))
    rows = table.to_pylist()
    assert rows == expected
    assert rows[0]["path"] == "./=letter.jpg"
    assert rows[0]["error"] == "unsupported_format"
    assert max(row["pets"] or 0 for row in rows) > 1, "a photo with several pets is among them"
    assert {row["verdict"] for row in rows} >= {"breed", None}
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == rows
    cells = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
    assert [cell["path"] for cell in cells] == [row["path"] for row in rows]
    for name in ("x0", "probability_1", "pets"):
        assert [float(cell[name] or -1) for cell in cells] == [
            -1 if row[name] is None else row[name] for row in rows
        ]


@pytest.mark.parametrize("lane", ["ordinary", "large", "workers"])
def test_files_that_wait_are_not_refused_however_large_they_are_together(
    lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine with many cores they are larger than what visitors may have waiting."""

    def wait(_: Any, __: Options, name: str, ___: Any, admission: Admission) -> Done:
        refused: list[PhotoError] = []
        waited = getattr(admission, lane)

        def enter() -> None:
            try:
                if lane == "workers":
                    with admission.turn(MOST_CARRIED + 1):
                        pass
                else:
                    amount = waited.size if lane == "large" else 1_000_000
                    admission.admit(amount, carried=MOST_CARRIED + 1).release()
            except PhotoError as error:
                refused.append(error)

        held = waited.acquire(waited.size, 60)
        other = threading.Thread(target=enter)
        other.start()
        until(lambda: waited.waiting or not other.is_alive())
        waited.release(held)
        other.join(60)
        return Done(rows_of(name, Failure(name, refused[0])) if refused else [{"path": name}])

    monkeypatch.setattr(local, "work", wait)
    [done] = local.answers(SimpleNamespace(threads=1), OPTIONS, [Item("photo", b"bytes")])  # type: ignore[arg-type]
    assert done.error == ""


def test_python_yields_the_same_rows(album: Path, expected: list[Row]) -> None:
    rows = package.load().batch(album, top_k=3)
    assert [{name: row.get(name) for name in schema(3).names} for row in rows] == expected


def test_a_run_that_is_killed_goes_on(album: Path, expected: list[Row], tmp_path: Path) -> None:
    out, parts = tmp_path / "out.jsonl", tmp_path / "out.jsonl.parts"
    command = ("-c", SMALL_PARTS, "batch", album, "--out", out, "--top-k", "3")
    kept: dict[str, int] = {}
    for wanted in (1, 2, 3):
        process = start(*command, env=environment(tmp_path))
        until(lambda wanted=wanted: len(list(parts.glob("part-*.parquet"))) >= wanted, seconds=120)
        kill(process)
        now = {path.name: path.stat().st_mtime_ns for path in parts.glob("part-*.parquet")}
        assert kept.items() <= now.items(), "what was done is not done again"
        kept = now
        assert not out.exists()
    done = smartbreed(tmp_path, "batch", album, "--out", out, "--top-k", "3")
    assert done.returncode == 1, done.stderr
    assert "25 of 25 photos" in done.stderr
    assert [json.loads(line) for line in out.read_text().splitlines()] == expected
    assert not parts.exists()
    again = smartbreed(tmp_path, "batch", album, "--out", out)
    assert (again.returncode, again.stdout) == (2, "")
    assert "out.jsonl is there" in again.stderr


class Stop(Exception):
    """As if the power went."""


def stop_after(photos: int) -> Callable[[Progress], None]:
    def progress(report: Progress) -> None:
        if report.photos == photos:
            raise Stop

    return progress


def test_another_source_model_or_setting_is_not_mixed_in(
    album: Path, expected: list[Row], batch: Callable[..., Progress], tmp_path: Path
) -> None:
    folder, out = tmp_path / "album", tmp_path / "out.jsonl"
    shutil.copytree(album, folder)
    with pytest.raises(Stop):
        batch(open_source(str(folder)), out, progress=stop_after(10))
    for change, says in (
        ({"where": "elsewhere"}, "another source"),
        ({"options": Options(top_k=3, max_bytes=1_000_000, max_pixels=64_000_000, whole=True)}, "settings"),
    ):
        with pytest.raises(RequestError, match=says) as error:
            batch(open_source(str(folder)), out, **change)
        assert error.value.code == "changed"
    (folder / "scenes" / "00.jpg").write_bytes((folder / "scenes" / "01.jpg").read_bytes())
    with pytest.raises(RequestError, match="photos that have changed"):
        batch(open_source(str(folder)), out)
    shutil.rmtree(folder)
    shutil.copytree(album, folder)
    assert batch(open_source(str(folder)), out, overwrite=True).before in (0, 10)
    assert [json.loads(line) for line in out.read_text().splitlines()] == expected


def test_parts_left_by_a_run_that_died_while_it_ended_are_no_progress(
    album: Path, expected: list[Row], batch: Callable[..., Progress], tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(Stop):
        batch(open_source(str(album)), out, progress=stop_after(20))
    (tmp_path / "out.jsonl.parts" / "job.json").unlink()
    out.write_text("the rows of that run")
    assert batch(open_source(str(album)), out, overwrite=True).before == 0
    assert [json.loads(line) for line in out.read_text().splitlines()] == expected


def test_a_source_that_vanishes_half_way(
    album: Path, expected: list[Row], batch: Callable[..., Progress], tmp_path: Path
) -> None:
    folder, out = tmp_path / "album", tmp_path / "out.jsonl"
    shutil.copytree(album, folder)
    source = open_source(str(folder))

    def vanish(report: Progress) -> None:
        if report.photos == 5:
            folder.rename(tmp_path / "away")

    with pytest.raises(StorageError, match="The source is gone"):
        batch(source, out, progress=vanish)
    (tmp_path / "away").rename(folder)
    done = batch(open_source(str(folder)), out)
    assert done.before >= 5
    assert [json.loads(line) for line in out.read_text().splitlines()] == expected


def test_a_full_disk(album: Path, expected: list[Row], tiny_disk: Path, tmp_path: Path) -> None:
    out = tiny_disk / "out.parquet"
    filler = tiny_disk / "filler"
    with filler.open("wb") as file:  # what is left is enough to begin
        os.posix_fallocate(file.fileno(), 0, (os.statvfs(tiny_disk).f_bavail - 3) * 4096)
    command = ("batch", album, "--out", out, "--top-k", "3")
    full = smartbreed(tmp_path, *command)
    assert (full.returncode, full.stdout) == (2, "")
    assert "the disk is full" in full.stderr
    assert "Traceback" not in full.stderr
    filler.unlink()
    assert smartbreed(tmp_path, *command).returncode == 1
    assert pq.read_table(out).to_pylist() == expected


def test_outputs_that_cannot_be(batch: Callable[..., Progress], album: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in ("out.xls", "none/out.csv", "file/out.csv"):
        with pytest.raises(RequestError):
            Parts(tmp_path / out, 3)
    parts = Parts(tmp_path / "out.csv", 3)
    with parts.opened({}, False), pytest.raises(RequestError, match="Another process"):
        batch(open_source(str(album)), tmp_path / "out.csv")


def test_crops_and_a_page(
    album: Path, expected: list[Row], batch: Callable[..., Progress], tmp_path: Path
) -> None:
    options = Options(top_k=3, max_bytes=1_000_000, max_pixels=64_000_000, crops=True, thumbnails=True)
    parts = Parts(tmp_path / "out.parquet", 3)
    batch(
        open_source(str(album)), tmp_path / "out.parquet", options, crops=tmp_path / "crops",
        finish=lambda: write_report(tmp_path / "report.html", "<b>album</b>", parts.rows()),
    )  # fmt: skip
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == expected
    pets = [row for row in expected if row["pet"]]
    crops = sorted(tmp_path.glob("crops/*/*.jpg"))
    assert len(crops) == len({(row["sha256"], row["pet"]) for row in pets})
    first = next(row for row in pets if row["verdict"] == "breed")
    [crop] = tmp_path.glob(f"crops/{first['breed_1']}/*-{first['sha256'][:10]}-{first['pet']}.jpg")
    width, height = Image.open(crop).size
    assert width >= int(first["x1"] - first["x0"])
    assert height >= int(first["y1"] - first["y0"])
    page = (tmp_path / "report.html").read_text()
    assert "&lt;b&gt;album&lt;/b&gt;" in page
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page), "it needs no other file"
    assert page.count("<figure>") == len(pets)
    assert "unsupported_format" in page
    assert f"<dd>{len(pets)}</dd>" in page


class Enough(Exception):
    """Ends a watch."""


def watch(folder: Path, out: Path, identifier: Identifier, photos: int) -> None:
    """Watch a folder until so many photos are named, or for a hundred polls."""
    left = photos
    polls = iter(range(100))

    def named(line: str) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Enough

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "time", SimpleNamespace(time=time.time, sleep=lambda seconds: next(polls)))
        with pytest.raises(Enough):
            watch_folder(folder, out, identifier, OPTIONS, named=named)


@pytest.mark.parametrize(
    "content",
    [
        b'{"prompt": "a"}\n{"prompt": "b"}\n', b'{"prompt": "a"}', b'["path", "pet", "pets"]\n',
        b"[" * 99_999 + b"\n", b"{ROW}\n\n{ROW}\n{ROW}\n", b"{ROW}\n{ROW},\n{ROW}\n", b"{ROW}\n\n",
        b'{ROW}\n{"name": "x',
        b'{"path": 1, "pet": 1, "pets": 1}\n', b'{"path": "a", "pet": "1", "pets": 1}\n',
    ],
)  # fmt: skip
def test_a_watch_changes_no_file_that_is_not_its_own(
    content: bytes, identifier: Identifier, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    content = content.replace(b"{ROW}", b'{"path": "a.jpg", "pet": 1, "pets": 1}')
    out.write_bytes(content)
    with pytest.raises(RequestError, match=r"Line \d of out\.jsonl") as refused:
        watch(tmp_path, out, identifier, 1)
    assert refused.value.code == "bad_output"
    assert out.read_bytes() == content


@pytest.mark.parametrize("tail", ["", '{"path": "', '{"path": "b.jpg", "sh', "{ROW}", "{ROW}\n", "{ROW}\n{"])
def test_only_unfinished_rows_are_cut_off(
    tail: str, album: Path, identifier: Identifier, tmp_path: Path
) -> None:
    out, folder = tmp_path / "out.jsonl", tmp_path / "arrivals"
    folder.mkdir()
    earlier: list[Row] = [{"path": "a.jpg", "pet": n, "pets": 2} for n in (1, 2)]
    earlier.append({"path": "c.jpg", "pet": None, "pets": None, "error": "damaged"})
    kept = "".join(json.dumps(row) + "\n" for row in earlier)
    out.write_text(kept + tail.replace("{ROW}", '{"path": "b.jpg", "pet": 1, "pets": 2}'))
    for name in ("a.jpg", "b.jpg"):
        shutil.copy(album / "scenes" / "00.jpg", folder / name)
    watch(folder, out, identifier, 1)
    text = out.read_text()
    assert text.startswith(kept)
    assert {json.loads(line)["path"] for line in text.removeprefix(kept).splitlines()} == {"b.jpg"}


def test_names_that_are_not_in_utf8_are_several_photos(
    album: Path, identifier: Identifier, tmp_path: Path
) -> None:
    out, folder = tmp_path / "out.jsonl", tmp_path / "arrivals"
    folder.mkdir()
    photo = (album / "scenes" / "00.jpg").read_bytes()
    for name in (b"b\xe4r.jpg", b"b\xfcr.jpg"):
        Path(folder, os.fsdecode(name)).write_bytes(photo)
    watch(folder, out, identifier, 2)
    whole = out.read_bytes()
    assert {json.loads(line)["path"] for line in whole.splitlines()} == {"b?r.jpg"}
    (folder / "other.jpg").write_bytes(photo)
    watch(folder, out, identifier, 1)
    added = out.read_bytes().removeprefix(whole)
    assert {json.loads(line)["path"] for line in added.splitlines()} == {"other.jpg"}


def test_a_folder_is_watched(album: Path, expected: list[Row], tmp_path: Path) -> None:
    """Real processes: a photo that is still being written waits, and a killed watcher names none twice."""
    folder, out = tmp_path / "arrivals", tmp_path / "out.jsonl"
    folder.mkdir()
    whole = (album / "scenes" / "00.jpg").read_bytes()
    (folder / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "first.jpg").write_bytes(whole)
    command = ("-m", "smartbreed", "batch", folder, "--watch", "--out", out, "--top-k", "3")

    def named() -> list[str]:
        if not out.exists():
            return []
        return [json.loads(line)["path"] for line in out.read_text().splitlines() if line.endswith("}")]

    process = start(*command, env=environment(tmp_path))
    until(lambda: "first.jpg" in named(), seconds=120)
    kill(process)
    assert "half.jpg" not in named()
    with out.open("a") as file:
        file.write('{"path": "second.jpg", "sha')  # what a killed process wrote of its last row
    (folder / "half.jpg").write_bytes(whole)
    (folder / "second.jpg").write_bytes((album / "scenes" / "01.jpg").read_bytes())
    process = start(*command, env=environment(tmp_path))
    until(lambda: {"half.jpg", "second.jpg"} <= set(named()), seconds=120)
    os.kill(process.pid, 2)
    assert process.wait(60) == 130
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    wanted = {"first.jpg": "scenes/00.jpg", "half.jpg": "scenes/00.jpg", "second.jpg": "scenes/01.jpg"}
    assert len({(row["path"], row["pet"]) for row in rows}) == len(rows)
    for name, path in wanted.items():
        assert [row | {"path": path} for row in rows if row["path"] == name] == [
            row for row in expected if row["path"] == path
        ]
