"""Watch a folder for photos: each is identified once, when it is completely written, also across restarts.

The folder is polled every few seconds, because the system does not report files that other machines put on
a network share.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from smartbreed.batch.local import answers
from smartbreed.batch.parts import json_lines
from smartbreed.batch.rows import schema, shown_path
from smartbreed.batch.run import write_crop
from smartbreed.batch.worker import Options
from smartbreed.core.errors import RequestError, StorageError
from smartbreed.core.files import disk_errors, only_holder
from smartbreed.inference.pipeline import Identifier
from smartbreed.sources.files import walk
from smartbreed.sources.items import Item

#: Seconds between two polls; a file that is the same in both counts as completely written.
EVERY_S = 2.0
#: Seconds after its last change during which an unreadable file is tried again, because it may still grow.
_PATIENCE_S = 60.0
#: How every row begins, and so what a killed process leaves at the end of the output.
_START = b'{"path": "'
_UNFINISHED = ("empty", "truncated", "damaged", "unsupported_format", "not_found")


def watch_folder(
    folder: Path,
    out: Path,
    identifier: Identifier,
    options: Options,
    *,
    crops: Path | None = None,
    named: Callable[[str], object] = lambda line: None,
    every_s: float = EVERY_S,
) -> None:
    """Identify the photos in a folder and those that arrive, until the process is stopped.

    Args:
        out: JSON lines; rows are appended, and photos that have rows are skipped. Of a file that is there,
            nothing is deleted but the unfinished rows at its end.
        crops: folder for each pet's crop; None: crops are not saved.
        named: called with a line about each photo.
        every_s: seconds between two polls.

    Raises:
        RequestError: ``no_source``; ``bad_output``: also for a file with anything but such rows; ``busy``:
            another process writes this output.
        StorageError: a disk failed, or the folder is gone.
    """
    if not folder.is_dir():
        raise RequestError("no_source", "There is no such folder to watch.")
    if out.suffix != ".jsonl":
        raise RequestError("bad_output", "Rows are added as photos arrive: the output must end with .jsonl.")
    columns = schema(options.top_k).names
    with disk_errors("The output cannot be written"), only_holder(out.with_name(f"{out.name}.lock")) as alone:
        if not alone:
            raise RequestError("busy", f"Another process writes {out.name}.")
        earlier = _finished(out)
        with out.open("ab") as file:
            # Photos are known by their names: several that are not in UTF-8 may have the same path in rows.
            known: set[str] = set()
            seen: dict[str, tuple[int, int]] = {}
            while True:
                ready = list(_ready(folder, earlier, known, seen))
                for item, done in zip(ready, answers(identifier, options, ready), strict=True):
                    path = str(done.rows[0]["path"])
                    if done.error in _UNFINISHED and _is_young(seen[item.name][1]):
                        continue
                    if crops:
                        for crop in done.crops:
                            write_crop(crops, crop)
                    file.write(json_lines([{name: row.get(name) for name in columns} for row in done.rows]))
                    file.flush()
                    os.fsync(file.fileno())
                    known.add(item.name)
                    named(f"{path}: {_line(done.rows)}")
                time.sleep(every_s)


def _ready(
    folder: Path, earlier: Counter[str], known: set[str], seen: dict[str, tuple[int, int]]
) -> Iterator[Item]:
    """Yield new photos that are unchanged since the last poll.

    Args:
        folder: the watched folder.
        earlier: how many photos of each path had rows at the start; those found again move to ``known``.
        known: names of photos that have rows.
        seen: size and time of the other photos at the last poll; updated.
    """
    if not folder.is_dir():
        raise StorageError("The folder is gone. Start again when it is back: nothing is named twice.")
    before = dict(seen)
    seen.clear()
    for item in walk(folder):
        if item.name in known or not isinstance(item.where, Path):
            continue
        if earlier[path := shown_path(item.name)]:
            earlier[path] -= 1
            known.add(item.name)
            continue
        try:
            found = item.where.stat()
        except OSError:  # it has just been deleted
            continue
        seen[item.name] = (found.st_size, found.st_mtime_ns)
        if before.get(item.name) == seen[item.name]:
            yield item


def _is_young(changed_ns: int) -> bool:
    return abs(time.time() - changed_ns / 1e9) < _PATIENCE_S


def _finished(out: Path) -> Counter[str]:
    """Return how many photos of each path have all their rows; cut off the rows that a kill left unfinished.

    Raises:
        RequestError: ``bad_output``: a line is no row; the file is as before.
    """
    finished: Counter[str] = Counter()
    if not out.exists():
        return finished
    whole = start = 0  # the ends of the last row, and of the last row of a photo before the last
    path, complete = "", True
    with out.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):  # the last line
                if not (line.startswith(_START) or _START.startswith(line)):
                    raise _no_row(out, number)
                break
            try:
                row: dict[str, Any] = json.loads(line)
                before, path = path, row["path"]
                pet, pets = row["pet"] or 0, row["pets"] or 0
            except (ValueError, KeyError, TypeError, RecursionError):
                raise _no_row(out, number) from None
            if not (isinstance(path, str) and isinstance(pet, int) and isinstance(pets, int)):
                raise _no_row(out, number)
            if complete or path != before:
                start = whole
            whole += len(line)
            if complete := pet >= pets:
                finished[path] += 1
    os.truncate(out, whole if complete else start)
    return finished


def _no_row(out: Path, number: int) -> RequestError:
    return RequestError(
        "bad_output",
        f"Line {number} of {out.name} is no row of watched photos. Name another output, or delete that line.",
    )


def _line(rows: Iterable[dict[str, Any]]) -> str:
    said = []
    for row in rows:
        if row.get("error"):
            said.append(str(row["message"]))
        elif row.get("verdict") == "breed":
            said.append(f"{row['name_1']} ({row['probability_1']:.0%})")
        elif row.get("verdict") == "group":
            said.append(f"{row['group_name']} ({row['group_probability']:.0%})")
        elif row.get("pet"):
            said.append(f"{row['species']}, breed unsure")
    return ", ".join(said) or "no cat or dog found"
