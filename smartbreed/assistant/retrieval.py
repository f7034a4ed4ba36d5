"""Find passages that answer a question: BM25 (Robertson and Zaragoza 2009) over names, texts and topics."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

import numpy as np

from smartbreed.assistant.passages import Passage
from smartbreed.breeds.catalogue import get_breed, named_in, words_of

#: Stop words.
_STOP = frozenset(
    re.findall(
        r"\w+",
        """a about an and any are as at be been being best breed breeds but by can cat cats could did do does
        dog dogs for from get give good had has have how i if in is it its kind me more most much my need
        needs of on one or our please should show so some tell than that the their them there these they this
        those to too us want was we were what when which who why will with would""",
    )
)
#: Smallest share of a question's terms, without breed names, that a passage must contain to answer it: for
#: questions that name a breed, and for those that name none.
_COVERED_NAMED, _COVERED = 0.5, 0.75


def terms_of(text: str) -> list[str]:
    """Return the words of a text in singular form, without stop words."""
    return [_singular(word) for word in words_of(text) if word not in _STOP]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


class Retriever:
    """A BM25 index over the passages for one model.

    Args:
        passages: empty for a model whose breeds have none.
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = tuple(passages)
        # Names are left out, or a question about a flat would match the Flat-Coated Retriever.
        self._words = [frozenset(terms_of(passage.said)) for passage in passages]
        import bm25s  # imported here: with its dependencies it would delay the start by 0.1 s

        logging.getLogger("bm25s").setLevel(logging.WARNING)  # by default it logs every index
        self._index = bm25s.BM25()
        if passages:
            self._index.index(
                [terms_of(f"{passage.names} {passage.said}") for passage in passages], show_progress=False
            )

    def find(self, question: str, limit: int = 3) -> list[Passage]:
        """Return the passages that answer a question, best first; empty if none does.

        If the question names breeds, a passage must be about one of them, and those about most of them are
        taken. It must also contain most of the question's other terms, unless it compares exactly the named
        breeds. A question with nothing but a breed's name gets the passage about its character. If no breed
        but one species is named, only passages about that species count.

        Args:
            limit: maximum number of passages.
        """
        breeds, rest = named_in(question)
        named = {breed.id for breed in breeds}
        species = {word.removesuffix("s") for word in rest.split()} & {"cat", "dog"}
        asked = terms_of(rest)
        if not self.passages or (not named and not asked):
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
        if not asked:  # the question only names a breed
            return passage.kind == "character"
        share = _COVERED_NAMED if named else _COVERED
        return sum(word in self._words[number] for word in asked) >= share * len(asked)
