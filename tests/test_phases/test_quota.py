import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from mmseg_pfdiff.phases.quota import assign_with_quota, largest_remainder


def best_total(scores, counts):
    """Highest total score by the Hungarian method, with a column for each place of each class."""
    columns = np.repeat(np.arange(len(counts)), counts)
    matrix = scores.T[:, columns]
    rows, chosen = linear_sum_assignment(matrix, maximize=True)
    return matrix[rows, chosen].sum()


def random_counts(generator, num_classes, pixels):
    cuts = torch.randint(0, pixels + 1, (num_classes - 1,), generator=generator).sort().values
    edges = torch.cat([torch.tensor([0]), cuts, torch.tensor([pixels])])
    return edges.diff()


def check(scores, counts):
    labels = assign_with_quota(scores, counts)
    for n in range(len(scores)):
        assert torch.bincount(labels[n], minlength=len(counts[n])).tolist() == counts[n].tolist()
        total = scores[n].double().gather(0, labels[n][None]).sum().item()
        assert total == pytest.approx(best_total(scores[n].double().numpy(), counts[n].numpy()), rel=1e-9, abs=1e-7)
    return labels


@pytest.mark.parametrize('num_classes', [2, 3, 4, 7])
@pytest.mark.parametrize('spread', [1.0, 1e-4, 1e4])
def test_random_scores_equal_the_hungarian_method(num_classes, spread):
    generator = torch.Generator().manual_seed(num_classes)
    scores = torch.randn(6, num_classes, 60, generator=generator) * spread
    counts = torch.stack([random_counts(generator, num_classes, 60) for _ in range(6)])
    check(scores, counts)


@pytest.mark.parametrize('levels', [1, 2, 3, 5])
def test_ties(levels):
    generator = torch.Generator().manual_seed(levels)
    scores = torch.randint(0, levels, (8, 4, 50), generator=generator).float()
    counts = torch.stack([random_counts(generator, 4, 50) for _ in range(8)])
    labels = check(scores, counts)
    assert torch.equal(labels, assign_with_quota(scores, counts)), 'ties are settled the same way each time'


def test_skewed_scores_and_empty_classes():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(5, 4, 80, generator=generator) + torch.tensor([50.0, 0, -50, 3])[:, None]
    counts = torch.tensor([[80, 0, 0, 0], [0, 80, 0, 0], [0, 0, 40, 40], [1, 1, 1, 77], [20, 20, 20, 20]])
    check(scores, counts)


def test_counts_that_argmax_has_already_move_nothing():
    scores = torch.randn(3, 4, 500, generator=torch.Generator().manual_seed(1))
    plain = scores.argmax(1)
    counts = torch.stack([torch.bincount(labels, minlength=4) for labels in plain])
    assert torch.equal(assign_with_quota(scores, counts), plain)


def test_batch_and_single_agree():
    generator = torch.Generator().manual_seed(2)
    scores = torch.randn(4, 4, 300, generator=generator)
    counts = torch.stack([random_counts(generator, 4, 300) for _ in range(4)])
    together = assign_with_quota(scores, counts)
    for n in range(4):
        assert torch.equal(assign_with_quota(scores[n : n + 1], counts[n : n + 1])[0], together[n])


def test_largest_remainder():
    fractions = torch.tensor([[0.5, 0.25, 0.25], [1 / 3, 1 / 3, 1 / 3], [0.0, 0.06, 0.94], [0.1, 0.2, 0.7]])
    assert largest_remainder(fractions, 10).tolist() == [[5, 3, 2], [4, 3, 3], [0, 1, 9], [1, 2, 7]]
    counts = largest_remainder(torch.rand(50, 4).softmax(1), 65536)
    assert counts.sum(1).eq(65536).all()


def test_errors():
    with pytest.raises(ValueError, match='>= 0 and sum to 1'):
        largest_remainder(torch.tensor([[0.5, 0.6]]), 10)
    with pytest.raises(ValueError, match='summing to 5'):
        assign_with_quota(torch.zeros(1, 2, 5), torch.tensor([[2, 2]]))


@pytest.mark.parametrize('noise', [1e-6, 1e-3, 1e-1])
def test_nearly_decided_pixels(noise):
    """What a trained network draws: scores of a few values, with a little noise."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.eye(4)[torch.randint(4, (5, 80), generator=generator)].transpose(1, 2)
    scores = scores + noise * torch.randn(scores.shape, generator=generator)
    check(scores, torch.stack([random_counts(generator, 4, 80) for _ in range(5)]))


def test_scores_that_are_no_numbers_are_refused():
    scores = torch.zeros(1, 2, 4)
    scores[0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match='must be finite'):
        assign_with_quota(scores, torch.tensor([[2, 2]]))
