import numpy as np
import pytest
import torch

from mmseg_pfdiff.metrics.fractions import PhaseFractionError, fraction_errors, fraction_table


def test_errors_equal_plain_numpy():
    rng = np.random.default_rng(0)
    target = rng.dirichlet(np.ones(4), 30)
    measured = np.clip(target + rng.normal(0, 0.02, target.shape), 0, 1)
    errors = fraction_errors(torch.from_numpy(target), torch.from_numpy(measured))
    for k in range(4):
        assert errors.mae[k].item() == pytest.approx(100 * np.abs(target[:, k] - measured[:, k]).mean())
        residual = ((target[:, k] - measured[:, k]) ** 2).sum()
        expected = 100 * (1 - residual / ((target[:, k] - target[:, k].mean()) ** 2).sum())
        assert errors.r2[k].item() == pytest.approx(expected)


def test_r2_is_undefined_where_all_targets_are_equal():
    target = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert fraction_errors(target, target).r2.isnan().all()
    table = fraction_table(target, torch.tensor([[0.9, 0.1], [0.8, 0.2]]), ('a', 'b'))
    assert '15.00' in table and 'nan' not in table


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r'\(N >= 1, K\)'):
        fraction_errors(torch.zeros(2, 3), torch.zeros(2, 4))


def test_metric_logs_points_by_class():
    metric = PhaseFractionError()
    metric.dataset_meta = dict(classes=('a', 'b'))
    samples = [
        dict(target_fractions=torch.tensor([0.5, 0.5]), measured_fractions=torch.tensor([0.4, 0.6]).double()),
        dict(target_fractions=torch.tensor([1.0, 0.0]), measured_fractions=torch.tensor([1.0, 0.0]).double()),
    ]
    metric.process({}, samples)
    got = metric.evaluate(2)
    assert got == pytest.approx({'fraction_mae': 5, 'fraction_mae.a': 5, 'fraction_mae.b': 5})
