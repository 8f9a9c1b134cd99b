"""IoU over the set and per micrograph, against loops in plain numpy."""

import csv
import json
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS
from PIL import Image

from mmseg_pfdiff.metrics.confusion import CHUNK, class_areas, confusion_matrix
from mmseg_pfdiff.metrics.predictions import relative_name
from mmseg_pfdiff.metrics.segmentation import MicrographIoUMetric

PALETTE = [[0, 114, 178], [240, 228, 66], [213, 94, 0], [0, 0, 0]]
CLASSES = ('matrix', 'austenite', 'martensite_austenite', 'defect')


def sample(name, predicted, label):
    return dict(
        img_path=f'data/img_dir/test/{name}.png',
        pred_sem_seg=dict(data=torch.as_tensor(predicted)[None]),
        gt_sem_seg=dict(data=torch.as_tensor(label)[None]),
    )


def evaluate(samples, **options):
    metric = METRICS.build(dict(type='MicrographIoUMetric', **options))
    metric.dataset_meta = dict(classes=CLASSES, palette=PALETTE)
    for item in samples:
        metric.process({}, [item])
    return metric.evaluate(len(samples))


def plain_iou(predicted, label):
    """Per cent per class, None where the class is not labelled; pixel accuracy. By sets of pixels."""
    predicted, label = predicted.ravel(), label.ravel()
    valid = [i for i in range(len(label)) if label[i] != 255]
    iou = []
    for k in range(4):
        p, g = {i for i in valid if predicted[i] == k}, {i for i in valid if label[i] == k}
        iou.append(100 * len(p & g) / len(p | g) if g else None)
    return iou, 100 * sum(predicted[i] == label[i] for i in valid) / len(valid)


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    result = []
    for shape, classes in (((13, 17), 4), ((9, 30), 3), ((20, 11), 2)):
        label = rng.integers(0, classes, shape)
        predicted = np.where(rng.random(shape) < 0.6, label, rng.integers(0, 4, shape))
        label[rng.random(shape) < 0.1] = 255
        result.append((predicted, label.astype(np.uint8)))
    return result


def test_over_the_whole_set(maps):
    metrics = evaluate([sample(f'm{i}', *pair) for i, pair in enumerate(maps)])
    iou, accuracy = plain_iou(*(np.concatenate([a.ravel() for a in arrays]) for arrays in zip(*maps, strict=True)))
    assert metrics['aAcc'] == pytest.approx(accuracy)
    assert metrics['mIoU'] == pytest.approx(np.mean(iou))
    assert [metrics[f'IoU.{c}'] for c in CLASSES] == pytest.approx(iou)


def test_agrees_with_mmseg_where_all_classes_occur(maps):
    samples = [sample(f'm{i}', *pair) for i, pair in enumerate(maps)]
    theirs = IoUMetric(iou_metrics=['mIoU', 'mDice'])
    theirs.dataset_meta = dict(classes=CLASSES, palette=PALETTE)
    theirs.process({}, samples)
    expected = theirs.evaluate(len(samples))
    metrics = evaluate(samples, iou_metrics=['mIoU', 'mDice'])
    assert set(expected) == {'aAcc', 'mIoU', 'mAcc', 'mDice'}
    for key, value in expected.items():
        assert metrics[key] == pytest.approx(value, abs=0.0051)  # mmseg rounds to two digits


@pytest.mark.parametrize('suffix', ['json', 'csv'])
def test_report_per_micrograph(maps, tmp_path, suffix):
    path = tmp_path / 'new' / f'report.{suffix}'
    metrics = evaluate([sample(f'm{i}', *pair) for i, pair in enumerate(maps)], report_file=str(path))
    if suffix == 'json':
        rows = json.loads(path.read_text())
    else:
        with path.open() as file:
            table = list(csv.DictReader(file))
        by_class = [f'{key}.{c}' for key in ('IoU', 'fraction_error') for c in CLASSES]
        assert list(table[0]) == ['micrograph', 'aAcc', 'mIoU', *by_class]
        names = [row.pop('micrograph') for row in table]
        values = [{key: float(text) if text else None for key, text in row.items()} for row in table]
        rows = [
            dict(micrograph=n, aAcc=v['aAcc'], mIoU=v['mIoU'], IoU={c: v[f'IoU.{c}'] for c in CLASSES})
            for n, v in zip(names, values, strict=True)
        ]
    assert [row['micrograph'] for row in rows] == ['m0', 'm1', 'm2', 'all']
    for row, pair in zip(rows, maps, strict=False):
        iou, accuracy = plain_iou(*pair)
        present = [value for value in iou if value is not None]
        assert row['aAcc'] == pytest.approx(accuracy)
        assert row['mIoU'] == pytest.approx(np.mean(present))
        for got, expected in zip(row['IoU'].values(), iou, strict=True):
            assert got is None if expected is None else got == pytest.approx(expected)
    assert [v is None for v in rows[2]['IoU'].values()] == [False, False, True, True]
    assert rows[3]['mIoU'] == pytest.approx(metrics['mIoU'])
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name]  # no temporary file is left


