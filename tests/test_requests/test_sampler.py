import pytest
import torch

from mmseg_pfdiff.phases.seeding import sample_generator
from mmseg_pfdiff.requests.sampler import FractionSampler

CLASSES = ('matrix', 'austenite', 'martensite_austenite', 'defect')


def make_vectors(n=200):
    generator = torch.Generator().manual_seed(1)
    vectors = torch.rand(n, 4, generator=generator, dtype=torch.float64)
    vectors[:, 3] = 0
    vectors[:30, 3] = torch.linspace(0.1, 1, 30, dtype=torch.float64)
    return vectors / vectors.sum(1, keepdim=True)


def test_shares_and_groups_are_those_of_the_paper():
    vectors = make_vectors()
    sampler = FractionSampler(vectors, CLASSES)
    drawn = [sampler(0, index) for index in range(3000)]
    groups = [request.group for request in drawn]
    assert groups.count('uniform') / 3000 == pytest.approx(0.7, abs=0.03)
    assert groups.count('rich_martensite_austenite') / 3000 == pytest.approx(0.2, abs=0.03)
    assert groups.count('rich_defect') / 3000 == pytest.approx(0.1, abs=0.03)
    threshold = vectors[:, 2].sort(descending=True).values[19]
    rich = torch.stack([r.target for r in drawn if r.group == 'rich_martensite_austenite'])
    assert (rich[:, 2] > threshold * 0.85).all()
    assert len(set(rich[:, 2].tolist())) > 500, 'vectors are jittered, not copied'


def test_a_request_depends_on_seed_and_index_alone():
    sampler = FractionSampler(make_vectors(), CLASSES)
    first = [sampler(5, index) for index in (3, 1, 2)]
    again = [FractionSampler(make_vectors(), CLASSES)(5, index) for index in (1, 2, 3)]
    torch.testing.assert_close(first[0].target, again[2].target, rtol=0, atol=0)
    torch.testing.assert_close(first[1].target, again[0].target, rtol=0, atol=0)
    assert not torch.equal(sampler(5, 1).target, sampler(6, 1).target)


def test_vectors_without_the_phase_are_never_rich_in_it():
    vectors = torch.tensor([[1.0, 0, 0, 0]] * 9 + [[0.5, 0.3, 0.1, 0.1]])
    groups = [dict(name='defect', share=1.0, phase='defect', richest=1.0)]
    sampler = FractionSampler(vectors, CLASSES, groups)
    assert all(sampler(0, i).target[3] > 0.05 for i in range(20))


@pytest.mark.parametrize(
    ('vectors', 'groups', 'message'),
    [
        (torch.ones(3, 3) / 3, [dict(name='a', share=1)], r'\(R, 4\)'),
        (torch.ones(3, 4) / 4, [dict(name='a', share=0.5)], 'sum to 1, got 0.5'),
        (torch.ones(3, 4) / 4, [dict(name='a')], 'has a name, a share'),
        (torch.ones(3, 4) / 4, [dict(name='a', share=1, fase='defect')], 'has a name, a share'),
        (torch.ones(3, 4) / 4, [dict(name='a', share=1, phase='ferrite')], "no class is called 'ferrite'"),
        (torch.ones(3, 4) / 4, [dict(name='a', share=1, phase='defect', richest=0)], 'richest must be in'),
        (torch.tensor([[1.0, 0, 0, 0]]), [dict(name='a', share=1, phase='defect')], 'holds any defect'),
    ],
)
def test_errors_name_what_is_wrong(vectors, groups, message):
    with pytest.raises(ValueError, match=message):
        FractionSampler(vectors, CLASSES, groups)


def test_streams_of_samples_and_purposes_are_unrelated():
    draws = torch.stack(
        [
            torch.randn(1000, generator=sample_generator(seed, index, stream))
            for seed in (0, 1)
            for index in (0, 1)
            for stream in ('fractions', 'generator', 'super_resolution')
        ]
    )
    correlation = torch.corrcoef(draws) - torch.eye(len(draws))
    assert correlation.abs().max() < 0.15
    with pytest.raises(ValueError, match='Unknown random stream'):
        sample_generator(0, 0, 'noise')
    with pytest.raises(ValueError, match='>= 0'):
        sample_generator(-1, 0, 'generator')
