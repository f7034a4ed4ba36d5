"""Watch a folder for photos: each is identified once, when it is completely written, also across restarts.

The folder is polled every few seconds, because the system does not report files that other machines put on
a network share.
"""

from __future__ import annotations

import json
import os
import time
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
        out: JSON lines; rows are appended, and photos that have rows are skipped.
        crops: folder for each pet's crop; None: crops are not saved.
        named: called with a line about each photo.
        every_s: seconds between two polls.

    Raises:
        RequestError: ``no_source``, ``bad_output``, or ``busy``: another process writes this output.
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
        known = _known(out)
        with out.open("ab") as file:
            seen: dict[str, tuple[int, int]] = {}
            while True:
                ready = list(_ready(folder, known, seen))
                for done in answers(identifier, options, ready):
                    path = str(done.rows[0]["path"])
                    if done.error in _UNFINISHED and _is_young(seen[path][1]):
                        continue
                    if crops:
                        for crop in done.crops:
                            write_crop(crops, crop)
                    file.write(json_lines([{name: row.get(name) for name in columns} for row in done.rows]))
                    file.flush()
                    os.fsync(file.fileno())
                    known.add(path)
                    named(f"{path}: {_line(done.rows)}")
                time.sleep(every_s)


def _ready(folder: Path, known: set[str], seen: dict[str, tuple[int, int]]) -> Iterator[Item]:
    """Yield new photos that are unchanged since the last poll; ``seen`` is updated."""
    if not folder.is_dir():
        raise StorageError("The folder is gone. Start again when it is back: nothing is named twice.")
    before = dict(seen)
    seen.clear()
    for item in walk(folder):
        path = shown_path(item.name)
        if path in known or not isinstance(item.where, Path):
            continue
        try:
            found = item.where.stat()
        except OSError:  # it has just been deleted
            continue
        seen[path] = (found.st_size, found.st_mtime_ns)
        if before.get(path) == seen[path]:
            yield item


def _is_young(changed_ns: int) -> bool:
    return abs(time.time() - changed_ns / 1e9) < _PATIENCE_S


def _known(out: Path) -> set[str]:
    """Return the photos whose rows are complete; cut off the unfinished rows of a killed process."""
    known: set[str] = set()
    if not out.exists():
        return known
    whole = complete = 0
    with out.open("rb") as file:
        for line in file:
            try:
                row: dict[str, Any] = json.loads(line)
                last = (row["pet"] or 0) >= (row["pets"] or 0)
            except (ValueError, KeyError, TypeError):
                break
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            if last:
                known.add(row["path"])
                complete = whole
    os.truncate(out, complete)
    return known


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