def test_known_values_and_a_false_positive_of_an_absent_class(tmp_path):
    """Two micrographs; defect occurs in the second only, and is wrongly predicted in the first."""
    first = sample('a', [[0, 0], [1, 3]], np.array([[0, 0], [1, 1]]))
    second = sample('b', [[3, 3], [0, 1]], np.array([[3, 3], [0, 255]]))
    path = tmp_path / 'report.json'
    metrics = evaluate([first, second], report_file=str(path))
    a, b, _ = json.loads(path.read_text())
    assert a['IoU'] == dict(matrix=100, austenite=50, martensite_austenite=None, defect=None)
    assert a['mIoU'] == 75
    # Labelled 50 / 50 / 0 / 0 %, predicted 50 / 25 / 0 / 25 %.
    assert a['fraction_error'] == dict(matrix=0, austenite=-25, martensite_austenite=0, defect=25)
    assert a['aAcc'] == 75
    assert b['IoU'] == dict(matrix=100, austenite=None, martensite_austenite=None, defect=100)
    assert b['mIoU'] == 100
    assert metrics['IoU.defect'] == pytest.approx(200 / 3)  # the false positive of micrograph a counts here
    assert np.isnan(metrics['IoU.martensite_austenite'])
    assert metrics['mIoU'] == pytest.approx((100 + 50 + 200 / 3) / 3)  # and the class nobody labelled does not


def test_a_class_absent_everywhere_does_not_decide_the_mean():
    label = np.zeros((4, 4), int)
    predicted = label.copy()
    predicted[0, 0] = 2
    metrics = evaluate([sample('a', predicted, label)])
    assert metrics['mIoU'] == metrics['IoU.matrix'] == pytest.approx(100 * 15 / 16)
    assert np.isnan(metrics['IoU.martensite_austenite'])


def test_a_micrograph_without_labels(tmp_path):
    path = tmp_path / 'report.json'
    ignored = sample('empty', np.zeros((2, 2), int), np.full((2, 2), 255))
    metrics = evaluate([ignored, sample('a', [[0]], [[0]])], report_file=str(path))
    empty = json.loads(path.read_text())[0]
    assert empty.pop('pixels') == dict.fromkeys(('intersection', 'predicted', 'labelled'), [0] * 4)
    nothing = dict.fromkeys(CLASSES)
    assert empty == dict(micrograph='empty', aAcc=None, mIoU=None, IoU=nothing, fraction_error=nothing)
    assert metrics['mIoU'] == metrics['wIoU'] == 100


def test_tables_are_printed(maps, caplog):
    logger = MMLogger.get_instance('micrograph_iou_test')
    logger.addHandler(caplog.handler)
    samples = [sample(f'm{i}', *pair) for i, pair in enumerate(maps)]
    metrics = evaluate(samples)
    lines = caplog.text.splitlines()
    cells = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines if line.startswith('|')]
    [row] = [row for row in cells if row[0] == 'm2']
    iou, accuracy = plain_iou(*maps[2])
    assert row == ['m2', f'{accuracy:.2f}', f'{np.mean(iou[:2]):.2f}', f'{iou[0]:.2f}', f'{iou[1]:.2f}', '-', '-']
    [defect] = [row[1] for row in cells if row[0] == 'defect']
    assert defect == f'{metrics["IoU.defect"]:.2f}'


