"""The catalogue: every breed the model knows, its names, and its family.

The rows are in ``breeds.csv`` beside this file. Ids are the model's labels and
never change; names are those in use today; older and everyday names are aliases.
A `Group` is a family of breeds that look alike: it can still be named when no
single breed is likely enough.
"""

from __future__ import annotations

import csv
import difflib
import string
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, cast

Species = Literal["cat", "dog"]
#: Species of a model's label; empty if it is neither.
AnySpecies = Literal["cat", "dog", ""]

_TABLE = Path(__file__).with_name("breeds.csv")
#: Common breeds that the catalogue lacks, but that people look for and may photograph.
_UNKNOWN = Path(__file__).with_name("unknown.csv")
#: Longest query that is compared, in characters; the longest name has 30.
_MAX_QUERY = 80
#: Minimum similarity (0 to 1, `difflib.SequenceMatcher.ratio`) of a misspelt name.
_CLOSE = 0.75


@dataclass(frozen=True)
class Breed:
    """One breed.

    Attributes:
        id: the model's label in snake_case, such as ``boston_bull``.
        name: the name in use today, such as ``Boston Terrier``.
        aliases: older and everyday names; no two breeds share one.
        species: ``cat`` or ``dog``; empty only for a label that is neither, from another model.
        group: a key of `GROUPS`, or ``""`` for a breed outside the catalogue.
    """

    id: str
    name: str
    aliases: tuple[str, ...]
    species: AnySpecies
    group: str


@dataclass(frozen=True)
class Group:
    """A family of at least two breeds of one species that look alike.

    Attributes:
        id: snake_case, never the id of a breed.
        name: the family's name in the plural, such as ``Schnauzers``.
        species: ``cat`` or ``dog``.
        phrase: noun phrase with its article that can begin a sentence: ``A schnauzer``.
        unclear: clause that says what remains uncertain: ``the size is unclear``.
    """

    id: str
    name: str
    species: Species
    phrase: str
    unclear: str = "the breed is unclear"


_GROUPS = (
    Group("long_haired_cat", "Long-haired cats", "cat", "A long-haired cat"),
    Group("patterned_cat", "Ticked and spotted cats", "cat", "A ticked or spotted cat"),
    Group("pointed_cat", "Pointed cats", "cat", "A cat with dark points"),
    Group("short_haired_cat", "Short-haired cats", "cat", "A short-haired cat"),
    Group("bull_breed", "Bull breeds", "dog", "A bull breed"),
    Group("collie_type", "Collies and Shelties", "dog", "A collie type"),
    Group("corgi", "Corgis", "dog", "A Welsh corgi", "which of the two is unclear"),
    Group("flat_faced_dog", "Small flat-faced dogs", "dog", "A small flat-faced dog"),
    Group("guard_dog", "Smooth-coated guard dogs", "dog", "A large smooth-coated guard dog"),
    Group("long_haired_toy_dog", "Small long-haired dogs", "dog", "A small long-haired dog"),
    Group("long_legged_terrier", "Long-legged terriers", "dog", "A long-legged terrier"),
    Group("mountain_dog", "Giant mountain dogs", "dog", "A giant mountain dog"),
    Group("pointer", "Pointing dogs", "dog", "A pointing dog"),
    Group("poodle", "Poodles", "dog", "A poodle", "the size is unclear"),
    Group("retriever", "Retrievers", "dog", "A retriever"),
    Group("scent_hound", "Scent hounds", "dog", "A scent hound"),
    Group("schnauzer", "Schnauzers", "dog", "A schnauzer", "the size is unclear"),
    Group("setter", "Setters", "dog", "A setter"),
    Group("shaggy_herding_dog", "Shaggy herding dogs", "dog", "A shaggy herding dog"),
    Group("shepherd", "Shepherd dogs", "dog", "A shepherd dog"),
    Group("short_legged_terrier", "Short-legged terriers", "dog", "A short-legged terrier"),
    Group("sighthound", "Sighthounds", "dog", "A sighthound"),
    Group("silky_coated_terrier", "Silky-coated terriers", "dog", "A silky-coated terrier"),
    Group("sled_dog", "Sled dogs", "dog", "A sled dog"),
    Group("smooth_toy_dog", "Smooth-coated toy dogs", "dog", "A smooth-coated toy dog"),
    Group("spaniel", "Spaniels", "dog", "A spaniel"),
    Group("spitz", "Spitz types", "dog", "A spitz type"),
    Group("swiss_mountain_dog", "Swiss mountain dogs", "dog", "A Swiss mountain dog"),
    Group("wild_dog", "Wild dogs", "dog", "A wild dog", "the kind is unclear"),
)


