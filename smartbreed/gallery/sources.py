"""Open labelled photo sources for the gallery and for training."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from smartbreed.core.settings import Settings
from smartbreed.sources.items import Item, Source, no_source
from smartbreed.sources.opening import open_source as open_any
from smartbreed.sources.tables import LABELS

#: Prefix of the folder names in datasets derived from ImageNet, such as ``n02085620-Chihuahua``.
_SYNSET = re.compile(r"^n\d{8}-")


def open_source(where: str, config: str = "", split: str = "", *, settings: Settings | None = None) -> Source:
    """Open a source with labelled photos: a folder per breed, or a dataset with a column of breeds.

    Photos without a label are skipped.

    Args:
        where, config, split, settings: as in `smartbreed.sources.opening.open_source`.

    Raises:
        RequestError: ``no_source`` if the source does not exist or has no labelled photo; ``not_installed``
            if a package is missing.
        HubCallError: the Hub refused.
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
