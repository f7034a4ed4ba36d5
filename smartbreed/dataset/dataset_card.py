"""The dataset card: what ``datasets`` needs to load the repo, and what readers want to know.

Each commit rewrites the card from the state of the repo alone, so the same repo gives the same card.
The text is about pets, or about other things if no row is about a cat or a dog. Two things that a person
adds are kept: the notes between the markers, and metadata under other names.

``data_files`` lists what ``datasets`` loads: the valid shards, but no foreign file that is named like one.
A single pattern per schema version is enough while no foreign file has such a name. Otherwise the card lists
the shards one by one or, if that would make it too large, patterns that exclude the foreign files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from localhub.repo_card import CardError, front_matter
from smartbreed.breeds.catalogue import resolve
from smartbreed.dataset.repo_state import DatasetState
from smartbreed.dataset.schema import COLUMNS, SCHEMA_VERSION, SPLIT, shard_config, shard_glob, shard_version

BEGIN, END = "<!-- notes: begin (yours; the rest is written by SmartBreed) -->", "<!-- notes: end -->"
_NOTES = re.compile(re.escape("<!-- notes: begin") + r"[^>]*-->\n?(.*?)\n?" + re.escape(END), re.DOTALL)
_MOST_NOTES = 100_000
_MOST_LABELS = 40
_BAR = 24

_TEMPLATE = Environment(trim_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined).from_string(
    Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
)

_MEANING = {
    "image": "the photograph, upright and without metadata",
    "sample_id": "sha256 of the photograph's bytes; the unit of deduplication",
    "flag_id": "id of the flag; unique",
    "box": "x0, y0, x1, y1 of the pet in pixels; empty: the whole photograph",
    "predicted": "id of the breed the model named",
    "probability": "of `predicted`",
    "label": "id of the breed the person named",
    "label_text": "the person's own words, for a breed that is not in the catalogue",
    "verdict": "correct, wrong, not_a_pet, missed or unsure",
    "species": "cat or dog",
    "model_revision": "the model that was judged",
    "flagged_at": "time of the flag",
    "reviews": "decisions known at the time of publishing",
    "consent": "always true; without consent nothing is kept",
    "flagger": "salted hash of a random number; it does not reveal the person",
    "decision_id": "id of the decision",
    "decision": "accept, relabel, reject, new_breed or undo",
    "name": "display name of a new breed",
    "group": "breed group of a new breed",
    "reviewer": "salted hash, `agreement` or `gold`",
    "reason": "the reviewer's reason, if one was given",
    "decided_at": "time of the decision; the latest decision on a flag counts",
    "found_boxes": "for a missed pet with a box: boxes of the pets that the model found there",
    "found_species": "cat, dog or empty, one for each of `found_boxes`",
}
#: Column descriptions that differ if the rows are not about pets.
_THINGS_MEANING = {
    "box": "x0, y0, x1, y1 of the labelled thing in pixels; empty: the whole photograph",
    "predicted": "id of the label that the model chose",
    "label": "id of the label that the person chose",
    "label_text": "the person's own words, for what has no label",
    "verdict": "correct, wrong, not_a_pet (it is none of the labels), missed or unsure",
    "species": "null: these are neither cats nor dogs",
    "name": "display name of a new label",
    "group": "null: labels have no groups",
    "found_boxes": "for something missed with a box: boxes of what else the model found there",
    "found_species": "empty, one for each of `found_boxes`",
}
#: Descriptions of review columns that differ from those of the flag columns of the same name.
_REVIEW_MEANING = {
    "label": "id of the breed assigned by the decision; null: none",
    "species": "cat or dog, for a new breed or a missed pet",
    "box": "x0, y0, x1, y1 in pixels, if the reviewer corrected the flag's box; empty: unchanged",
}
_THINGS_REVIEW_MEANING = {
    "label": "id of the label assigned by the decision; null: none",
    "species": "null: these are neither cats nor dogs",
}
#: The card's metadata for pets, and the variant for other things.
_ABOUT_PETS: dict[str, Any] = {
    "pretty_name": "SmartBreed flags",
    "license": "other",
    "license_name": "shared-for-breed-recognition",
    "task_categories": ["image-classification", "object-detection"],
    "tags": ["pets", "dogs", "cats", "breeds", "human-feedback"],
}
_ABOUT_THINGS: dict[str, Any] = {
    **_ABOUT_PETS,
    "license_name": "shared-for-recognition",
    "task_categories": ["image-classification"],
    "tags": ["human-feedback"],
}


def write_card(repo: str, dataset_state: DatasetState, old: str = "") -> str:
    """Return the README of a dataset repo.

    Args:
        repo: ``owner/name``.
        dataset_state: the shards and foreign files of the repo.
        old: the card that the repo has now; its notes and extra metadata are kept.
    """
    import yaml  # type: ignore[import-untyped]

    metadata = _metadata(dataset_state, _kept_metadata(old))
    head = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True, width=1000)
    found = _NOTES.search(old)
    notes = found[1][:_MOST_NOTES] if found else ""
    return f"---\n{head}---\n{_body(repo, dataset_state)}\n{BEGIN}\n{notes}\n{END}\n"


def _kept_metadata(old: str) -> dict[str, Any]:
    try:
        return front_matter(old)
    except CardError:
        return {}


def _metadata(dataset_state: DatasetState, kept: Mapping[str, Any]) -> dict[str, Any]:
    configs: list[dict[str, Any]] = []
    info: list[dict[str, Any]] = []
    bad = {path for path in dataset_state.foreign if shard_config(path)}
    for config, columns in COLUMNS.items():
        paths = list(dataset_state.of(config))
        if not paths:
            continue
        foreign = [path for path in bad if shard_config(path) == config]
        files = {"split": SPLIT, "path": data_files(config, paths, foreign)}
        configs.append({"config_name": config, "data_files": [files]})
        if config == "flags":
            configs[-1]["default"] = True
        info.append({"config_name": config, "features": [_feature(n, k) for n, k in columns.items()]})
    rows = sum(facts["rows"] for facts in dataset_state.of("flags").values())
    ours, others = (_ABOUT_PETS, _ABOUT_THINGS) if _of_pets(dataset_state) else (_ABOUT_THINGS, _ABOUT_PETS)
    fixed: dict[str, Any] = {"size_categories": [_size(rows)], "schema_version": SCHEMA_VERSION}
    if configs:
        fixed |= {"configs": configs, "dataset_info": info}
    # Before any row is published, a card has the defaults for pets. No person wrote those, so they are not
    # kept once the rows turn out to be about other things (or the reverse).
    theirs = {
        key: value
        for key, value in kept.items()
        if key not in ("configs", "dataset_info") and others.get(key) != value
    }
    return {**ours, **theirs, **fixed}


def _of_pets(dataset_state: DatasetState) -> bool:
    """Return whether any row is about a cat or a dog; also true if no row says what it is about."""
    facts = list(dataset_state.of("flags").values())
    species, labels = _total(facts, "species"), _total(facts, "labels")
    # Facts of older shards have no count of species, only of labels.
    return (
        not (species or labels)
        or bool(species["cat"] + species["dog"])
        or any(resolve(label) for label in labels)
    )


def _feature(name: str, kind: str) -> dict[str, Any]:
    return {"name": name, **_kind(kind)}


def _kind(kind: str) -> dict[str, Any]:
    """Return a type as the card's metadata spells it: ``{"dtype": "string"}``, ``{"list": "float32"}``."""
    if not kind.startswith("list<"):
        return {"dtype": kind}
    inner = _kind(kind[len("list<") : -1])
    return {"list": inner.get("dtype", inner)}


