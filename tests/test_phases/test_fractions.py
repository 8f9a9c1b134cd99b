import math

import pytest
import torch

from mmseg_pfdiff.phases.fractions import perturb_fractions, phase_fractions


def test_phase_fractions_equal_a_plain_count():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 5, (3, 7, 9), generator=generator)
    labels[labels == 4] = 255
    got = phase_fractions(labels, 4)
    assert got.dtype == torch.float64
    for n in range(3):
        known = [int(v) for v in labels[n].flatten() if v != 255]
        for k in range(4):
            assert got[n, k].item() == pytest.approx(known.count(k) / len(known), abs=1e-12)


def test_phase_fractions_of_one_map_and_uint8():
    label = torch.tensor([[0, 1], [1, 255]], dtype=torch.uint8)
    assert phase_fractions(label, 3).tolist() == pytest.approx([1 / 3, 2 / 3, 0])


def test_phase_fractions_refuse_unknown_labels_and_empty_maps():
    with pytest.raises(ValueError, match=r'0\.\.3 or 255.*\[7\]'):
        phase_fractions(torch.tensor([[0, 7]]), 4)
    with pytest.raises(ValueError, match=r'\[1\].*ignored pixels only'):
        phase_fractions(torch.tensor([[[0, 1]], [[255, 255]]]), 4)


def test_perturb_fractions_is_eq_7():
    c = torch.tensor([0.5, 0.3, 0.2, 0.0], dtype=torch.float64)
    got = perturb_fractions(c, sigma=0.02, epsilon=0.01, generator=torch.Generator().manual_seed(3))
    noise = torch.randn(4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    moved = [max(0.0, float(ci + 0.02 * (ci + 0.01) * e)) for ci, e in zip(c, noise, strict=True)]
    assert got.tolist() == pytest.approx([value / math.fsum(moved) for value in moved], abs=1e-12)


def test_perturbed_fractions_stay_on_the_simplex_and_have_the_stated_spread():
    c = torch.tensor([0.6, 0.399, 0.001, 0.0], dtype=torch.float64).expand(20000, 4)
    got = perturb_fractions(c, sigma=0.5, generator=torch.Generator().manual_seed(0))
    assert (got >= 0).all()
    torch.testing.assert_close(got.sum(1), torch.ones(20000, dtype=torch.float64))
    # An absent phase appears about half of the time, never negative.
    assert 0.45 < (got[:, 3] > 0).double().mean() < 0.55
    small = perturb_fractions(c, generator=torch.Generator().manual_seed(0))
    # First order in sigma: var of c'_0 is sigma^2 [(c0+e)^2 (1-c0)^2 + c0^2 (c1+e)^2].
    expected = 0.02 * math.hypot(0.61 * 0.4, 0.6 * 0.409)
    assert small[:, 0].std().item() == pytest.approx(expected, rel=0.05)
