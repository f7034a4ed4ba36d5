"""The saved progress of a batch run: complete part files, merged into one output at the end."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from smartbreed.batch.rows import schema
from smartbreed.batch.worker import Done
from smartbreed.core.errors import RequestError
from smartbreed.core.files import disk_errors, only_holder, replace_durably, write_tmp

#: Suffixes that an output may have.
FORMATS = (".parquet", ".jsonl", ".csv")
_FAILED = "The rows cannot be saved; those before are kept, and the same command goes on from there"


class Counts(NamedTuple):
    """Number of finished photos, of pets found in them, and of photos that cannot be used."""

    photos: int
    pets: int
    bad: int


class Parts:
    """The unfinished output of a run, in a folder ``OUT.parts`` beside the output ``OUT``.

    Args:
        out: the output; its suffix is one of `FORMATS`.
        top_k: guesses per pet.

    Raises:
        RequestError: ``bad_output``: another suffix, or its folder does not exist.
    """

    def __init__(self, out: Path, top_k: int) -> None:
        if out.suffix not in FORMATS:
            raise RequestError("bad_output", f"The output is a file ending with {', '.join(FORMATS)}.")
        if not out.parent.is_dir():
            raise RequestError("bad_output", f"There is no folder {out.parent} to write to.")
        self.out, self._folder = out, out.with_name(f"{out.name}.parts")
        self._schema = schema(top_k)
        self._stored = self._schema.append(pa.field("thumbnail", pa.binary()))
        self._pending: list[Done] = []

    @contextmanager
    def opened(self, about: Mapping[str, str], overwrite: bool) -> Iterator[Counts]:
        """Resume an earlier run or start a new one; yields the counts of what is done.

        Args:
            about: what the rows depend on; every value is compared with that of the earlier run.
            overwrite: replace an existing output, and the parts of a run with another ``about``.

        Raises:
            RequestError: ``busy``: another process writes it; ``exists``: the output is already there;
                ``changed``: the earlier run has another ``about``.
            StorageError: the disk failed.
        """
        with disk_errors("The output cannot be written"):
            self._folder.mkdir(exist_ok=True)
        with only_holder(self._folder / "lock") as alone:
            if not alone:
                raise RequestError("busy", f"Another process writes {self.out.name}.")
            with disk_errors("The output cannot be written"):
                self._begin(about, overwrite)
            yield self._counted()

    def _counted(self) -> Counts:
        photos = pets = bad = 0
        for path in self._files:
            rows = pq.read_table(path, columns=["pet", "error"])
            errors = rows.num_rows - rows["error"].null_count
            found = sum(pet > 0 for pet in rows["pet"].to_pylist() if pet is not None)
            photos += sum((pet or 0) <= 1 for pet in rows["pet"].to_pylist())
            pets, bad = pets + found, bad + errors
        return Counts(photos, pets, bad)

    @property
    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("part-*.parquet"))

    def _begin(self, about: Mapping[str, str], overwrite: bool) -> None:
        job = self._folder / "job.json"
        before = json.loads(job.read_text()) if job.exists() else None
        if before is None and self.out.exists() and not overwrite:
            shutil.rmtree(self._folder)
            raise RequestError(
                "exists", f"{self.out.name} is there already. Name another, or use --overwrite."
            )
        changed = [name for name in about if before is not None and before.get(name) != about[name]]
        if changed and not overwrite:
            raise RequestError(
                "changed",
                f"{self.out.name} was begun with something else: {', '.join(changed)}. "
                "Go on with that, or begin anew with --overwrite.",
            )
        for path in self._folder.glob("*.tmp"):
            path.unlink()
        if changed or before is None:
            # Parts without a job remain where a finished run was killed while it removed its folder.
            job.unlink(missing_ok=True)
            for path in self._files:
                path.unlink()
            replace_durably(write_tmp(self._folder, "job", json.dumps(about).encode()), job)

    def add(self, done: Done) -> None:
        """Add the result of the next photo; `seal` writes it to the disk."""
        self._pending.append(done)

    @property
    def pending(self) -> int:
        """Number of photos that are not on the disk yet."""
        return len(self._pending)

    def seal(self) -> None:
        """Write the pending photos as one part.

        Raises:
            StorageError: the disk failed; the photos are still pending.
        """
        if not self._pending:
            return
        rows = []
        for done in self._pending:
            pictures: list[bytes | None] = [*done.thumbnails] or [None] * len(done.rows)
            rows += [row | {"thumbnail": picture} for row, picture in zip(done.rows, pictures, strict=True)]
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, self._stored), buffer)
        name = f"part-{len(self._files):08d}.parquet"
        with disk_errors(_FAILED):
            replace_durably(write_tmp(self._folder, "part", buffer.getvalue()), self._folder / name)
        self._pending = []

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield all rows that are on the disk, in order, with their thumbnails."""
        for path in self._files:
            yield from pq.read_table(path).to_pylist()

    def merge(self) -> None:
        """Merge the parts into the output, atomically.

        Raises:
            StorageError: the disk failed; the parts are kept.
        """
        tmp = self._folder / "output.tmp"
        with disk_errors("The output cannot be written; its parts are kept, and the same command makes it"):
            with tmp.open("wb") as file:
                self._write(file)
                file.flush()
                os.fsync(file.fileno())
            replace_durably(tmp, self.out)

    def _write(self, file: io.BufferedWriter) -> None:
        tables = (pq.read_table(path, columns=self._schema.names) for path in self._files)
        if self.out.suffix == ".jsonl":
            for table in tables:
                file.write(json_lines(table.to_pylist()))
            return
        kind = pq.ParquetWriter if self.out.suffix == ".parquet" else pyarrow.csv.CSVWriter
        with kind(file, self._schema) as writer:
            for table in tables:
                writer.write_table(table)

    def remove(self) -> None:
        """Delete the parts of a finished run."""
        # Goes first: this file marks the folder as a run to resume, and removing the rest may fail half-way.
        (self._folder / "job.json").unlink()
        shutil.rmtree(self._folder, ignore_errors=True)


def json_lines(rows: list[dict[str, Any]]) -> bytes:
    """Encode rows as JSON, one per line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8")
