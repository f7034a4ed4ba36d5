"""Answer questions about breeds from our own texts, with citations; say so if the texts hold no answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from smartbreed.assistant.passages import Passage
from smartbreed.assistant.retrieval import Retriever
from smartbreed.breeds.catalogue import get_breed

log = logging.getLogger(__name__)

#: Characters of a question that are read; the rest is ignored.
MOST = 500
UNKNOWN = (
    "I do not know. I answer from the breed pages: size, character, coat, grooming, exercise, history, "
    "and how to tell breeds apart."
)
#: Phrases an answer from retrieved texts: (question, texts) → answer. If it raises or the answer is empty,
#: the texts are quoted.
Phrase = Callable[[str, Sequence[str]], str]


@dataclass(frozen=True)
class Answer:
    """An answer and its sources.

    Attributes:
        text: sentences quoted from the breed texts, or phrased from them.
        citations: the passages used; empty if none was found.
        phrased: True if a language model phrased the answer.
    """

    text: str
    citations: tuple[Passage, ...] = ()
    phrased: bool = False


def answer(question: str, retriever: Retriever, phrase: Phrase | None = None) -> Answer:
    """Answer a question from the passages of a retriever only.

    Args:
        question: any text; only the first `MOST` characters are read.
        retriever: finds the passages.
        phrase: phrases the answer; None to quote the passages.

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
        except Exception as error:  # an external service may fail in any way; the texts can still be quoted
            log.warning("the language model did not answer: %s", type(error).__name__)
    return Answer(_quoted(found), found)


def _quoted(found: Sequence[Passage]) -> str:
    """Quote the best passage; if several breeds are found, the best one of each, after its name."""
    first = {passage.breed: passage for passage in reversed(found) if not passage.other}
    if found[0].other or len(first) < 2:
        return found[0].text
    return "\n\n".join(f"{get_breed(breed).name}: {first[breed].text}" for breed in reversed(first))
