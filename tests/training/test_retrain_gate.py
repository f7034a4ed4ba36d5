"""The gate: what it lets pass, what it stops, and that it says why."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.bundle import Bundle, load_bundle
from smartbreed.training_jobs.plots_in_words import in_words
from training.continual import plots
from training.continual.baseline import Baseline, baseline_of
from training.continual.calibrate import shifted_verification
from training.continual.flagged import FOLDS, Answers, folds_of, split
from training.continual.gate import GateResult, ModelLogits, compare
from training.continual.loss_checks import HELD, MARGINS, WORSE, check_parts, parts_check
from training.continual.significance import Pairs, paired, paired_calibration, pairs, smallest_loss
from training.export.gate_set import GateSet, build_gate, load_gate, stand_in
from training.models.linear_head import Examples

LABELS, EACH = 20, 30
GROUPS = [f"group{label // 4}" for label in range(LABELS)]


def gate_set() -> GateSet:
    labels = np.repeat(np.arange(LABELS), EACH)
    names = [f"breed{label}" for label in range(LABELS)]
    nothing = np.zeros((len(labels), 2), np.float32)
    return GateSet(nothing, labels, names, np.full(len(labels), ""), nothing[:0])


def model(right: np.ndarray, sure: float = 2.0, extra: int = 0) -> ModelLogits:
    """Logits that name the label where ``right`` and its neighbour elsewhere, each as sure as the other."""
    labels = gate_set().labels
    logits = np.zeros((len(labels), LABELS + extra), np.float32)
    logits[np.arange(len(labels)), np.where(right, labels, (labels + 1) % LABELS)] = sure
    # Calibrated: as many are right as the probability says.
    share = right.mean()
    others = logits.shape[1] - 1
    return ModelLogits(logits, float(sure / np.log(share * others / (1 - share))))


def answers(before: int, after: int, count: int = 40) -> Answers:
    labels = np.arange(count) % LABELS

    def said(right: int) -> np.ndarray:
        logits = np.zeros((count, LABELS), np.float32)
        logits[np.arange(count), np.where(np.arange(count) < right, labels, (labels + 1) % LABELS)] = 2.0
        return logits

    return Answers(labels, said(before), said(after))


def mostly(wrong: int = 60, seed: int = 0) -> np.ndarray:
    right = np.ones(LABELS * EACH, bool)
    right[np.random.default_rng(seed).permutation(len(right))[:wrong]] = False
    return right


def verdict(champion: ModelLogits, challenger: ModelLogits, flagged: Answers | None = None) -> GateResult:
    return compare(champion, challenger, gate_set(), GROUPS, flagged or answers(4, 20))


def failed(found: GateResult) -> list[str]:
    return [check.name for check in found.checks if not check.passed]


def test_better_on_what_was_flagged_and_the_same_elsewhere_passes() -> None:
    found = verdict(model(mostly()), model(mostly(), extra=1))
    assert found.passed
    assert failed(found) == []
    assert len(found.reasons) == 5
    assert found.undecided == [], "six hundred pictures decide everything"
    assert all(check.decided for check in found.checks)
    assert "50% are right" in found.checks[-1].sentence
    assert found.figures["gate"]["top1"] == {"champion": 0.9, "challenger": 0.9}


def test_losses_too_small_for_the_gate_are_stopped_when_they_add_up() -> None:
    """Each of many releases loses a third of a point; the fourth would lie too far below the first."""
    baseline, wrong, passed = None, 60, 0
    for _ in range(10):
        before, after = model(mostly(wrong)), model(mostly(wrong + 2))
        baseline = baseline or baseline_of({"version": "1.2.0"}, before.logits, gate_set())
        found = compare(before, after, gate_set(), GROUPS, answers(4, 20), baseline=baseline)
        if not found.passed:
            break
        passed, wrong = passed + 1, wrong + 2
    assert passed == 3
    assert failed(found) == ["root"]
    assert "Against version 1.2.0" in found.reasons[0]
    assert "-1.3 points" in found.reasons[0]
    assert verdict(model(mostly(66)), model(mostly(68))).passed, "its parent alone would have let it pass"


def test_the_root_is_carried_along_and_belongs_to_one_gate_set() -> None:
    logits = model(mostly(60)).logits
    config = {"version": "1.4.0", "root": {"version": "1.2.0", "top1": 0.91, "pictures": LABELS * EACH}}
    assert baseline_of(config, logits, gate_set()) == Baseline("1.2.0", 0.91, LABELS * EACH)
    config["root"] = {"version": "1.2.0", "top1": 0.91, "pictures": 5}
    own = baseline_of(config, logits, gate_set())
    assert own is not None
    assert (own.version, own.top1, own.pictures) == ("1.4.0", 0.9, LABELS * EACH)
    right = own.right_answers()
    assert right is not None
    assert np.array_equal(right, mostly(60))
    assert baseline_of(config, logits, replace(gate_set(), trained=True)) is None


def test_worse_overall_is_stopped_and_says_by_how_much() -> None:
    found = verdict(model(mostly(60)), model(mostly(75)))
    assert "overall" in failed(found)
    assert "87.5% right" in found.reasons[0]


def test_a_gain_elsewhere_does_not_excuse_a_group() -> None:
    worse = mostly(60)
    group = np.array([GROUPS[label] == "group2" for label in gate_set().labels])
    worse[np.flatnonzero(group & worse)[::7][:14]] = False
    worse[np.flatnonzero(~group & ~worse)[:40]] = True
    found = verdict(model(mostly(60)), model(worse))
    assert failed(found) == ["groups"]
    assert "Group2 by" in found.reasons[0]
    assert "14 lost, 0 gained" in found.reasons[0]


def test_a_gain_elsewhere_does_not_excuse_a_breed() -> None:
    worse = mostly(60)
    breed, group = (gate_set().labels == 9), np.isin(gate_set().labels, [8, 10, 11])
    worse[np.flatnonzero(breed & worse)[:9]] = False
    worse[np.flatnonzero(group & ~worse)[:9]] = True
    found = verdict(model(mostly(60)), model(worse))
    assert failed(found) == ["breeds"]
    assert "Breed9 by 30 points of 30 pictures (9 lost, 0 gained)" in found.reasons[0]


def small(right: str, sure: float = 2.0) -> ModelLogits:
    """Logits of as many pictures of two breeds as there are letters: x for a right answer."""
    labels = np.arange(len(right)) % 2
    logits = np.zeros((len(right), 2), np.float32)
    logits[np.arange(len(right)), np.where(np.array(list(right)) == "x", labels, 1 - labels)] = sure
    return ModelLogits(logits, 1.0)


def small_verdict(before: str, after: str, baseline: Baseline | None = None) -> GateResult:
    labels = np.arange(len(before)) % 2
    nothing = np.zeros((len(labels), 2), np.float32)
    gate = GateSet(nothing, labels, ["ann", "bob"], np.full(len(labels), ""), nothing[:0])
    logits = np.zeros((20, 2), np.float32)
    logits[:, 1] = np.where(np.arange(20) < 6, 2.0, -2.0)
    flagged = Answers(np.ones(20, np.int64), logits, np.abs(logits))
    return compare(small(before), small(after), gate, ["ann", "bob"], flagged, baseline=baseline)


def test_one_picture_of_ten_proves_nothing_and_the_verdict_says_so() -> None:
    baseline = baseline_of({"version": "1.0.0"}, small("xxxxxxxxxx").logits, ten())
    found = small_verdict("xxxxxxxxxx", "xxxxxxx.xx", baseline)
    assert found.passed, found.reasons
    open_ = {check.name for check in found.checks if not check.decided}
    assert {"overall", "root"} <= open_
    assert "10 pictures cannot show a loss of 1.2 points" in found.undecided[0]
    assert "1 lost and 0 gained" in found.checks[0].sentence
    assert "Bob by 20 points of 5 pictures" in " ".join(check.sentence for check in found.checks)


def ten() -> GateSet:
    nothing = np.zeros((10, 2), np.float32)
    return GateSet(nothing, np.arange(10) % 2, ["ann", "bob"], np.full(10, ""), nothing[:0])


@pytest.mark.parametrize(
    ("after", "passes"), [("xxxxxx....", True), ("xxxxx.....", False), ("....x.x...", False)]
)
def test_a_loss_that_chance_does_not_explain_is_refused_even_of_ten(after: str, passes: bool) -> None:
    found = small_verdict("xxxxxxxxxx", after)
    overall = found.checks[0]
    assert (overall.name, overall.passed) == ("overall", passes), overall.sentence


def test_losses_of_one_picture_add_up_in_a_small_set_too() -> None:
    """Each release loses one more picture of ten; the fifth is refused, whatever the champion was like."""
    baseline = baseline_of({"version": "1.0.0"}, small("xxxxxxxxxx").logits, ten())
    assert baseline is not None
    for lost in range(1, 7):
        before, after = ("." * n + "x" * (10 - n) for n in (lost - 1, lost))
        found = small_verdict(before, after, Baseline(**baseline.as_dict()))
        assert found.checks[1].name == "root"
        assert found.checks[1].passed == (lost < 5), found.checks[1].sentence


def test_a_root_that_knows_only_its_score_is_compared_by_it() -> None:
    found = small_verdict("xxxxxxxx..", "xxxx......", Baseline("1.0.0", 0.9, 10))
    assert not found.checks[1].passed, "five fewer right than the root"
    assert small_verdict("xxxxxxxx..", "xxxxx.....", Baseline("1.0.0", 0.9, 10)).checks[1].passed
    assert Baseline("1.0.0", 0.9, 10, "no digits").right_answers() is None
    assert Baseline("1.0.0", 0.9, 10, "ff").right_answers() is None


def test_the_exact_test_counts_discordant_pictures() -> None:
    one = np.array([True] * 9 + [False] * 4)
    other = one.copy()
    other[:6], other[9:11] = False, True
    found = pairs(one, other)
    assert (found.count, found.lost, found.gained) == (13, 6, 2)
    assert found.chance == pytest.approx(sum(math.comb(8, k) for k in (6, 7, 8)) / 2**8)
    assert Pairs(10, 0, 0).chance == 1.0
    assert smallest_loss(0.05) == 5
    assert Pairs(10, 5, 0).worse(0.2, 0.05)
    assert not Pairs(10, 4, 0).worse(0.2, 0.05)


def test_a_large_set_is_still_held_to_the_margin_whatever_chance_says() -> None:
    """Seven of 600 pictures lost and three gained: chance explains it, 0.67 points are too many."""
    before = mostly(60)
    after = before.copy()
    after[np.flatnonzero(before)[:7]], after[np.flatnonzero(~before)[:3]] = False, True
    assert pairs(before, after).chance > 0.05
    assert "overall" in failed(verdict(model(before), model(after)))


def test_probabilities_that_mean_less_are_stopped() -> None:
    sure = model(mostly())
    found = verdict(sure, replace(sure, temperature=sure.temperature / 4))
    assert failed(found) == ["calibration"]


@pytest.mark.parametrize("after", [4, 2])
def test_no_better_on_what_was_flagged_is_stopped(after: int) -> None:
    found = verdict(model(mostly()), model(mostly()), answers(4, after))
    assert failed(found) == ["flagged"]
    assert "resamples" in found.reasons[0]


def test_too_few_flagged_samples_say_nothing() -> None:
    found = verdict(model(mostly()), model(mostly()), answers(0, 4, 4))
    assert failed(found) == ["flagged"]
    assert "Only 4 newly accepted samples" in found.reasons[0]


def test_a_label_the_champion_lacks_counts_as_not_known() -> None:
    labels = np.full(8, LABELS)
    before, after = np.zeros((8, LABELS), np.float32), np.zeros((8, LABELS + 1), np.float32)
    after[:, -1] = 5.0
    found = verdict(model(mostly()), model(mostly(), extra=1), Answers(labels, before, after))
    assert found.passed
    assert found.figures["flagged"]["top1"] == {"champion": 0.0, "challenger": 1.0}


def test_the_bootstrap_knows_a_sure_difference_from_chance() -> None:
    rng = np.random.default_rng(0)
    one = rng.random(300) < 0.8
    better = one | (rng.random(300) < 0.3)
    assert paired(one, better).better > 0.99
    assert paired(one, better).low > 0
    assert paired(one, one).better == 0.5
    shuffled = rng.permutation(one)
    assert paired(one, shuffled).low < 0 < paired(one, shuffled).high
    assert paired(one[:0], one[:0]).count == 0


def test_the_calibration_bootstrap_sees_overconfidence() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.5, 1, 800)
    right = rng.random(800) < confidence
    found = paired_calibration((confidence, right), (np.minimum(1, confidence + 0.15), right))
    assert found.low > 0.05
    assert found.better < 0.01
    assert paired_calibration((confidence, right), (confidence, right)).mean == 0


def test_what_is_held_out_is_held_out_for_good() -> None:
    rng = np.random.default_rng(2)
    keys = [f"{int(rng.integers(2**63)) * 2:016x}" for _ in range(400)]
    labels = rng.integers(0, 5, 400)
    labels[:12] = 9  # a new breed with few pictures
    out = split(keys, labels, 5, set())
    assert 0.05 < out.mean() < 0.16
    assert not out[:12].any()
    more = split(keys + [f"{7:016x}"] * 3, np.append(labels, [1, 1, 1]), 5, set())
    assert np.array_equal(more[:400], out)
    trained = {key for key, held in zip(keys, out, strict=True) if held}
    assert not split(keys, labels, 5, trained).any()


def test_every_label_is_spread_over_the_folds() -> None:
    keys = [f"{n * 7919:016x}" for n in range(60)]
    labels = np.arange(60) // 10
    fold = folds_of(keys, labels)
    for label in range(6):
        assert sorted(np.bincount(fold[labels == label], minlength=FOLDS)) == [2] * FOLDS
    again = folds_of(keys[::-1], labels[::-1])
    assert np.array_equal(again[::-1], fold)


def test_box_verification_decides_as_before_when_only_the_scale_moved() -> None:
    rng = np.random.default_rng(3)
    before = rng.normal(5, 2, 200)
    confirm = {"candidate": 0.1, "detector": 1.2, "classifier": 0.8, "bias": -3.0}
    after = shifted_verification(confirm, before, (before - 1.5) / 1.7)
    moved = after["classifier"] * ((before - 1.5) / 1.7) + after["bias"]
    assert np.allclose(moved, 0.8 * before - 3.0, atol=0.01)
    assert (after["candidate"], after["detector"]) == (0.1, 1.2)


def test_a_gate_set_survives_its_file(tmp_path) -> None:
    rng = np.random.default_rng(4)
    embeddings, away = rng.random((30, 8)).astype(np.float32), rng.random((3, 8)).astype(np.float32)
    origins = np.array([""] * 25 + [f"{n:016x}" for n in range(5)])
    build_gate(
        tmp_path / "gate.npz",
        embeddings,
        np.arange(30) % 4,
        list("abcd"),
        out_of_distribution=away,
        origins=origins,
    )
    shipped = load_bundle(EMBEDDED_BUNDLE)
    config = shipped.config.model_copy(update={"files": {"gate.npz": "0"}})
    found = load_gate(Bundle(tmp_path, config, shipped.version))
    assert found is not None
    assert np.allclose(found.embeddings, embeddings, atol=0.01)
    assert np.allclose(found.out_of_distribution, away, atol=0.01)
    assert found.base.sum() == 25
    assert load_gate(Bundle(tmp_path, config.model_copy(update={"files": {}}), shipped.version)) is None


def test_a_stand_in_takes_a_fifth_of_every_breed() -> None:
    memory = Examples.of(np.zeros((60, 3)), np.repeat(np.arange(3), 20))
    gate, rest = stand_in(memory, list("abc"))
    assert np.array_equal(np.bincount(gate.labels), [4, 4, 4])
    assert np.array_equal(np.bincount(rest.labels), [16, 16, 16])
    assert gate.trained


@given(
    st.dictionaries(
        st.sampled_from([f"group{number}" for number in range(6)]),
        st.tuples(st.integers(1, 60), st.integers(0, 20), st.integers(0, 20)),
        min_size=1,
    )
)
def test_every_group_that_lost_is_in_the_sentences_as_it_is_in_the_plot(
    found: dict[str, tuple[int, int, int]],
) -> None:
    counted = {
        name: Pairs(count + lost + gained, lost, gained) for name, (count, lost, gained) in found.items()
    }
    parts = check_parts(counted, MARGINS.group, MARGINS)
    check = parts_check("groups", "breed group", parts, MARGINS.group, MARGINS)
    said = f"{check.sentence} {check.undecided}"
    for part in parts:
        drawn = part.as_dict()
        assert (drawn["mean"] < 0) == (part.state != HELD)
        points = f"{part.name} by {-100 * drawn['mean']:.0f} points"
        assert (points in said) == (drawn["mean"] < 0)
    assert ("No breed group got worse (" in said) == all(part.state == HELD for part in parts)
    assert check.passed == all(part.state != WORSE for part in parts)


def test_the_plot_shows_what_the_sentence_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven points fewer are within what is allowed, but they are not "no group got worse"."""
    before, worse = mostly(60), mostly(60)
    mine = np.array([GROUPS[label] == "group2" for label in gate_set().labels])
    worse[np.flatnonzero(mine & before)[:8]] = False  # of 120
    found = verdict(model(before), model(worse))
    drawn: list[Any] = []
    real = plots.figure

    @contextmanager
    def watched(*arguments: Any) -> Iterator[Any]:
        with real(*arguments) as one:
            yield one
            drawn.append(one.axes[0])

    monkeypatch.setattr(plots, "figure", watched)
    plots.draw(tmp_path, found.figures, [{"version": "1.0.0", "gate_top1": 0.9}], "1.0.1")
    axes = next(one for one in drawn if "groups" in one.get_title("left"))
    sentence = next(check.sentence for check in found.checks if check.name == "groups")
    assert "Group2 by 7 points of 120 pictures (8 lost, 0 gained)" in sentence
    names = [text.get_text() for text in axes.get_yticklabels()]
    texts = [text.get_text() for text in axes.texts]
    legend = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert "Group2 (120)" in names
    assert texts == ["8 lost, 0 gained"]
    assert "lost no more than is allowed" in legend
    assert (tmp_path / "breed_groups.png").stat().st_size > 1000
    assert in_words("breed_groups", {"figures": found.figures}) == (
        f"1 lost no more than is allowed: Group2 by 7 points. {len(names) - 1} of {len(names)} are not worse."
    ), "those who cannot see it hear the same"