def test_results_survive_the_trip_between_processes(maps):
    metric = MicrographIoUMetric()
    metric.dataset_meta = dict(classes=CLASSES, palette=PALETTE)
    metric.process({}, [sample(f'm{i}', *pair) for i, pair in enumerate(maps)])
    direct = metric.compute_metrics(metric.results)
    assert metric.compute_metrics(pickle.loads(pickle.dumps(metric.results))) == direct
    assert all(counts.device.type == 'cpu' for _, counts in metric.results)


def test_counts_beyond_float32():
    """4096 x 4097 pixels: one more than float32 can count."""
    label = torch.zeros(4097, 4096, dtype=torch.uint8)
    assert [area[0] for area in class_areas(confusion_matrix(label.long(), label, 4))] == [4097 * 4096] * 3


def test_the_weighted_mean_over_micrographs(maps, tmp_path):
    path = tmp_path / 'report.json'
    metrics = evaluate([sample(f'm{i}', *pair) for i, pair in enumerate(maps)], report_file=str(path))
    means = [np.mean([v for v in plain_iou(*pair)[0] if v is not None]) for pair in maps]
    weights = [(label != 255).sum() for _, label in maps]
    assert metrics['wIoU'] == pytest.approx(np.average(means, weights=weights))
    assert json.loads(path.read_text())[-1]['wIoU'] == metrics['wIoU']
    for row, (predicted, label) in zip(json.loads(path.read_text()), maps, strict=False):
        known = label != 255
        for name, values in (('labelled', label), ('predicted', predicted)):
            assert row['pixels'][name] == np.bincount(values[known].ravel(), minlength=4).tolist()
        hits = label[known & (predicted == label)]
        assert row['pixels']['intersection'] == np.bincount(hits, minlength=4).tolist()


def test_predictions_lie_under_the_names_of_their_micrographs(maps, tmp_path):
    predicted, label = maps[0]
    image = np.full((label.shape[0] + 2, label.shape[1]), 100, np.uint8)  # two rows more than its label map
    path = tmp_path / 'images/specimen/m0.png'
    path.parent.mkdir(parents=True)
    Image.fromarray(image).save(path)
    named = dict(sample('m0', predicted, label), img_path=str(path))
    options = dict(output_dir=str(tmp_path / 'out'), image_root=str(tmp_path / 'images'))
    evaluate([named], report_file=str(tmp_path / 'report.json'), **options)
    index = Image.open(tmp_path / 'out/specimen/m0.png')
    assert (np.array(index) == predicted).all() and index.getpalette()[:12] == np.ravel(PALETTE).tolist()
    overlay = np.array(Image.open(tmp_path / 'out/overlays/specimen/m0.png')).astype(int)
    expected = 60 + 0.4 * np.array(PALETTE)[predicted]
    assert np.abs(overlay - expected).max() <= 0.5
    assert json.loads((tmp_path / 'report.json').read_text())[0]['micrograph'] == 'specimen/m0'
    assert evaluate([named], format_only=True, **options) == {}
    assert relative_name('elsewhere/m1.png', tmp_path) == 'm1'


def test_names_are_places_in_the_data_set_wherever_links_lead(tmp_path, monkeypatch):
    (tmp_path / 'pool').mkdir()
    (tmp_path / 'pool/1.png').touch()
    root = tmp_path / 'data'
    for specimen in ('a', 'b'):
        (root / specimen).mkdir(parents=True)
        (root / specimen / 'field.1.png').symlink_to(tmp_path / 'pool/1.png')
    assert [relative_name(root / item / 'field.1.png', root) for item in 'ab'] == ['a/field.1', 'b/field.1']
    linked = tmp_path / 'linked'
    linked.symlink_to(root)
    assert relative_name(linked / 'a/field.1.png', linked) == 'a/field.1'
    monkeypatch.chdir(tmp_path)
    assert (
        relative_name('data/a/field.1.png', './data/') == relative_name(root / 'a/field.1.png', 'data') == 'a/field.1'
    )


