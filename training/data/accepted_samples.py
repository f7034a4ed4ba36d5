"""Resolve flags and decisions into training samples: one label per pet, and a cap on each flagger's share."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from smartbreed.breeds.catalogue import BREEDS
from smartbreed.dataset.needs import FLAGGER_FLOOR, FLAGGER_SHARE, capped
from training.data.flag_dataset import Stored

#: Decisions that allow training on a flag.
ACCEPTING = ("accept", "relabel", "new_breed")


@dataclass(frozen=True)
class Sample:
    """One pet with an accepted label.

    Attributes:
        key: 16 hex digits that hash the photo and the box; stable when more flags or decisions arrive.
        image: the bytes of the photo's file, or a reference to them; `photo` reads either.
        box: x0, y0, x1, y1 in pixels of the photo; None for the whole photo.
        label: breed id; the model may lack it.
        name, species, group: what the reviewer gave, else what the catalogue says (for the species, else
            what the flag says); empty if unknown.
        flagger: salted hash of the person who flagged.
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
        """Return the bytes of the photo's file, read from its shard if necessary."""
        return self.image.read() if isinstance(self.image, Stored) else self.image

    @property
    def place(self) -> tuple[int, int, int]:
        """Sort key: samples read in this order load each row group only once."""
        return self.image.place if isinstance(self.image, Stored) else (-1, -1, -1)


@dataclass(frozen=True)
class Accepted:
    """Accepted samples, and the number of flags that were left out, by reason."""

    samples: list[Sample]
    left_out: dict[str, int]


def accepted_samples(
    flags: Sequence[dict[str, Any]],
    reviews: Sequence[dict[str, Any]],
    *,
    share: float = FLAGGER_SHARE,
    floor: int = FLAGGER_FLOOR,
) -> Accepted:
    """Resolve flags and decisions into samples.

    The latest decision about a flag counts (ties: the larger id); ``undo`` revokes it. If several flags
    concern the same pet, the one decided last gives the label.

    Args:
        flags, reviews: rows as `training.data.flag_dataset.read_dataset` returns them. Withdrawn flags are
            no longer among them, so decisions about them are ignored.
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
    """Return 16 hex digits that identify one pet of one photo."""
    corners = ",".join(f"{float(value):.1f}" for value in box or ())
    return hashlib.sha256(f"{sample_id} {corners}".encode()).hexdigest()[:16]


def latest_reviews(reviews: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the latest decision about each flag by the flag's id, the latest last; ties: the larger id."""
    latest: dict[str, dict[str, Any]] = {}
    for review in sorted(reviews, key=lambda row: (row["decided_at"], row["decision_id"])):
        latest.pop(review["flag_id"], None)  # else the flag would keep the place of its first decision
        latest[review["flag_id"]] = review
    return latest


def label_of(flag: dict[str, Any], review: dict[str, Any]) -> str:
    """Return the breed id that an accepting decision gives a flag; empty if it gives none."""
    if review["decision"] == "accept":
        said = flag["predicted"] if flag["verdict"] == "correct" else flag["label"]
        return str(review["label"] or said or "")
    return str(review["label"] or "")


def box_of(flag: dict[str, Any], review: dict[str, Any]) -> tuple[float, ...]:
    """Return the accepted box: the reviewer's if they corrected it, else the flag's; may be empty."""
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
