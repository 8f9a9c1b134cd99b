import itertools

import numpy as np
import pytest
import torch

from mmseg_pfdiff.phases.fractions import perturb_fractions
from mmseg_pfdiff.requests.target_mean import FractionPlanner, mean_perturbed, tilted_weights

CLASSES = ('matrix', 'austenite', 'martensite_austenite', 'defect')


def make_vectors(n=300):
    """Like the tiles of a steel: much of two phases, little of the third, a fourth that most lack."""
    vectors = np.random.default_rng(0).dirichlet([3, 5, 0.8, 0.06], n)
    vectors[:, 3] *= vectors[:, 3] > 1e-3
    return torch.from_numpy(vectors / vectors.sum(1, keepdims=True))


@pytest.mark.parametrize(
    ('target', 'sigma'),
    [
        (dict(martensite_austenite=0.20, defect=0.04), 0.02),
        (dict(martensite_austenite=0.20, defect=0.04), 0.2),
        (dict(defect=0.002), 0.1),
        (dict(matrix=0.3, austenite=0.4, martensite_austenite=0.25, defect=0.05), 0.02),
    ],
)
def test_the_mean_of_many_draws_is_the_target(target, sigma):
    planner = FractionPlanner(make_vectors(), CLASSES, target, sigma=sigma)
    requests = [planner(0, index) for index in range(3000)]
    drawn = torch.stack([request.target for request in requests])
    assert {request.group for request in requests} == {'planned'}
    torch.testing.assert_close(drawn.sum(1), torch.ones(3000, dtype=torch.float64))
    assert (drawn >= 0).all()
    for name, share in target.items():
        column = drawn[:, CLASSES.index(name)]
        # Two hundredths of a point, and the noise of the jitter; independent draws would be up to 1 point off.
        noise = sigma * (drawn.square().mean(0).max().item() ** 0.5 + 0.01) / 3000**0.5
        assert column.mean().item() == pytest.approx(share, abs=2e-4 + 4 * noise)


def test_every_vector_is_drawn_as_often_as_its_weight_says():
    planner = FractionPlanner(make_vectors(50), CLASSES, dict(martensite_austenite=0.12), sigma=0)
    for first in (0, 777):
        drawn = torch.stack([planner(3, index).target for index in range(first, first + 1000)])
        counts = (drawn[:, None] - planner.vectors).abs().sum(2).lt(1e-12).sum(0)
        assert counts.sum() == 1000
        assert (counts - 1000 * planner.weights).abs().max() < 3
    starts = {tuple(planner(seed, 0).target.tolist()) for seed in range(30)}
    assert len(starts) > 10, 'seeds differ'


def test_a_request_depends_on_seed_and_index_alone():
    first, second = (FractionPlanner(make_vectors(), CLASSES, dict(defect=0.03)) for _ in range(2))
    drawn = [first(5, index).target for index in (3, 1, 2)]
    again = [second(5, index).target for index in (1, 2, 3)]
    assert torch.equal(drawn[0], again[2]) and torch.equal(drawn[1], again[0])
    assert not torch.equal(first(5, 1).target, first(6, 1).target)


def test_a_target_of_the_real_mean_draws_all_vectors_alike():
    vectors = make_vectors()
    planner = FractionPlanner(vectors, CLASSES, dict(defect=vectors[:, 3].mean().item()), sigma=0)
    assert planner.effective_vectors == pytest.approx(len(vectors), rel=1e-3)
    planner = FractionPlanner(vectors, CLASSES, dict(defect=0.1))
    assert 2 < planner.effective_vectors < len(vectors) / 3


