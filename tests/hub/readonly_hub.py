"""A Hub that only serves one model repo, over a real port: enough for ``snapshot_download``.

Run as ``python readonly_hub.py FOLDER PORT SHA``; ``FOLDER`` is the repo's content.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

REPO = "pets/breeds"


def application(folder: Path, sha: str) -> Starlette:
    def missing(code: str) -> Response:
        return JSONResponse({"error": code}, 404, headers={"X-Error-Code": code})

    def oid(path: Path) -> str:
        data = path.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()

    async def info(request: Request) -> Response:
        if request.path_params["repo"] != REPO:
            return missing("RepoNotFound")
        if request.path_params.get("revision", "main") not in ("main", sha):
            return missing("RevisionNotFound")
        siblings = [{"rfilename": path.name} for path in folder.iterdir()]
        return JSONResponse({"id": REPO, "modelId": REPO, "sha": sha, "private": False, "siblings": siblings})

    async def tree(request: Request) -> Response:
        entries: list[dict[str, Any]] = [
            {"type": "file", "path": path.name, "size": path.stat().st_size, "oid": oid(path)}
            for path in folder.iterdir()
        ]
        return JSONResponse(entries)

    async def resolve(request: Request) -> Response:
        path = folder / request.path_params["path"]
        if not path.is_file():
            return missing("EntryNotFound")
        return FileResponse(path, headers={"X-Repo-Commit": sha, "ETag": f'"{oid(path)}"'})

    return Starlette(
        routes=[
            Route("/api/models/{repo:path}/tree/{revision}", tree),
            Route("/api/models/{repo:path}/revision/{revision}", info),
            Route("/{repo:path}/resolve/{revision}/{path}", resolve, methods=["GET", "HEAD"]),
        ]
    )


if __name__ == "__main__":
    uvicorn.run(application(Path(sys.argv[1]), sys.argv[3]), port=int(sys.argv[2]), log_level="error")
