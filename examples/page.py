"""One iteration of the feedback loop as a self-contained HTML page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from smartbreed.breeds.catalogue import get_breed
from smartbreed.web.components.sentences import percent

if TYPE_CHECKING:
    from smartbreed.inference.results import Pet

#: Maximum number of photographs shown.
_MOST = 12
_STYLE = Path(__file__).with_name("page.css")


@dataclass(frozen=True)
class LoopResult:
    """The result of one iteration.

    Attributes:
        breed: the breed that was learnt.
        versions: the model's versions before and after.
        photos: encoded photographs, held out from training.
        before, after: the answer to each photograph.
        others: share of the other breeds' photographs named right, before and after.
        steps: each step, its outcome, and how many seconds it took.
        reasons: the gate's sentences about what it checked.
    """

    breed: str
    versions: tuple[str, str]
    photos: Sequence[bytes]
    before: Sequence[Pet]
    after: Sequence[Pet]
    others: tuple[float, float]
    steps: Sequence[tuple[str, str, float]]
    reasons: Sequence[str]


def write_page(path: Path, result: LoopResult, plot: Path) -> None:
    """Write the page.

    Args:
        plot: PNG file of the accuracy per version, which is embedded in the page.
    """
    name, (old, new) = get_breed(result.breed).name, result.versions
    right = [sum(pet.breeds[0].id == result.breed for pet in pets) for pets in (result.before, result.after)]
    figures = "".join(
        _figure(data, ((old, first), (new, second)), result.breed)
        for data, first, second in list(zip(result.photos, result.before, result.after, strict=True))[:_MOST]
    )
    rows = "".join(
        f"<tr><td>{escape(step)}</td><td>{escape(said)}</td><td>{seconds:.1f} s</td></tr>"
        for step, said, seconds in result.steps
    )
    verdict = "".join(f"<li>{escape(reason)}</li>" for reason in result.reasons)
    style = _STYLE.read_text(encoding="utf-8")
    png = base64.b64encode(plot.read_bytes()).decode("ascii")
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>The feedback loop: {escape(name)}</title><style>{style}</style></head><body>"
        f"<h1>One iteration of the feedback loop: {escape(name)}</h1>"
        f"<p>Version {escape(old)} did not know the breed. Photographs of it were flagged with corrections, "
        f"reviewed and published; the model was retrained and examined, and version {escape(new)} took over. "
        f"Of {len(result.photos)} held-back photographs of the breed, {right[0]} were named "
        f"right before and {right[1]} after; of the other breeds’, {result.others[0]:.1%} before and "
        f"{result.others[1]:.1%} after.</p>"
        f'<h2>The same photographs, before and after</h2><div class="photos">{figures}</div>'
        '<h2>Accuracy per version</h2><img class="plot" alt="Share named right per version" '
        f'src="data:image/png;base64,{png}"><h2>What the gate checked</h2><ul>{verdict}</ul>'
        f"<h2>What was done</h2><table>{rows}</table></body></html>"
    )
    path.write_text(page, encoding="utf-8")


def _figure(data: bytes, answers: Sequence[tuple[str, Pet]], breed: str) -> str:
    said = "".join(
        f'<dt>{escape(version)}</dt><dd class="{"right" if pet.breeds[0].id == breed else "wrong"}">'
        f"{escape(pet.breeds[0].name)}, {_whole(pet.breeds[0].probability)}</dd>"
        for version, pet in answers
    )
    picture = base64.b64encode(data).decode("ascii")
    return (
        f'<figure><img alt="{escape(get_breed(breed).name)}" src="data:{_kind(data)};base64,{picture}">'
        f"<dl>{said}</dl></figure>"
    )


def _whole(probability: float) -> str:
    """Format a percentage that a line break cannot split."""
    return escape(percent(probability)).replace(" ", "&nbsp;")


def _kind(data: bytes) -> str:
    if data.startswith(b"\x89PNG"):
        return "image/png"
    return "image/webp" if data[8:12] == b"WEBP" else "image/jpeg"