def test_the_weights_are_those_of_highest_entropy():
    vectors, target = make_vectors()[:, 2:], torch.tensor([0.2, 0.04], dtype=torch.float64)
    weights = tilted_weights(vectors, target)
    torch.testing.assert_close(weights @ vectors, target, rtol=0, atol=2e-6)
    # log w is affine in the vectors: no other weights of this mean have a higher entropy.
    design = torch.cat([vectors, torch.ones(len(vectors), 1, dtype=torch.float64)], 1)
    fitted = design @ torch.linalg.lstsq(design, weights.log()[:, None]).solution
    torch.testing.assert_close(fitted[:, 0], weights.log(), rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ('target', 'nearest'),
    [
        ((2.0, 0.5), (1.0, 0.5)),  # beyond an edge of the square
        ((-1.0, 3.0), (0.0, 1.0)),  # beyond a corner
        ((0.0, 0.0), (0.0, 0.0)),  # a corner itself
        ((0.25, 1.0), (0.25, 1.0)),  # on an edge
    ],
)
def test_targets_on_the_border_and_beyond_end_at_the_nearest_mean(target, nearest):
    corners = torch.tensor(list(itertools.product((0.0, 1.0), repeat=2)), dtype=torch.float64)
    weights = tilted_weights(corners, torch.tensor(target, dtype=torch.float64))
    assert (weights @ corners).tolist() == pytest.approx(nearest, abs=1e-5)
    assert weights.sum() == pytest.approx(1)


def test_vectors_without_spread_and_a_single_one():
    for n in (1, 5):
        vectors = torch.tensor([[0.5, 0.3, 0.1, 0.1]], dtype=torch.float64).repeat(n, 1)
        planner = FractionPlanner(vectors, CLASSES, dict(matrix=0.5, defect=0.1))
        assert planner.effective_vectors == pytest.approx(n)
        with pytest.raises(ValueError, match=r'nearest that one has is matrix 0\.5000.*matrix 0\.5000\.\.0\.5000'):
            FractionPlanner(vectors, CLASSES, dict(matrix=0.6))


def test_a_target_out_of_reach_tells_what_can_be_reached():
    vectors = make_vectors()
    top = mean_perturbed(vectors, 0.02, 0.01)[:, 3].max().item()
    with pytest.raises(ValueError, match=f'nearest that one has is defect {top:.4f}.*defect 0.0001..{top:.4f}'):
        FractionPlanner(vectors, CLASSES, dict(defect=0.9))
    # Each within its own range, but never together.
    apart = torch.tensor([[0.5, 0, 0.5, 0], [0.5, 0, 0, 0.5], [1, 0, 0, 0]], dtype=torch.float64)
    with pytest.raises(ValueError, match=r'is martensite_austenite 0\.25.., defect 0\.25') as error:
        FractionPlanner(apart, CLASSES, dict(martensite_austenite=0.4, defect=0.4))
    assert 'add tiles that show more' in str(error.value)


@pytest.mark.parametrize(
    ('vectors', 'target', 'message'),
    [
        (torch.ones(3, 3) / 3, dict(defect=0.1), r'\(R, 4\)'),
        (torch.ones(3, 4) / 4, {}, 'names the classes'),
        (torch.ones(3, 4) / 4, dict(ferrite=0.1), 'names the classes'),
        (torch.ones(3, 4) / 4, dict(defect=-0.1), r'must be in \[0, 1\]'),
        (torch.ones(3, 4) / 4, dict(defect=float('nan')), r'must be in \[0, 1\]'),
        (torch.ones(3, 4) / 4, dict(defect=0.6, matrix=0.6), 'sum to at most 1'),
        (torch.ones(3, 4) / 4, dict(defect=4), 'not percent'),
    ],
)
def test_errors_name_what_is_wrong(vectors, target, message):
    with pytest.raises(ValueError, match=message):
        FractionPlanner(vectors, CLASSES, target)


def test_mean_of_jittered_fractions():
    c = torch.tensor([0.6, 0.39, 0.01, 0.0], dtype=torch.float64)
    drawn = perturb_fractions(c.repeat(200_000, 1), 0.2, 0.01, torch.Generator().manual_seed(0))
    mean = mean_perturbed(c, 0.2, 0.01)
    assert mean[3] == pytest.approx(0.2 * 0.01 / (2 * torch.pi) ** 0.5, rel=0.01)
    # Second-order terms, sigma squared times the fraction, are left out.
    assert (mean - drawn.mean(0)).abs().max() < 0.04 * 0.6
    assert (mean[2:] - drawn[:, 2:].mean(0)).abs().max() < 3e-4
    torch.testing.assert_close(mean_perturbed(c, 0, 0), c, rtol=0, atol=1e-15)
