"""The style of every plot: one palette, no frames, system fonts, no global state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

#: Colours: text and axes, the main line, a second one, a third one, reference lines.
INK, ACCENT, BLUE, GREEN, SOFT = "#3b2f2a", "#b5533c", "#2f6f8f", "#5f7f3a", "#d9c7b0"
PAPER = "#ffffff"
#: Resolution of every PNG in dots per inch.
DPI = 120


@contextmanager
def figure(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Yield a figure of ``width`` x ``height`` inches and save it at ``path`` unless the block raises."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    looks: dict[Any, Any] = {
        "font.size": 10, "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlelocation": "left",
        "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": INK, "axes.labelcolor": INK,
        "text.color": INK, "xtick.color": INK, "ytick.color": INK, "legend.frameon": False,
        "axes.titlecolor": INK,
    }  # fmt: skip
    with rc_context(looks):
        drawn = Figure(figsize=(width, height), layout="constrained", facecolor=PAPER)
        FigureCanvasAgg(drawn)
        yield drawn
        # Without date and version in the metadata, the same figures make the same file.
        drawn.savefig(path, dpi=DPI, metadata={"Software": None})


def shares(axes: Axes, which: str = "y") -> None:
    """Format an axis of shares 0…1 as percent."""
    from matplotlib.ticker import PercentFormatter

    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def heat() -> Colormap:
    """Return the colour map for matrices: white to clay to dark brown."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("clay", [PAPER, "#f0d5bd", "#d98a5c", ACCENT, "#5a1f12"])
