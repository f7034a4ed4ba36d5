"""Answers questions about breeds from our own texts, with citations; admits what the texts do not hold."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from smartbreed.assistant.passages import Passage
from smartbreed.assistant.retrieval import Retriever
from smartbreed.breeds.catalogue import get_breed

log = logging.getLogger(__name__)

#: Longest question, in characters; what comes after is not read.
MOST = 500
UNKNOWN = (
    "I do not know. I answer from the breed pages: size, character, coat, grooming, exercise, history, "
    "and how to tell breeds apart."
)
#: Puts what was retrieved into words: (question, texts) → answer. If it raises, the texts themselves answer.
Phrase = Callable[[str, Sequence[str]], str]


@dataclass(frozen=True)
class Answer:
    """An answer and where it comes from.

    Attributes:
        text: sentences, as they stand in the breed texts or phrased from them.
        citations: the passages; empty when nothing was found.
        phrased: True when a language model put it into words.
    """

    text: str
    citations: tuple[Passage, ...] = ()
    phrased: bool = False


def answer(question: str, retriever: Retriever, phrase: Phrase | None = None) -> Answer:
    """Answer a question from the passages of a retriever, and from nothing else.

    Args:
        question: any text; the first `MOST` characters count.
        phrase: puts the passages into words; None: they are quoted.

    Example:
        >>> answer("How much exercise does a whippet need?", Retriever(passages())).citations[0].title
        'Whippet: exercise'
    """
    question = " ".join(question[:MOST].split())
    found = tuple(retriever.find(question))
    if not found:
        return Answer(UNKNOWN)
    if phrase is not None:
        try:
            if text := phrase(question, [f"{passage.title}. {passage.text}" for passage in found]).strip():
                return Answer(text, found, phrased=True)
        except Exception as error:  # a service of others: whatever goes wrong there, the texts are here
            log.warning("the language model did not answer: %s", type(error).__name__)
    return Answer(_quoted(found), found)


def _quoted(found: Sequence[Passage]) -> str:
    """The texts as they stand; of several breeds one each, under its name."""
    first = {passage.breed: passage for passage in reversed(found) if not passage.other}
    if found[0].other or len(first) < 2:
        return found[0].text
    return "\n\n".join(f"{get_breed(breed).name}: {first[breed].text}" for breed in reversed(first))
