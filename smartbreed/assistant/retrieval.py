"""Finds the passages that answer a question: BM25 (Robertson and Zaragoza 2009) over names, texts, topics."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

import numpy as np

from smartbreed.assistant.passages import Passage
from smartbreed.breeds.catalogue import get_breed, named_in, words_of

#: Words that say nothing of what is asked.
_STOP = frozenset(
    re.findall(
        r"\w+",
        """a about an and any are as at be been being best breed breeds but by can cat cats could did do does
        dog dogs for from get give good had has have how i if in is it its kind me more most much my need
        needs of on one or our please should show so some tell than that the their them there these they this
        those to too us want was we were what when which who why will with would""",
    )
)
#: A passage answers when it holds at least this share of what the question asks, breed names aside: of a
#: question that names a breed, and of one that names none.
_COVERED_NAMED, _COVERED = 0.5, 0.75


def terms_of(text: str) -> list[str]:
    """The words of a text without stop words and endings of the plural."""
    return [_singular(word) for word in words_of(text) if word not in _STOP]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


class Retriever:
    """An index over passages, made once for a model.

    Args:
        passages: at least one.
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = tuple(passages)
        # Without names: a flat is no Flat-Coated Retriever.
        self._words = [frozenset(terms_of(passage.said)) for passage in passages]
        import bm25s  # with what it brings, a tenth of a second that a start can do without

        logging.getLogger("bm25s").setLevel(logging.WARNING)  # by itself it reports every index
        self._index = bm25s.BM25()
        self._index.index(
            [terms_of(f"{passage.names} {passage.said}") for passage in passages], show_progress=False
        )

    def find(self, question: str, limit: int = 3) -> list[Passage]:
        """The passages that answer a question, best first; empty when none does.

        Breeds that the question names must be what a passage is about, and a passage must hold most of
        everything else that it asks. A question that only names a breed gets what the breed is like.
        """
        breeds, rest = named_in(question)
        named = {breed.id for breed in breeds}
        species = {word.removesuffix("s") for word in rest.split()} & {"cat", "dog"}
        asked = terms_of(rest)
        if not named and not asked:
            return []
        words = terms_of(question)
        known = [word for word in words if word in self._index.vocab_dict]
        scores = self._index.get_scores(known) if known else np.zeros(len(self.passages))
        fit = [
            (len(named & {passage.breed, passage.other}), float(score), number)
            for number, (passage, score) in enumerate(zip(self.passages, scores, strict=True))
            if self._answers(number, named, asked)
            and (named or len(species) != 1 or get_breed(passage.breed).species in species)
        ]
        best = max((shared for shared, _, _ in fit), default=0)
        ranked = sorted((entry for entry in fit if entry[0] == best), key=lambda entry: (-entry[1], entry[2]))
        return [self.passages[number] for _, _, number in ranked[:limit]]

    def _answers(self, number: int, named: set[str], asked: Sequence[str]) -> bool:
        passage = self.passages[number]
        if named and not named & {passage.breed, passage.other}:
            return False
        if named == {passage.breed, passage.other}:
            return True
        if not asked:  # only a name: what it is like
            return passage.kind == "character"
        share = _COVERED_NAMED if named else _COVERED
        return sum(word in self._words[number] for word in asked) >= share * len(asked)
