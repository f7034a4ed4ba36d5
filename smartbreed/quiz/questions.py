"""Quiz questions about photos and about the breed texts, each with its source."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from smartbreed.breeds.catalogue import Breed
from smartbreed.breeds.facts import BreedFacts, facts_of
from smartbreed.inference.evaluation import Evaluation

#: The hardest level, and the number of options at each level from 0.
HARDEST = 3
_OPTIONS = (4, 4, 4, 6)
_ASKED = {"cat": "Which cat is it?", "dog": "Which dog is it?"}
#: Words of breed names that are not hidden, because they do not give the breed away.
_COMMON = {"dog", "cat", "with", "from"}


@dataclass(frozen=True)
class Question:
    """A question with its answer. Never sent to the client as a whole.

    Attributes:
        text: the question.
        options: ``(key, text)`` of each, in the order shown.
        answer: key of the right option.
        breed: id of the breed that it is about, whose page is the source.
        quote: text quoted in the question, with the breed's names hidden; empty if none is.
        source: the sentences that contain the answer; empty for a photo.
        about: title of the source, such as ``Beagle: history``; empty for a photo.
        photo: id of the gallery photo; for a question about the texts, its key, such as ``beagle _history``.
        seed: of the random changes to the photo.
        level: how hard it is, 0…`HARDEST`.
        number: of the round, from 1.
        nonce: random text that makes the round's token unique.
        asked_at: time of asking, in seconds.
        hinted: whether the hint was bought.
    """

    text: str
    options: tuple[tuple[str, str], ...]
    answer: str
    breed: str
    quote: str = ""
    source: str = ""
    about: str = ""
    photo: str = ""
    seed: int = 0
    level: int = 0
    number: int = 0
    nonce: str = ""
    asked_at: float = 0.0
    hinted: bool = False

    def as_dict(self) -> dict[str, object]:
        """Return the question as a dict for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, values: dict[str, object]) -> Question:
        """Create a question from the dict of `as_dict`."""
        options = tuple((str(key), str(text)) for key, text in values["options"])  # type: ignore[attr-defined]
        return cls(**{**values, "options": options})  # type: ignore[arg-type]

    @property
    def right(self) -> str:
        """Text of the right option."""
        return dict(self.options)[self.answer]


