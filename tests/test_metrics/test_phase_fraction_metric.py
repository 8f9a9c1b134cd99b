import pytest
import torch
from mmengine.logging import MMLogger
from mmseg.registry import METRICS

CLASSES = ('matrix', 'austenite', 'defect')


def evaluate(pairs, **options):
    metric = METRICS.build(dict(type='PhaseFractionMetric', **options))
    metric.dataset_meta = dict(classes=CLASSES)
    for n, (predicted, label) in enumerate(pairs):
        parts = dict(pred_sem_seg=predicted, gt_sem_seg=label)
        data = {key: dict(data=torch.tensor([part])) for key, part in parts.items()}
        metric.process({}, [dict(img_path=f'images/specimen/m{n}.png', **data)])
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


def test_the_error_of_each_micrograph_is_printed(caplog):
    logger = MMLogger.get_instance('phase_fraction_test')
    logger.addHandler(caplog.handler)
    evaluate([([[0, 0, 0, 2, 1]], [[0, 0, 1, 1, 255]])], image_root='images')
    [line] = [line for line in caplog.text.splitlines() if 'm0' in line]
    cells = [cell.strip() for cell in line.split('|')[1:-1]]
    assert cells == ['specimen/m0', '75.00 / 50.00 (+25.00)', '0.00 / 50.00 (-50.00)', '25.00 / 0.00 (+25.00)']


def test_a_micrograph_without_labels_does_not_count():
    assert evaluate([([[1]], [[255]]), ([[0, 1]], [[0, 1]])])['fraction_error'] == 0