def _load(path: Path) -> dict[str, Breed]:
    with path.open(encoding="utf-8", newline="") as table:
        return {
            row.get("id", row["name"]): Breed(
                id=row.get("id", ""),
                name=row["name"],
                aliases=tuple(filter(None, row["aliases"].split("|"))),
                species=cast(Species, row["species"]),
                group=row.get("group", ""),
            )
            for row in csv.DictReader(table)
        }


#: Every group by id; read-only.
GROUPS: Mapping[str, Group] = MappingProxyType({group.id: group for group in _GROUPS})
#: Every breed by id, cats first, each species in alphabetical order of id; read-only.
BREEDS: Mapping[str, Breed] = MappingProxyType(_load(_TABLE))
#: Common breeds outside the catalogue by name; they have no id. Read-only.
UNKNOWN: Mapping[str, Breed] = MappingProxyType(_load(_UNKNOWN))


def get_breed(breed_id: str, *, species: AnySpecies = "dog") -> Breed:
    """Return the breed with this id, whichever model the id comes from.

    Args:
        breed_id: an id of the catalogue, or a label of some other model.
        species: used only for an id outside the catalogue.

    Returns:
        The catalogue's breed; otherwise one whose name is the id made readable,
        without aliases and with group ``""``.
    """
    known = BREEDS.get(breed_id)
    if known is not None:
        return known
    words = breed_id.replace("_", " ").replace("-", " ")
    return Breed(breed_id, string.capwords(words) or breed_id, (), species, "")


def breed_of_label(label: str, name: str = "", species: AnySpecies = "", group: str = "") -> Breed:
    """Return the breed that a model's label stands for.

    The label's own details take precedence over the catalogue, which adds aliases and whatever the
    label leaves out. A model may have learnt breeds that the catalogue lacks.
    """
    known = get_breed(label, species=species)
    return Breed(label, name or known.name, known.aliases, species or known.species, group or known.group)


def resolve(text: str, others: Iterable[Breed] = ()) -> Breed | None:
    """Return the one breed that a text names, by id, name or alias; ``None`` if there is none.

    Case, accents, spaces, hyphens and other punctuation make no difference, and
    "cat" or "dog" may follow: ``"siamese cat"``, ``"SHIH-TZU"``, ``"xolo"``.

    Args:
        text: anything a person typed.
        others: breeds that a model knows; those also in the catalogue make no difference. A name without
            letters and digits must be given as it is.
    """
    words = words_of(text)
    index: Mapping[str, Breed] = _index()
    more = [breed for breed in others if breed.id not in BREEDS]
    if not words:
        return next((breed for breed in more if breed.name == text.strip() != ""), None)
    if more:
        index = {"".join(term): breed for breed in more for term in _terms_of(breed)} | dict(index)
    found = index.get("".join(words))
    if found is None and len(words) > 1 and words[-1] in ("cat", "dog"):
        found = index.get("".join(words[:-1]))
        if found is not None and found.species != words[-1]:
            return None
    return found


