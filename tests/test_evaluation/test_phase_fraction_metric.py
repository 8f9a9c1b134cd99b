import pytest
import torch
from mmseg.registry import METRICS

CLASSES = ('matrix', 'austenite', 'defect')


def evaluate(pairs):
    metric = METRICS.build(dict(type='PhaseFractionMetric'))
    metric.dataset_meta = dict(classes=CLASSES)
    for n, (predicted, label) in enumerate(pairs):
        parts = dict(pred_sem_seg=predicted, gt_sem_seg=label)
        data = {key: dict(data=torch.tensor([part])) for key, part in parts.items()}
        metric.process({}, [dict(img_path=f'm{n}.png', **data)])
    return metric.evaluate(len(pairs))


def test_by_hand():
    # Labelled 50 / 50 / 0 % of four pixels, predicted 75 / 0 / 25; then 100 / 0 / 0, predicted 50 / 50 / 0.
    first = ([[0, 0, 0, 2, 1]], [[0, 0, 1, 1, 255]])
    second = ([[0, 1]], [[0, 0]])
    metrics = evaluate([first, second])
    assert metrics['fraction_error.matrix'] == pytest.approx((25 + 50) / 2)
    assert metrics['fraction_error.austenite'] == pytest.approx((50 + 50) / 2)
    assert metrics['fraction_error.defect'] == pytest.approx((25 + 0) / 2)
    assert metrics['fraction_error'] == pytest.approx((37.5 + 50 + 12.5) / 3)
    assert metrics['fraction_bias.matrix'] == pytest.approx((25 - 50) / 2)
    assert metrics['fraction_bias.austenite'] == pytest.approx(0)


def test_a_micrograph_without_labels_does_not_count():
    assert evaluate([([[1]], [[255]]), ([[0, 1]], [[0, 1]])])['fraction_error'] == 0
