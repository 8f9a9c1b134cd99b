"""What holds for every scores and counts: found by search, on maps small enough to try all label maps."""

from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_pfdiff.phases.quota import assign_with_quota, largest_remainder

# Few levels make ties, which floats never do.
SCORES = st.one_of(st.integers(-2, 2).map(float), st.floats(-1e4, 1e4, width=32))


@st.composite
def maps(draw):
    """Scores (K, P) of up to seven pixels, and the class of each place that is to be filled."""
    num_classes, pixels = draw(st.integers(1, 4)), draw(st.integers(1, 7))
    rows = st.lists(SCORES, min_size=pixels, max_size=pixels)
    scores = draw(st.lists(rows, min_size=num_classes, max_size=num_classes))
    places = draw(st.lists(st.integers(0, num_classes - 1), min_size=pixels, max_size=pixels))
    return torch.tensor(scores), places


def counts_of(places, num_classes):
    return torch.bincount(torch.tensor(places), minlength=num_classes)[None]


def best_total(scores, places):
    """The highest total score over all label maps with these counts."""
    rows = scores.double().tolist()
    return max(sum(rows[k][pixel] for pixel, k in enumerate(labels)) for labels in set(permutations(places)))


@settings(max_examples=200)
@given(maps())
def test_counts_are_exact_and_no_other_label_map_has_a_higher_score(drawn):
    scores, places = drawn
    counts = counts_of(places, len(scores))
    labels = assign_with_quota(scores[None], counts)
    assert labels.shape == (1, len(places)) and labels.dtype == torch.int64
    # Every pixel has a class: none is left out, ignored or counted twice.
    assert torch.bincount(labels[0], minlength=len(scores)).tolist() == counts[0].tolist()
    total = scores.double().gather(0, labels)[0].sum().item()
    assert total == pytest.approx(best_total(scores, places), rel=1e-9, abs=1e-9 * (1 + scores.abs().max().item()))


@given(maps(), maps())
def test_a_map_is_labelled_the_same_each_time_and_beside_any_other(first, other):
    scores, places = first
    counts = counts_of(places, len(scores))
    alone = assign_with_quota(scores[None], counts)
    assert torch.equal(assign_with_quota(scores[None], counts), alone)
    beside = torch.zeros_like(scores)
    k, p = min(len(scores), len(other[0])), min(len(places), len(other[1]))
    beside[:k, :p] = other[0][:k, :p]
    together = assign_with_quota(torch.stack([beside, scores]), counts.expand(2, -1))
    assert torch.equal(together[1:], alone)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=6).filter(any), st.integers(1, 70_000))
def test_counts_sum_to_the_pixels_and_are_within_one_of_their_share(weights, total):
    fractions = torch.tensor([weights]).double() / sum(weights)
    [counts] = largest_remainder(fractions, total)
    shares = fractions[0] * total
    assert counts.sum() == total and (counts >= 0).all()
    assert ((counts - shares).abs() < 1 + 1e-5).all()
    assert (counts[fractions[0] == 0] == 0).all(), 'a phase that is not asked for gets no pixel'
