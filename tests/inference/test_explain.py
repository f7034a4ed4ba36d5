"""Heat maps on pictures."""

from __future__ import annotations

import numpy as np
import pytest

from smartbreed.inference.grad_cam import heat_colours, overlay, smooth


def one_hot(row: int, column: int, cells: int = 7) -> np.ndarray:
    heat = np.zeros((cells, cells), np.float32)
    heat[row, column] = 1
    return heat


@pytest.mark.parametrize("size", [(224, 224), (320, 180), (97, 300)])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 6), (6, 0), (3, 3)])
def test_heat_lies_where_its_cell_is(size: tuple[int, int], row: int, column: int) -> None:
    width, height = size
    crop = np.full((height, width, 3), 90, np.uint8)
    changed = (overlay(crop, one_hot(row, column)) != crop).any(axis=2)
    y, x = np.nonzero(changed)
    cell_w, cell_h = width / 7, height / 7
    # Bicubic interpolation reaches two cell centres further, no more.
    assert x.min() >= (column - 1.6) * cell_w - 1
    assert x.max() <= (column + 2.6) * cell_w + 1
    assert y.min() >= (row - 1.6) * cell_h - 1
    assert y.max() <= (row + 2.6) * cell_h + 1
    hottest = np.unravel_index(smooth(one_hot(row, column), size).argmax(), (height, width))
    assert row * cell_h - 1 <= hottest[0] <= (row + 1) * cell_h + 1
    assert column * cell_w - 1 <= hottest[1] <= (column + 1) * cell_w + 1


def test_only_the_upper_left_is_coloured() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    painted = overlay(crop, one_hot(0, 0))
    assert (painted[:20, :20] != crop[:20, :20]).any(axis=2).all()
    np.testing.assert_array_equal(painted[96:], crop[96:])
    np.testing.assert_array_equal(painted[:, 96:], crop[:, 96:])


def test_no_heat_leaves_the_photo_and_full_heat_covers_it() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (60, 40, 3), dtype=np.uint8)
    np.testing.assert_array_equal(overlay(crop, np.zeros((7, 7), np.float32)), crop)
    full = overlay(crop, np.ones((7, 7), np.float32), strength=1.0)
    assert np.abs(full.astype(int) - heat_colours()[-1]).max() <= 1
    assert overlay(crop, np.ones((60, 40), np.float32)).shape == crop.shape


def test_colours_grow_lighter_throughout() -> None:
    """Read in grey or by a colour-blind eye, hotter must still look hotter."""
    lightness = heat_colours() @ np.array([0.2126, 0.7152, 0.0722])
    assert heat_colours().shape == (256, 3)
    assert (np.diff(lightness) > -0.5).all()
    assert lightness[-1] - lightness[0] > 200
