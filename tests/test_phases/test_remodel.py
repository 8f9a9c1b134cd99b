"""Label maps turned, bent and grown, against plain geometry."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from mmseg_pfdiff.phases.borders import distance_to, move_borders
from mmseg_pfdiff.phases.fractions import nearest_compositions, phase_fractions
from mmseg_pfdiff.phases.remodel import bend, known_everywhere, remodel


def disc(side=64, radius=12.0):
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing='ij')
    return ((rows - side / 2 + 0.5) ** 2 + (columns - side / 2 + 0.5) ** 2 <= radius**2).long()


def test_a_disc_grows_and_shrinks_to_a_disc_of_the_area_asked_for():
    for radius in (8, 17):
        pixels = int(disc(radius=radius).sum())
        share = pixels / 64**2
        moved = move_borders(disc(), torch.tensor([1 - share, share]))
        assert moved.dtype == torch.uint8 and (moved == 1).sum() == pixels
        # A disc again, up to the steps of pixels at its border.
        assert ((moved == 1) != (disc(radius=radius) == 1)).sum() < 0.08 * pixels
        assert ndimage.label(moved.numpy())[1] == 1


def test_no_phase_appears_where_there_was_none_and_the_others_share_what_was_asked_of_it():
    moved = move_borders(disc(), torch.tensor([0.6, 0.2, 0.2]))
    assert torch.allclose(phase_fractions(moved, 3), torch.tensor([0.75, 0.25, 0.0]).double(), atol=1e-4)
    assert torch.equal(move_borders(disc() * 2, torch.tensor([0.2, 0.6, 0.2])).unique(), torch.tensor([0, 2]))
    same = torch.full((8, 8), 2)
    assert torch.equal(move_borders(same, torch.tensor([0.5, 0.3, 0.2])), same)
    assert torch.equal(move_borders(disc(), torch.tensor([0.0, 0.0, 1.0])), disc()), 'nothing is asked of what is there'
    with pytest.raises(ValueError, match='must be >= 0 and sum to 1'):
        move_borders(disc(), torch.tensor([0.5, 0.1]))


def test_a_phase_that_nothing_is_asked_of_goes():
    moved = move_borders(disc(), torch.tensor([1.0, 0.0]))
    assert not moved.any()


def test_distances_are_zero_inside_and_count_pixels_outside():
    distance = distance_to(disc() == 1)
    assert not distance[disc() == 1].any() and distance[32, 63] == 20
    assert distance[0, 0] == pytest.approx(ndimage.distance_transform_edt(disc().numpy() == 0)[0, 0])


def test_scores_decide_among_pixels_at_like_distances():
    scores = torch.zeros(2, 64, 64)
    scores[1, :, 32:] = 0.9
    grown = move_borders(disc(), torch.tensor([0.85, 0.15]), scores)
    left, right = (int(grown[:, half].sum() - disc()[:, half].sum()) for half in (slice(0, 32), slice(32, 64)))
    assert right > 1.5 * left > 0
    # At a cost of next to nothing, the scores alone decide, and the phase scatters.
    scores = torch.rand(2, 64, 64, generator=torch.Generator().manual_seed(0))
    scattered = move_borders(disc(), torch.tensor([0.85, 0.15]), scores, cost=1e-9)
    assert ndimage.label(scattered.numpy())[1] > 20 > ndimage.label(grown.numpy())[1]


def test_bends_of_nothing_and_of_whole_pixels():
    labels = torch.randint(3, (20, 26), generator=torch.Generator().manual_seed(0))
    assert torch.equal(bend(labels, torch.zeros(2, 4, 4), 3), labels.to(torch.uint8))
    shifts = torch.stack([torch.full((4, 4), 2.0), torch.full((4, 4), -3.0)])
    expected = np.pad(labels.numpy(), 4, mode='symmetric')[6:26, 1:27]
    assert np.array_equal(bend(labels, shifts, 3).numpy(), expected)


def test_a_bend_moves_as_far_as_its_knots_say():
    labels = disc()
    shifts = torch.zeros(2, 3, 3)
    shifts[0, 1, 1] = 6  # the middle shows what lies six pixels below it
    moved = bend(labels, shifts, 2)
    rows = (labels == 1).nonzero()[:, 0].double().mean(), (moved == 1).nonzero()[:, 0].double().mean()
    assert 3 < rows[0] - rows[1] < 7 and (moved == 1).sum() > 0.7 * labels.sum()


def test_ignored_pixels_take_the_class_next_to_them():
    labels = torch.tensor([[0, 0, 255, 255, 1], [0, 255, 255, 1, 1]])
    assert torch.equal(known_everywhere(labels), torch.tensor([[0, 0, 0, 1, 1], [0, 0, 1, 1, 1]]))
    assert known_everywhere(disc()) is not None and bend(labels, torch.zeros(2, 2, 2), 2).max() == 1


def test_a_remodelled_map_is_another_one_of_exact_fractions_and_a_function_of_its_generator():
    labels = disc() + 2 * disc(radius=4)  # a core of class 3 in a disc of class 1
    target = torch.tensor([0.8, 0.15, 0.0, 0.05], dtype=torch.float64)
    drawn = [remodel(labels, target, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(drawn[0][0], drawn[1][0]) and not torch.equal(drawn[0][0], drawn[2][0])
    for after, before in drawn:
        assert (phase_fractions(after, 4) - target).abs().max() <= 1 / 64**2
        assert after.dtype == before.dtype == torch.uint8 and not torch.equal(after, before)
        assert ndimage.label(after.numpy() == 3, np.ones((3, 3)))[1] == 1


def test_the_nearest_compositions_have_the_rare_phases_asked_for():
    others = torch.tensor([[0.70, 0.30, 0.0], [0.60, 0.39, 0.01], [0.70, 0.295, 0.005], [0.1, 0.9, 0.0]])
    asked = torch.tensor([[0.69, 0.30, 0.01]])
    assert nearest_compositions(asked, others, 4).tolist() == [[2, 1, 0, 3]]
    assert nearest_compositions(asked, others, 9).shape == (1, 4)
