"""Several photos at once, for the doors that take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from smartbreed.inference.results import Failure
from smartbreed.services import Services
from smartbreed.web.api.gate import Gate
from smartbreed.web.api.photos import Given


async def identify_all(
    services: Services, gate: Gate, items: Sequence[Given], options: dict[str, Any]
) -> list[dict[str, Any]]:
    """Identify the usable ones of ``items`` together and put every answer in its place.

    Raises:
        RequestError: more photos than the settings allow.
    """
    usable = [(item.source, item.name) for item in items if item.error is None]
    found = iter(await gate.run(services.identify_many, usable, **options))
    return [
        (next(found) if item.error is None else Failure(item.name, item.error)).as_dict() for item in items
    ]
