"""A breed is learnt from a few pictures, and the others keep theirs: on the embeddings that ship."""

from __future__ import annotations

import numpy as np
import pytest
from support.shipped_head import ShippedHead

from smartbreed.inference.head import Head
from training.continual.fit_head import LabelledViews, fit_head
from training.continual.memory import Memory, herd, load_memory, refresh
from training.continual.new_breed import TAKEN, ParentHead, add_breed, set_bias
from training.models.linear_head import Examples


class HeldOut(ShippedHead):
    """What ships, as if it lacked a breed."""

    def without(self, gone: int) -> tuple[ParentHead, Examples, np.ndarray, np.ndarray]:
        """The parent without a breed, that breed's embeddings, and the gate set of the others."""
        mine, judged = self.memory.labels == gone, self.gate.labels != gone
        kept = self.memory.take(np.flatnonzero(~mine))
        others = Examples.of(kept.embeddings, kept.labels - (kept.labels > gone))
        labels = self.gate.labels[judged]
        return (
            ParentHead(self.head.without(gone), others), self.memory.take(np.flatnonzero(mine)),
            self.gate.embeddings[judged], labels - (labels > gone),
        )  # fmt: skip


@pytest.fixture(scope="module")
def world() -> HeldOut:
    return HeldOut()


def right(head: Head, embeddings: np.ndarray, labels: np.ndarray) -> float:
    return float((head.logits(embeddings).argmax(1) == labels).mean())


def test_breeds_held_out_in_turn_are_learnt_from_ten_pictures(world: HeldOut) -> None:
    own, lost = [], []
    for gone in range(4, len(world.names), 26):
        parent_head, pictures, others, labels = world.without(gone)
        new = len(parent_head.head)
        head = add_breed(parent_head, parent_head.head, pictures.embeddings[:10, None])
        own.append((head.logits(pictures.embeddings[10:]).argmax(1) == new).mean())
        lost.append(100 * (right(parent_head.head, others, labels) - right(head, others, labels)))
        assert np.array_equal(head.kernel[:, :new], parent_head.head.kernel)  # no other score moves
    assert np.mean(own) >= 0.8
    assert np.mean(lost) <= 0.6  # of 680 pictures


def test_what_is_no_pet_stays_none(world: HeldOut) -> None:
    """Half of the out-of-distribution pictures are shown; few of the other half become the new breed."""
    shown, asked = world.gate.out_of_distribution[::2], world.gate.out_of_distribution[1::2]
    taken, risen, taken_unshown = [], [], []
    for name in ("pug", "keeshond", "siamese"):
        parent_head, pictures, *_ = world.without(world.names.index(name))
        new, before = len(parent_head.head), parent_head.head.logits(asked).max(1)
        for out_of_distribution, share in ((shown, taken), (None, taken_unshown)):
            parent = ParentHead(parent_head.head, parent_head.memory, out_of_distribution)
            logits = add_breed(parent, parent.head, pictures.embeddings[:10, None]).logits(asked)
            share.append((logits.argmax(1) == new).mean())
            if out_of_distribution is not None:
                risen.append((logits.max(1) - before).mean())
    assert np.mean(taken) <= 0.35 < 0.6 <= np.mean(taken_unshown)
    assert np.mean(risen) <= 0.15  # of the largest logit, by which box verification decides what is a pet


def test_the_bias_takes_no_more_than_its_share(world: HeldOut) -> None:
    parent_head, pictures, *_ = world.without(30)
    head = add_breed(parent_head, parent_head.head, pictures.embeddings[:6, None])
    memory = parent_head.memory
    was = parent_head.head.logits(memory.embeddings).argmax(1) == memory.labels
    taken = was & (head.logits(memory.embeddings).argmax(1) == len(parent_head.head))
    assert taken.sum() <= TAKEN * was.sum()
    assert np.array_equal(set_bias(head, len(head) - 1, memory).bias[:-1], head.bias[:-1])


