"""From flags and decisions to what may be learnt: one label a pet, no person with too large a share."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from smartbreed.breeds.catalogue import BREEDS
from smartbreed.dataset.needs import FLAGGER_FLOOR, FLAGGER_SHARE, capped
from training.data.flag_dataset import Stored

#: Decisions after which a flag may be learnt from.
ACCEPTING = ("accept", "relabel", "new_breed")


@dataclass(frozen=True)
class Sample:
    """One pet with a label that was accepted.

    Attributes:
        key: 16 hex digits of photo and box; stays the same whatever else becomes known.
        image: the photo's file, or where it lies; `photo` reads it.
        box: x0, y0, x1, y1 in its pixels; None: the whole photo.
        label: breed id; may be one that the model lacks.
        name, species, group: of a new breed, as far as the reviewer said; empty otherwise.
        flagger: salted hash.
    """

    key: str
    image: bytes | Stored = field(repr=False)
    box: tuple[float, float, float, float] | None
    label: str
    name: str = ""
    species: str = ""
    group: str = ""
    flagger: str = ""

    def photo(self) -> bytes:
        """The photo's file; reads it from its shard."""
        return self.image.read() if isinstance(self.image, Stored) else self.image

    @property
    def place(self) -> tuple[int, int, int]:
        """Order in which reading many is quick."""
        return self.image.place if isinstance(self.image, Stored) else (-1, -1, -1)


@dataclass(frozen=True)
class Accepted:
    """Samples, and how many flags were left out for which reason."""

    samples: list[Sample]
    left_out: dict[str, int]


def accepted_samples(
    flags: Sequence[dict[str, Any]],
    reviews: Sequence[dict[str, Any]],
    *,
    share: float = FLAGGER_SHARE,
    floor: int = FLAGGER_FLOOR,
) -> Accepted:
    """Resolve decisions.

    The latest decision of a flag counts (ties: the larger id); ``undo`` takes it back. Of several
    flags of one pet the one decided last gives the label.

    Args:
        flags, reviews: rows as `training.data.flag_dataset.read_dataset` returns them. A flag that
            was withdrawn is no longer among them, and its decisions then count for nothing.
        share, floor: see `smartbreed.dataset.needs.capped`.
    """
    left_out: Counter[str] = Counter()
    latest = latest_reviews(reviews)
    by_flag = {flag["flag_id"]: flag for flag in flags}
    left_out["withdrawn or not published yet"] = sum(flag not in by_flag for flag in latest)
    found: dict[str, Sample] = {}
    for flag_id, review in latest.items():
        flag = by_flag.get(flag_id)
        if flag is None:
            continue
        if review["decision"] not in ACCEPTING:
            left_out["rejected or undecided"] += 1
            continue
        label = label_of(flag, review)
        if not flag["consent"]:
            left_out["without consent"] += 1
        elif not label:
            left_out["about no breed"] += 1
        elif flag["verdict"] == "missed" and not box_of(flag, review):
            left_out["a missed pet without a box"] += 1
        else:
            sample = _sample(flag, review, label)
            left_out["the same pet twice"] += sample.key in found
            found.pop(sample.key, None)
            found[sample.key] = sample
    left_out["not decided yet"] = sum(flag not in latest for flag in by_flag)
    kept = capped(list(found.values()), share=share, floor=floor)
    left_out["over one person's share"] = len(found) - len(kept)
    return Accepted(kept, {reason: count for reason, count in left_out.items() if count})


def sample_key(sample_id: str, box: Sequence[float] | None) -> str:
    """16 hex digits that stand for one pet of one photo."""
    corners = ",".join(f"{float(value):.1f}" for value in box or ())
    return hashlib.sha256(f"{sample_id} {corners}".encode()).hexdigest()[:16]


def latest_reviews(reviews: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The decision that counts of each flag, by the flag's id: the latest; ties: the larger id."""
    latest: dict[str, dict[str, Any]] = {}
    for review in sorted(reviews, key=lambda row: (row["decided_at"], row["decision_id"])):
        latest[review["flag_id"]] = review
    return latest


def label_of(flag: dict[str, Any], review: dict[str, Any]) -> str:
    """The breed id that an accepting decision gives a flag; empty where it gives none."""
    if review["decision"] == "accept":
        said = flag["predicted"] if flag["verdict"] == "correct" else flag["label"]
        return str(review["label"] or said or "")
    return str(review["label"] or "")


def box_of(flag: dict[str, Any], review: dict[str, Any]) -> tuple[float, ...]:
    """The box that was accepted: the reviewer's where they corrected it, else the flag's; may be empty."""
    return tuple(float(value) for value in review.get("box") or flag["box"] or ())


def _sample(flag: dict[str, Any], review: dict[str, Any], label: str) -> Sample:
    box = box_of(flag, review)
    known = BREEDS.get(label)
    return Sample(
        key=sample_key(flag["sample_id"], box),
        image=image if isinstance(image := flag["image"], Stored) else image["bytes"],
        box=(box[0], box[1], box[2], box[3]) if len(box) == 4 else None,
        label=label,
        name=review["name"] or (known.name if known else ""),
        species=review["species"] or (known.species if known else "") or flag["species"] or "",
        group=review["group"] or (known.group if known else ""),
        flagger=flag["flagger"] or "",
    )