def _size(rows: int) -> str:
    for limit, name in ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K")):
        if rows < limit:
            return name
    return "100K<n<1M"


def _body(repo: str, dataset_state: DatasetState) -> str:
    of_pets = _of_pets(dataset_state)
    flags, reviews = dataset_state.of("flags"), dataset_state.of("reviews")
    labels, verdicts, decisions = (
        _total([*flags.values(), *reviews.values()], name) for name in ("labels", "verdicts", "decisions")
    )
    breeds = sorted(labels.items(), key=lambda item: (-item[1], item[0]))
    files = [
        (f"`{name}`", sum(facts["rows"] for facts in found.values()), len(found))
        for name, found in (("flags", flags), ("reviews", reviews))
        if found or name == "flags"
    ]
    return _TEMPLATE.render(
        repo=repo,
        of_pets=of_pets,
        schema_version=SCHEMA_VERSION,
        table=_table,
        files=files,
        verdicts=verdicts.most_common(),
        decisions=decisions.most_common(),
        breeds=_histogram(breeds),
        more_breeds=len(breeds[_MOST_LABELS:]),
        more_flags=sum(number for _, number in breeds[_MOST_LABELS:]),
        configs=[(config, _columns(config, of_pets)) for config in (COLUMNS if reviews else ("flags",))],
    )