class Questions:
    """Makes questions for one model.

    Args:
        breeds: the breeds that the model knows.
        evaluation: the model's evaluation, for its confusions; None if it was not evaluated.
        chance: random generator; replaceable in tests.
    """

    def __init__(
        self, breeds: Iterable[Breed], evaluation: Evaluation | None, chance: random.Random | None = None
    ) -> None:
        self._breeds = {breed.id: breed for breed in breeds}
        self._evaluation = evaluation
        self._chance = chance or random.SystemRandom()
        self._known = [breed for breed in self._breeds.values() if facts_of(breed.id)]

    def photo(self, label: str, photo: str, level: int) -> Question:
        """Return the question which breed a photo shows.

        Args:
            label: id of the right breed.
            photo: id of the gallery photo.
            level: how hard it is, 0…`HARDEST`.
        """
        species = self._breeds[label].species
        return Question(
            _ASKED.get(species, "Which of these is it?"),
            self._names(label, level),
            label,
            label,
            photo=photo,
            seed=self._chance.getrandbits(32),
            level=level,
        )

    @property
    def has_facts(self) -> bool:
        """Whether enough breeds have texts to ask about."""
        return len(self._known) >= _OPTIONS[0]

    def fact(self, asked: Sequence[str], level: int) -> Question | None:
        """Return a new question about the breed texts; None if all were asked.

        Args:
            asked: `Question.photo` of the questions asked so far.
            level: how hard it is, 0…`HARDEST`.
        """
        makers = (self._described, self._apart, self._history, self._origin, self._weight, self._exercise)
        breeds = self._chance.sample(self._known, len(self._known))
        for breed in breeds:
            facts = facts_of(breed.id)
            for make in self._chance.sample(makers, len(makers)):
                if facts is None or f"{breed.id} {make.__name__}" in asked:
                    continue
                question = make(breed, facts, level)
                if question is not None:
                    return question
        return None

    # -- from the texts

    def _described(self, breed: Breed, facts: BreedFacts, level: int) -> Question | None:
        text = f"{facts.summary} {facts.character}"
        return self._which("Which breed is this?", breed, text, "character", level, "_described")

    def _history(self, breed: Breed, facts: BreedFacts, level: int) -> Question | None:
        return self._which("Whose history is this?", breed, facts.history, "history", level, "_history")

    def _apart(self, breed: Breed, facts: BreedFacts, level: int) -> Question | None:
        others = [alike for alike in facts.look_alikes if alike.breed in self._breeds]
        if not others:
            return None
        alike = self._chance.choice(others)
        other = self._breeds[alike.breed]
        text = f"It is easily taken for the {other.name}. Which breed is it?"
        question = self._which(
            text, breed, alike.tell_apart, "look-alikes", level, "_apart", without=other.id
        )
        return question

    def _origin(self, breed: Breed, facts: BreedFacts, level: int) -> Question | None:
        words = _words(facts.origin)
        if any(word[:5] in breed.name.casefold() for word in words):  # the name gives the answer away
            return None
        others: dict[str, None] = {}
        for one in self._chance.sample(self._known, len(self._known)):
            said = (facts_of(one.id) or facts).origin
            if not _words(said) & words and not any(_words(said) & _words(other) for other in others):
                others[said] = None
        return self._fact(
            f"Where does the {breed.name} come from?", breed, facts.origin, list(others),
            f"{facts.history} Origin: {facts.origin}.", "history", level, "_origin",
        )  # fmt: skip

    def _weight(self, breed: Breed, facts: BreedFacts, level: int) -> Question | None:
        taken = [facts.weight_kg]
        others = []
        for one in self._chance.sample(self._known, len(self._known)):
            weight = (facts_of(one.id) or facts).weight_kg
            if one.species == breed.species and all(
                weight.most < other.least or weight.least > other.most for other in taken
            ):
                taken.append(weight)
                others.append(f"{weight} kg")
        return self._fact(
            f"How much does a grown {breed.name} usually weigh?", breed, f"{facts.weight_kg} kg", others,
            f"The {breed.name} weighs {facts.weight_kg} kg.", "size", level, "_weight",
        )  # fmt: skip

    def _exercise(self, breed: Breed, facts: BreedFacts, level: int) -> Question | None:
        if facts.kind != "breed":
            return None
        levels = {"low": "Little", "moderate": "A moderate amount", "high": "A lot"}
        others = [text for key, text in levels.items() if key != facts.exercise.level]
        return self._fact(
            f"How much exercise does the {breed.name} need?", breed, levels[facts.exercise.level], others,
            facts.exercise.text, "exercise", level, "_exercise",
        )  # fmt: skip

    def _which(
        self, text: str, breed: Breed, quote: str, part: str, level: int, kind: str, without: str = ""
    ) -> Question | None:
        hidden = hide_names(quote, breed)
        options = self._names(breed.id, level, without)
        if len(options) < 2:
            return None
        return Question(
            text, options, breed.id, breed.id, quote=hidden, source=quote, level=level,
            about=f"{breed.name}: {part}", photo=f"{breed.id} {kind}",
        )  # fmt: skip

    def _fact(
        self, text: str, breed: Breed, right: str, others: Sequence[str], source: str, part: str, level: int,
        kind: str,
    ) -> Question | None:  # fmt: skip
        wrong = list(others)[: _OPTIONS[0] - 1]
        if not wrong:
            return None
        texts = self._chance.sample([right, *wrong], len(wrong) + 1)
        options = tuple((str(place), one) for place, one in enumerate(texts))
        return Question(
            text, options, str(texts.index(right)), breed.id,
            source=source, about=f"{breed.name}: {part}", level=level, photo=f"{breed.id} {kind}",
        )  # fmt: skip

    # -- options

    def _names(self, label: str, level: int, without: str = "") -> tuple[tuple[str, str], ...]:
        chosen = [label, *self.look_alikes(label, level, without)][: _OPTIONS[level]]
        return tuple((one, self._breeds[one].name) for one in self._chance.sample(chosen, len(chosen)))

    def look_alikes(self, label: str, level: int, without: str = "") -> list[str]:
        """Return wrong options for a breed, best first; at higher levels they resemble it more.

        Args:
            label: id of the right breed.
            level: how hard the question is, 0…`HARDEST`.
            without: id of another breed to leave out; empty for none.
        """
        breed = self._breeds[label]
        same = [one.id for one in self._breeds.values() if one.species == breed.species]
        group = [one for one in same if self._breeds[one].group == breed.group and breed.group]
        if self._evaluation is not None:
            pairs = (*self._evaluation.taken_for(label), *self._evaluation.taken_as(label))
            confused = [other for other, _ in sorted(pairs, key=lambda pair: -pair[1])]
        else:
            confused = []
        facts = facts_of(label)
        confused += [alike.breed for alike in facts.look_alikes] if facts else []
        mixed = self._chance.sample(same, len(same))
        others = self._chance.sample(list(self._breeds), len(self._breeds))
        order = {
            0: [one for one in mixed if one not in group],
            1: [*self._chance.sample(group, len(group))[:1], *mixed],
            2: [*confused[:2], *self._chance.sample(group, len(group)), *mixed],
            3: [*confused, *self._chance.sample(group, len(group)), *mixed],
        }[level]
        known = (one for one in (*order, *mixed, *others) if one in self._breeds)
        return [one for one in dict.fromkeys(known) if one not in (label, without)]


def hide_names(text: str, breed: Breed) -> str:
    """Return a text in which the names of a breed, and the words of these names, are replaced by ``…``."""
    whole = sorted((breed.name, *breed.aliases), key=len, reverse=True)
    parts = {word for name in whole for word in re.findall(r"[^\W\d_]{4,}", name)} - _COMMON
    for name in (*whole, *sorted(parts, key=len, reverse=True)):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?:s|es|['’]s)?(?!\w)", "…", text, flags=re.IGNORECASE)
    return re.sub(r"(?:…[\s-]*)+…", "…", text)


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.casefold()) if len(word) > 3}
