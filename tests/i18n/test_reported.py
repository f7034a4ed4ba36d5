"""What a retraining reports in English, read in other languages: every word of it, figures and names left."""

from __future__ import annotations

import re

import numpy as np
import pytest

from smartbreed.breeds.catalogue import BREEDS
from smartbreed.i18n import ENGLISH, LANGUAGES, each_translated, speaking
from smartbreed.i18n.sentences import catalogue
from smartbreed.training_jobs.job import NO_MODEL
from training.continual.baseline import Baseline
from training.continual.gate import Answers, GateSet, ModelLogits, compare
from training.continual.loss_checks import MARGINS, Check, check_parts, parts_check
from training.continual.significance import Pairs

OTHERS = [code for code in LANGUAGES if code != ENGLISH]
WORD = re.compile(r"[^\W\d_]{4,}")
LABELS = ("pug", "boxer", "beagle", "birman", "bengal", "siamese")


def logits(right: np.ndarray, labels: np.ndarray) -> np.ndarray:
    found = np.zeros((len(labels), len(LABELS)), np.float32)
    found[np.arange(len(labels)), np.where(right, labels, (labels + 1) % len(LABELS))] = 3.0
    return found


def checks(each: int, wrong: int, flagged: int) -> list[Check]:
    """Those of a gate with so many pictures of each breed, of which the challenger loses so many."""
    labels = np.repeat(np.arange(len(LABELS)), each)
    nothing = np.zeros((len(labels), 2), np.float32)
    gate = GateSet(nothing, labels, list(LABELS), np.full(len(labels), ""), nothing[:0])
    before = np.ones(len(labels), bool)
    after = np.arange(len(labels)) >= wrong
    models = [ModelLogits(logits(right, labels), 1.0) for right in (before, after)]
    wanted = np.arange(flagged) % len(LABELS)
    named = logits(np.ones(flagged, bool), wanted)
    groups = [BREEDS[label].group or label for label in LABELS]
    root = Baseline("1.0.0", 1.0, len(labels), np.packbits(before).tobytes().hex())
    found = compare(*models, gate, groups, Answers(wanted, named, named), baseline=root).checks
    stand_in = GateSet(nothing, labels, list(LABELS), np.full(len(labels), ""), nothing[:0], True)
    return [*found, *compare(*models, stand_in, groups, Answers(wanted, named, named)).checks]


def reported() -> list[str]:
    found = [*checks(60, 0, 20), *checks(60, 90, 20), *checks(3, 1, 2), *checks(3, 9, 1)]
    parts = {breed: Pairs(9, 2, 0) for breed in list(BREEDS)[:12]}
    found.append(parts_check("breeds", "breed", check_parts(parts, 0.01, MARGINS), 0.01, MARGINS))
    return [
        *(one.sentence for one in found),
        *(one.undecided for one in found if one.undecided),
        *NO_MODEL.values(),
        "Its process was ended by signal 11. Nothing was published; you can start it again.",
        "No newly accepted photos to learn from since version 1.3.0; at least 5 are needed.",
        "Mudi is not learnt yet: 3 accepted pictures of the 5 it needs.",
        "Left out: 2 over one person's share.",
        "It does not recognise other animals any more, because it was made without pictures of them.",
        "Learning Pug, Boxer, Beagle, Mudi and 7 more breeds",
        "Looking at 12 accepted photos",
    ]


@pytest.mark.parametrize("code", OTHERS)
def test_no_word_of_a_report_stays_english(code: str) -> None:
    spoken = {
        word.casefold()
        for one in catalogue(code)
        for string in ([one.string] if isinstance(one.string, str) else one.string)
        for word in WORD.findall(re.sub(r"%\(\w+\)s|<[^>]*>", " ", string))
    }
    names = [one.name for one in BREEDS.values()]
    spoken |= {word.casefold() for name in [*names, "Mudi"] for word in WORD.findall(name)}
    sentences = reported()
    assert any("Got worse" in one for one in sentences)
    assert any("Chance may explain" in one and "more" in one for one in sentences)
    assert any("standing in for a gate set" in one for one in sentences)
    for sentence in sentences:
        with speaking(code):
            said = each_translated(sentence)
        assert said != sentence
        assert [word for word in WORD.findall(said) if word.casefold() not in spoken] == [], said
        assert sorted(re.findall(r"\d+(?:\.\d+)?", said)) == sorted(re.findall(r"\d+(?:\.\d+)?", sentence))
        assert each_translated(sentence) == sentence, "in English it stays as it was reported"
