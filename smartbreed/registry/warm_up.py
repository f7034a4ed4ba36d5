"""Warm up a model before it serves, since its first answers are slow."""

from __future__ import annotations

import numpy as np

from smartbreed.core.errors import BundleError
from smartbreed.imaging.photo import Photo
from smartbreed.inference.pipeline import Identifier, self_test_picture

#: Width and height in pixels of a phone's picture as browsers send it.
_SIZE = (1600, 1200)


def warm_up(identifier: Identifier) -> None:
    """Identify a picture of usual size with every interpreter, both by its pets and as a whole photo.

    Raises:
        BundleError: the model fails on the picture.
    """
    side = max(_SIZE)
    pixels = np.ascontiguousarray(self_test_picture(side)[: _SIZE[1], : _SIZE[0]])
    photo = Photo(pixels, "", "warm-up")
    try:
        for whole in (False, True):
            identifier.identify_many([photo] * identifier.threads, whole=whole)
    except (ValueError, RuntimeError, KeyError, IndexError):
        raise BundleError("The model fails on a picture of usual size.") from None