def search(text: str, limit: int = 10, others: Iterable[Breed] = (), *, close: bool = True) -> list[Breed]:
    """Return breeds that a text may mean, likeliest first.

    Exact matches come first, then names that begin with the text, then those with
    words that begin with its words, then those that contain it, then those that
    are similar to it, which catches typing errors. Within a rank, a match in the
    name precedes one in an alias, then names are in alphabetical order.

    Args:
        text: anything a person typed; only its first 80 characters count.
        limit: maximum number of breeds; below 1 gives none.
        others: breeds that a model knows and the catalogue may lack.
        close: whether to include breeds that are only similar.

    Returns:
        At most ``limit`` breeds, none twice; empty for a text without letters or digits.
    """
    text = text[:_MAX_QUERY]
    words = words_of(text)
    if not words or limit < 1:
        return []
    more = {breed.id: breed for breed in others if breed.id not in BREEDS}
    named = resolve(text, more.values())
    known = {**_terms(), **{breed: _terms_of(breed) for breed in more.values()}}
    ranked = sorted(
        (rank, position > 0, breed.name, breed.id)
        for breed, terms in known.items()
        for position, term in enumerate(terms)
        if (rank := _rank(words, term)) is not None
    )
    found = {} if named is None else {named.id: None}
    found |= dict.fromkeys(breed_id for *_, breed_id in ranked)
    if close and len(found) < limit:
        found |= dict.fromkeys(_close("".join(words), limit))
    return [more.get(breed_id) or BREEDS[breed_id] for breed_id in list(found)[:limit]]


def named_in(text: str) -> tuple[list[Breed], str]:
    """Return the breeds that a sentence names, and the words that remain.

    The longest name wins, so that "Boston Terrier" is one breed. Plurals are recognised.

    Example:
        >>> breeds, rest = named_in("Do beagles bark?")
        >>> breeds[0].id, rest
        ('beagle', 'do bark')
    """
    words, found, rest = words_of(text), {}, []
    longest = max(len(term) for terms in _terms().values() for term in terms)
    start = 0
    while start < len(words):
        for end in range(min(len(words), start + longest), start, -1):
            name = "".join(words[start:end])
            breed = _index().get(name) or _index().get(name.removesuffix("s"))
            if breed is not None:
                found[breed.id] = breed
                start = end
                break
        else:
            rest.append(words[start])
            start += 1
    return list(found.values()), " ".join(rest)


def words_of(text: str) -> tuple[str, ...]:
    """Split text into lower-case words without accents; an apostrophe joins, other punctuation separates."""
    plain = unicodedata.normalize("NFKD", text.casefold()).replace("&", " and ").replace("'", "")
    kept = (c for c in plain.replace("\u2019", "").casefold() if not unicodedata.combining(c))
    return tuple("".join(c if c.isalnum() else " " for c in kept).split())


@cache
def _terms() -> dict[Breed, tuple[tuple[str, ...], ...]]:
    """Return, for each breed, the words of its name, then of its id, then of each alias."""
    return {breed: _terms_of(breed) for breed in BREEDS.values()}


def _terms_of(breed: Breed) -> tuple[tuple[str, ...], ...]:
    return tuple(words_of(term) for term in (breed.name, breed.id, *breed.aliases))


@cache
def _index() -> dict[str, Breed]:
    return {"".join(term): breed for breed, terms in _terms().items() for term in terms}


@cache
def _spellings() -> dict[str, tuple[str, ...]]:
    """Map each whole name, and each single word long enough to be misspelt, to ids of breeds."""
    spellings: dict[str, dict[str, None]] = {}
    for breed, terms in _terms().items():
        for term in terms:
            for key in ("".join(term), *(word for word in term if len(word) > 3)):
                spellings.setdefault(key, {})[breed.id] = None
    return {key: tuple(ids) for key, ids in spellings.items()}


def _rank(words: tuple[str, ...], term: tuple[str, ...]) -> int | None:
    joined, target = "".join(words), "".join(term)
    if joined == target:
        return 0
    if target.startswith(joined):
        return 1
    if all(any(known.startswith(word) for known in term) for word in words):
        return 2
    return 3 if joined in target else None


def _close(joined: str, limit: int) -> Iterable[str]:
    for spelling in difflib.get_close_matches(joined, _spellings(), n=limit, cutoff=_CLOSE):
        yield from _spellings()[spelling]