def test_two_breeds_at_once_are_distinguished(world: HeldOut) -> None:
    first, second = world.names.index("pug"), world.names.index("samoyed")
    _, samoyeds, *_ = world.without(second)
    world_without = world.without(first)
    parent_head, pugs = world_without[0], world_without[1]
    rest = parent_head.memory.labels != second - (second > first)
    place = second - (second > first)
    kept = parent_head.memory.take(np.flatnonzero(rest))
    both = ParentHead(
        parent_head.head.without(place), Examples.of(kept.embeddings, kept.labels - (kept.labels > place))
    )
    known = len(both.head)
    views = np.concatenate([pugs.embeddings[:8], samoyeds.embeddings[:8]])[:, None]
    head = fit_head(both, LabelledViews(views, np.repeat([known, known + 1], 8)), known + 2)
    assert (head.logits(pugs.embeddings[8:]).argmax(1) == known).mean() >= 0.7
    assert (head.logits(samoyeds.embeddings[8:]).argmax(1) == known + 1).mean() >= 0.7


def test_corrections_are_learnt_and_little_else_changes(world: HeldOut) -> None:
    parent_head = ParentHead(world.head, world.memory)
    said = world.head.logits(world.memory.embeddings).argmax(1)
    wrong = np.flatnonzero(said != world.memory.labels)[:30]
    accepted = LabelledViews(world.memory.embeddings[wrong, None], world.memory.labels[wrong])
    head = fit_head(parent_head, accepted, len(world.head))
    assert right(head, world.memory.embeddings[wrong], accepted.labels) >= 0.4
    before, after = (right(h, world.gate.embeddings, world.gate.labels) for h in (world.head, head))
    assert after >= before - 0.006
    touched = np.union1d(accepted.labels, said[wrong])
    stayed = np.setdiff1d(np.arange(len(head)), touched)
    assert np.array_equal(head.kernel[:, stayed], world.head.kernel[:, stayed])


def test_too_few_pictures_make_a_row_that_never_wins(world: HeldOut) -> None:
    parent_head, pictures, others, _ = world.without(0)
    accepted = LabelledViews(pictures.embeddings[:2, None], np.full(2, len(parent_head.head)))
    head = fit_head(parent_head, accepted, len(parent_head.head) + 1)
    assert not (head.logits(others).argmax(1) == len(parent_head.head)).any()
    with pytest.raises(ValueError, match="Received: 2"):
        add_breed(parent_head, parent_head.head, pictures.embeddings[:2, None])


def test_the_memory_takes_in_what_was_learnt_and_stays_balanced(world: HeldOut, tmp_path) -> None:
    names = [*world.names, "treeing_cur"]
    base = world.memory
    memory = Memory(base.embeddings, base.labels, np.full(len(base), "", "<U16"))
    views = np.repeat(base.embeddings[:15, None], 5, axis=1)
    accepted = LabelledViews(views, np.array([0] * 9 + [len(world.names)] * 6))
    keys = [f"{n:016x}" for n in range(15)]
    refresh(tmp_path / "replay.npz", memory, accepted, keys, names, per_label=20)
    found = load_memory(tmp_path / "replay.npz", names)
    counts = np.bincount(found.labels)
    assert counts[0] == 20
    assert (found.origins[found.labels == 0] != "").sum() == 9
    assert counts[-1] == 20  # six pictures, filled up with their views
    assert set(found.origins[found.labels == len(world.names)]) == set(keys[9:])
    assert found.base.labels.max() == len(world.names) - 1
    again = load_memory(tmp_path / "replay.npz", names)
    refresh(tmp_path / "again.npz", again, accepted.take(np.arange(0)), [], names, per_label=20)
    assert not (load_memory(tmp_path / "again.npz", names).origins != "").any()  # withdrawn: gone


def test_herding_keeps_the_mean(world: HeldOut) -> None:
    some = world.memory.embeddings[world.memory.labels == 7]
    chosen = herd(some, 8)
    assert len(set(chosen.tolist())) == 8

    def away(index: np.ndarray) -> float:
        return float(np.linalg.norm(some[index].mean(0) - some.mean(0)))

    rng = np.random.default_rng(0)
    assert away(chosen) < min(away(rng.permutation(len(some))[:8]) for _ in range(20))
