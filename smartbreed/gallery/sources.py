"""Where a gallery's photographs come from: a source that says what each of them shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from smartbreed.core.settings import Settings
from smartbreed.sources.items import Item, Source, no_source
from smartbreed.sources.opening import open_source as open_any
from smartbreed.sources.tables import LABELS

#: ``n02085620-Chihuahua``: how folders of ImageNet's relatives are named.
_SYNSET = re.compile(r"^n\d{8}-")


def open_source(where: str, config: str = "", split: str = "", *, settings: Settings | None = None) -> Source:
    """Open a source whose photos have labels: folders of a breed each, or a dataset with a column of breeds.

    Args:
        where, config, split, settings: as `smartbreed.sources.open_source` takes them.

    Raises:
        RequestError: ``no_source``: there is nothing like that, or no photo has a label.
    """
    opened = open_any(where, config, split, settings=settings)

    def labelled(first: int) -> Iterator[Item]:
        for item in opened.start_at(first):
            if item.label:
                yield replace(item, label=_SYNSET.sub("", item.label))

    photos = labelled(0)
    if next(photos, None) is None:
        raise no_source(
            "No photo of this source says what it shows. Make a folder for each breed, or name a dataset "
            f"with a column {' or '.join(LABELS[:2])}."
        )
    return replace(opened, start_at=labelled)