def _columns(config: str, of_pets: bool) -> list[tuple[str, str, str]]:
    reviews = config == "reviews"
    meaning = _MEANING | ({} if of_pets else _THINGS_MEANING) | (_REVIEW_MEANING if reviews else {})
    meaning |= _THINGS_REVIEW_MEANING if reviews and not of_pets else {}
    return [(f"`{name}`", f"`{kind}`", meaning[name]) for name, kind in COLUMNS[config].items()]


def _total(facts: list[dict[str, Any]], name: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in facts:
        total.update(one.get(name, {}))
    return total


def _histogram(breeds: list[tuple[str, int]]) -> list[tuple[str, str, int, str]]:
    """Return a table row for each of the most frequent labels: name, id, count and bar."""
    rows = []
    for label, number in breeds[:_MOST_LABELS]:
        breed, bar = resolve(label), "█" * max(1, round(_BAR * number / breeds[0][1]))
        rows.append((breed.name if breed else label, f"`{_plain(label)}`", number, bar))
    return rows


def _table(head: tuple[str, ...], rows: list[Any]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(value: object) -> str:
    text = " ".join(str(value).split()).replace("|", "\\|")
    return text.replace("<", "&lt;") if not text.startswith("`") else text


def _plain(text: str) -> str:
    return re.sub(r"[^\w .-]", "", text)


#: Most paths or patterns in ``data_files``; more would exceed the metadata size that a Hub accepts.
MOST_PATHS = 900


def data_files(config: str, ours: Sequence[str], foreign: Collection[str]) -> str | list[str]:
    """Return patterns that match all valid shards and no foreign file.

    Args:
        config: configuration of the dataset.
        ours: paths of its valid shards, at least one.
        foreign: paths that are named like shards but are not valid ones.

    Returns:
        Without foreign files, one pattern per schema version: a string for a single version, else a
        list. Otherwise a list of at most `MOST_PATHS` paths or patterns. If even the patterns exceed
        that limit, only the newest shards are listed: a dataset that lacks some rows still loads.
    """
    versions = sorted({shard_version(path) for path in ours})
    if not foreign:
        globs = [shard_glob(config, version) for version in versions]
        return globs if len(globs) > 1 else globs[0]
    if len(ours) <= MOST_PATHS:
        return list(ours)
    found: list[str] = []
    for version in versions:
        # All these paths have the same length and contain no wildcard characters.
        mine, theirs = (
            sorted(path for path in paths if shard_version(path) == version) for paths in (ours, foreign)
        )
        found += sorted(_around(mine, theirs, shard_glob(config, version).index("?")))
    return found[-MOST_PATHS:]


def _around(ours: list[str], foreign: list[str], known: int) -> Iterator[str]:
    """Yield patterns that match `ours` but not `foreign`; all share their first `known` characters."""
    if not foreign:
        rest = "".join("?" if character not in "TZ-." else character for character in ours[0][known:-8])
        yield ours[0][:known] + rest + ours[0][-8:]
        return
    for character in sorted({path[known] for path in ours}):
        yield from _around(_with(ours, known, character), _with(foreign, known, character), known + 1)


def _with(paths: Iterable[str], at: int, character: str) -> list[str]:
    return [path for path in paths if path[at] == character]