@pytest.mark.parametrize(
    ('first', 'second', 'shared'),
    [
        ('images/a.png', 'images/a.tif', 'a'),
        ('elsewhere/a.png', 'other/a.png', 'a'),
        ('images/a.png', 'images/overlays/a.png', 'overlays/a'),
    ],
)
def test_two_micrographs_of_one_name_are_refused_before_one_is_overwritten(maps, tmp_path, first, second, shared):
    paths = [tmp_path / first, tmp_path / second]
    for path, grey in zip(paths, (50, 200), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full(maps[0][0].shape, grey, np.uint8)).save(path)
    both = [dict(sample('a', *maps[0]), img_path=str(path)) for path in paths]
    out, root = tmp_path / 'out', str(tmp_path / 'images')
    with pytest.raises(ValueError, match=f'{first} and .*{second} would both be reported as {shared}: rename'):
        evaluate(both, output_dir=str(out), image_root=root)
    overlay = np.array(Image.open(out / 'overlays/a.png')).astype(float)
    assert np.abs(overlay - 0.6 * 50 - 0.4 * np.array(PALETTE)[maps[0][0]]).max() <= 0.5  # the first one's
    if 'overlays' not in second:
        with pytest.raises(ValueError, match='would both be reported'):
            evaluate(both, report_file=str(tmp_path / 'report.json'), image_root=root)
        assert not (tmp_path / 'report.json').exists()
    assert evaluate([both[0], both[0]], output_dir=str(out), image_root=root)['aAcc'] > 0  # several processes may
    assert evaluate(both)['aAcc'] > 0  # a validation, which writes nothing


def test_names_are_no_formulas_in_a_spreadsheet(tmp_path):
    path = tmp_path / 'report.csv'
    metric = MicrographIoUMetric(report_file=str(path))
    metric.dataset_meta = dict(classes=('=1+1', '@b'), palette=PALETTE[:2])
    metric.process({}, [sample('=HYPERLINK("x")', [[0, 1]], [[0, 0]])])
    metric.evaluate(1)
    with path.open(newline='') as file:
        header, row, _ = csv.reader(file)
    assert row[0] == '\'=HYPERLINK("x")' and float(row[1]) == 50
    assert header == ['micrograph', 'aAcc', 'mIoU', 'IoU.=1+1', 'IoU.@b', 'fraction_error.=1+1', 'fraction_error.@b']


def test_large_maps_are_counted_in_pieces():
    generator = torch.Generator().manual_seed(0)
    predicted, label = torch.randint(0, 4, (2, 700, 800), dtype=torch.uint8, generator=generator)
    label[:50] = 255
    assert predicted.numel() > 2 * CHUNK
    counts = confusion_matrix(predicted, label, 4, 255)
    for truth in range(4):
        for guess in range(4):
            assert counts[truth, guess] == ((label == truth) & (predicted == guess)).sum()
    assert torch.equal(confusion_matrix(predicted.long(), label.int(), 4, 255), counts)


def test_a_prediction_of_another_size_names_its_micrograph():
    with pytest.raises(ValueError, match=r'test/a\.png: The prediction is \(1, 2\), the label map \(2, 1\)'):
        evaluate([sample('a', [[0, 1]], [[0], [1]])])


@pytest.mark.parametrize('kind', ['MicrographIoUMetric', 'PhaseFractionMetric'])
def test_what_is_wrong_with_a_label_map_names_its_file(kind):
    metric = METRICS.build(dict(type=kind))
    metric.dataset_meta = dict(classes=CLASSES, palette=PALETTE)
    for label, message in (
        ([[0, 7]], r'A label must be 0\.\.3.* got \[0, 7\]'),
        ([[0], [1]], r'The prediction is \(1, 2\)'),
    ):
        wrong = sample('a', [[0, 1]], label)
        with pytest.raises(ValueError, match=f'ann/a.png \\(label map of data/img_dir/test/a.png\\): {message}'):
            metric.process({}, [dict(wrong, seg_map_path='ann/a.png')])
        with pytest.raises(ValueError, match=f'^data/img_dir/test/a.png: {message}'):
            metric.process({}, [wrong])


def test_errors():
    with pytest.raises(ValueError, match=r"\.json or \.csv, got 'report.txt'"):
        MicrographIoUMetric(report_file='report.txt')
    with pytest.raises(ValueError, match=r'label must be 0\.\.3.*got \[0, 7\]'):
        evaluate([sample('a', [[0, 1]], [[0, 7]])])
    with pytest.raises(ValueError, match='give output_dir'):
        MicrographIoUMetric(format_only=True)
    with pytest.raises(FileNotFoundError, match=r'a\.png'):
        evaluate([sample('a', [[0]], [[0]])], output_dir='nowhere')
    nameless = sample('a', [[0]], [[0]])
    del nameless['img_path']
    with pytest.raises(KeyError, match='meta_keys'):
        evaluate([nameless])
