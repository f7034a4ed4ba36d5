"""Filter uploads as they arrive: only pictures are kept, and an aborted upload leaves nothing behind.

This extends gradio's own upload parser instead of replacing it, because the browser's progress bar and the
clients depend on the rest of it. A file that is not a supported picture is replaced by a few fixed bytes
that indicate what it seemed to be. Every interface then answers ``unsupported_format`` with the usual
message, and nothing of the file itself reaches the disk.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import anyio.to_thread
from gradio import route_utils
from gradio_client.utils import strip_invalid_filename_characters
from starlette.exceptions import HTTPException

from smartbreed.imaging.decoding import HEAD, stand_in
from smartbreed.web.api.photos import clean_name
from smartbreed.web.api.upload_folder import UploadFolder

#: Name of the form field that holds the files.
_FIELD = "files"


class PhotoParser(route_utils.GradioMultiPartParser):
    """gradio's upload parser, limited to photos."""

    folder: UploadFolder | None = None
    most_files = 32

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "max_files": self.most_files, "max_fields": self.most_files})
        self._head: bytearray | None = None  # first bytes of the current file, until its kind is known
        self._dropping = False

    async def parse(self) -> Any:
        try:
            if self.folder is not None:
                await anyio.to_thread.run_sync(self.folder.check_space)
            return await super().parse()
        except BaseException:  # including a disconnect of the client
            for file in self._files_to_close_on_error:
                with contextlib.suppress(OSError):
                    file.close()
                Path(file.name).unlink(missing_ok=True)
            raise

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        part = self._current_part
        if part.file is None or part.field_name != _FIELD:
            raise HTTPException(400, "An upload is a form with files in its field “files”, each with a name.")
        name = strip_invalid_filename_characters(clean_name(part.file.filename)).strip(". ")
        part.file.filename = name or "photo"
        self._head, self._dropping = bytearray(), False

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is None:  # the headers of this part were rejected
            return
        if self._head is not None:
            self._head += data[start:end]
            if len(self._head) >= HEAD:
                self._decide()
        elif not self._dropping:
            self._keep(data, start, end)

    def on_part_end(self) -> None:
        if self._head is not None:
            self._decide()
        super().on_part_end()

    def _decide(self) -> None:
        assert self._head is not None
        head, self._head = bytes(self._head), None
        instead = stand_in(head)
        self._dropping = instead is not None
        kept = head if instead is None else instead
        self._keep(kept, 0, len(kept))

    def _keep(self, data: bytes, start: int, end: int) -> None:
        if self.folder is not None:
            self.folder.add(end - start)
        super().on_part_data(data, start, end)


def check_uploads(folder: UploadFolder, *, max_photos: int) -> None:
    """Make gradio parse uploads with `PhotoParser` from now on."""
    PhotoParser.folder, PhotoParser.most_files = folder, max_photos
    route_utils.GradioMultiPartParser = PhotoParser
