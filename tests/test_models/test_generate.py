import multiprocessing
import os
import random
import signal
import time
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_pfdiff.models.cascade import PairCascade
from mmseg_pfdiff.models.generate import PairRecorder, generate_pairs, generate_until_kept, invented_shares
from mmseg_pfdiff.models.preprocessor import DecodedPairs
from mmseg_pfdiff.models.validation import batches
from mmseg_pfdiff.pairs.folder import PairFolder
from mmseg_pfdiff.reports.folder_summary import folder_summary
from mmseg_pfdiff.requests.base import FractionRequest
from mmseg_pfdiff.requests.sampler import FractionSampler
from mmseg_pfdiff.requests.support import FractionSupport
from mmseg_pfdiff.requests.table import RequestedFractions

from ..generators import make_generator

CLASSES = ('matrix', 'austenite', 'martensite_austenite', 'defect')
DESCRIPTION = dict(
    classes=CLASSES, size=(16, 16), exact=True, palette=[[0, 114, 178], [240, 228, 66], [213, 94, 0], [0, 0, 0]]
)


def make_requests():
    vectors = torch.rand(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return FractionSampler(vectors / vectors.sum(1, keepdim=True), CLASSES)


def generate(root, num, batch_size=4, seed=2):
    cascade = PairCascade(make_generator())
    folder = PairFolder.create(root, DESCRIPTION)
    return generate_pairs(cascade, make_requests(), folder, num=num, seed=seed, batch_size=batch_size), folder


def read(folder, index):
    return [np.array(Image.open(path(index))) for path in (folder.image_path, folder.label_path)]


def assert_same_pairs(a, b):
    """Equal rows but for what the rounding of the kernels moved; equal requests exactly."""
    rows_a, rows_b = a.rows(), b.rows()
    assert [(r.index, r.seed, r.group, r.target) for r in rows_a] == [
        (r.index, r.seed, r.group, r.target) for r in rows_b
    ]
    for row_a, row_b in zip(rows_a, rows_b, strict=True):
        assert row_a.measured == pytest.approx(row_b.measured, abs=0.005)
        (image_a, label_a), (image_b, label_b) = read(a, row_a.index), read(b, row_b.index)
        assert np.abs(image_a.astype(int) - image_b).max() <= 1
        assert (label_a != label_b).mean() <= 0.02  # untrained networks leave many pixels nearly undecided


def test_rows_say_what_the_files_hold(tmp_path):
    written, folder = generate(tmp_path / 'a', 6)
    assert written == 6
    requests = make_requests()
    for row in folder.rows():
        image, label = read(folder, row.index)
        assert image.shape == label.shape == (16, 16)
        assert row.measured == pytest.approx([(label == k).mean() for k in range(4)], abs=1e-8)
        assert row.target == pytest.approx(requests(2, row.index).target.tolist(), abs=1e-8)
        assert row.group == requests(2, row.index).group


def test_batch_size_and_continuation_change_nothing(tmp_path):
    _, whole = generate(tmp_path / 'whole', 7, batch_size=4)
    _, single = generate(tmp_path / 'single', 7, batch_size=1)
    assert_same_pairs(whole, single)
    generate(tmp_path / 'parts', 3, batch_size=2)
    assert generate(tmp_path / 'parts', 7, batch_size=4)[0] == 4
    _, parts = generate(tmp_path / 'parts', 7)
    assert_same_pairs(whole, parts)


def test_another_seed_draws_other_pairs(tmp_path):
    _, a = generate(tmp_path / 'a', 2, seed=0)
    _, b = generate(tmp_path / 'b', 2, seed=1)
    assert (read(a, 0)[0] != read(b, 0)[0]).mean() > 0.5


def kill_at(root, num, rows, delay):
    """Starts generating in a process of its own and kills it `delay` seconds after it has that many rows."""
    process = multiprocessing.get_context('fork').Process(target=generate, args=(root, num, 2), daemon=True)
    process.start()
    while process.is_alive() and len(safe_rows(root)) < rows:
        time.sleep(0.01)  # looking takes time from what is looked at
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    return process.exitcode


def safe_rows(root):
    """The rows of a folder that may not have been made yet."""
    return PairFolder(root).rows() if (root / 'pair_folder.json').exists() else []


def test_ten_sigkills_then_a_last_run_give_the_folder_of_one_run(tmp_path):
    rng = random.Random(0)
    root, num = tmp_path / 'killed', 60
    codes = [kill_at(root, num, rows=5 * n, delay=rng.uniform(0, 0.02)) for n in range(10)]
    assert codes == [-signal.SIGKILL] * 10, 'every run was killed while it was writing'
    left = len(safe_rows(root))
    assert 45 <= left < num
    generate(root, num, batch_size=4)
    _, whole = generate(tmp_path / 'whole', num, batch_size=4)
    assert_same_pairs(whole, PairFolder(root))
    names = Counter(path.suffix for path in root.rglob('*') if path.is_file())
    assert names == {'.png': 2 * num, '.csv': 1, '.json': 1}
    indices = [int(line.partition(',')[0]) for line in (root / 'pairs.csv').read_text().splitlines()[1:]]
    assert indices == list(range(num))


def test_an_unwritable_folder_stops_the_run_and_loses_nothing(tmp_path):
    root = tmp_path / 'pairs'
    generate(root, 3)
    (root / 'labels').rename(tmp_path / 'labels')
    (root / 'labels').write_text('in the way')
    before = (root / 'pairs.csv').read_bytes()
    cascade = PairCascade(make_generator())
    with pytest.raises(OSError, match='labels'):
        generate_pairs(cascade, make_requests(), PairFolder(root), num=9, seed=2, batch_size=2)
    (root / 'labels').unlink()
    (tmp_path / 'labels').rename(root / 'labels')
    assert (root / 'pairs.csv').read_bytes() == before
    assert generate(root, 9)[0] == 6


def test_pairs_whose_pixels_moved_too_far_are_marked(tmp_path):
    cascade = PairCascade(make_generator())
    folder = PairFolder.create(tmp_path / 'a', DESCRIPTION)
    record = PairRecorder(cascade, CLASSES, max_moved=0.5, max_invented=1)
    generate_pairs(cascade, make_requests(), folder, num=6, seed=2, batch_size=3, record=record)
    for row in folder.rows():
        label = read(folder, row.index)[1]
        counts = np.bincount(label.ravel(), minlength=4)
        assert np.abs(counts - 256 * np.array(row.target)).max() < 1, 'exact up to the rounding of a pixel'
        plain = [row.measures[f'plain_{name}'] for name in CLASSES]
        assert sum(plain) == pytest.approx(1, abs=1e-4)
        # At least what the fractions differ by has moved.
        assert row.measures['moved'] >= 0.5 * np.abs(np.array(plain) - row.measured).sum() - 1e-4
        assert row.measures['moved_margin'] > 0
        assert row.kept == (row.measures['moved'] <= 0.5)
        assert row.kept or row.reason.endswith('% of the pixels changed their class to meet the fractions')


def test_pairs_are_drawn_until_enough_are_kept(tmp_path):
    cascade = PairCascade(make_generator())
    folder = PairFolder.create(tmp_path / 'a', DESCRIPTION)
    moved = []

    def draw(num, limit):
        record = PairRecorder(cascade, CLASSES, max_moved=limit, max_invented=1)
        generate_pairs(cascade, make_requests(), folder, num=num, seed=2, batch_size=8, record=record)
        moved.append(len(folder.rows()))

    draw(12, 1)
    median = float(np.median([row.measures['moved'] for row in folder.rows()]))
    folder = PairFolder.create(tmp_path / 'b', DESCRIPTION)
    moved.clear()
    generate_until_kept(lambda num: draw(num, median), folder, 8)
    kept = [row.index for row in folder.rows() if row.kept]
    assert len(kept) >= 8 and moved[0] == 9 and len(moved) > 1, 'half of the first nine are not kept'
    generate_until_kept(lambda num: draw(num, median), folder, 8)
    assert [row.index for row in folder.rows() if row.kept] == kept
    folder = PairFolder.create(tmp_path / 'c', DESCRIPTION)
    with pytest.raises(ValueError, match=r'c: only 0 of 9 pairs are kept, 8 are needed.* changed their class'):
        generate_until_kept(lambda num: draw(num, 0), folder, 8)


def test_an_interrupted_run_ends_with_the_pairs_of_a_whole_one(tmp_path):
    cascade = PairCascade(make_generator())
    record = PairRecorder(cascade, CLASSES, max_moved=1, max_invented=1)

    def draw(num):
        generate_pairs(cascade, make_requests(), folder, num=num, seed=2, batch_size=1, record=record)

    folder = PairFolder.create(tmp_path / 'a', DESCRIPTION)
    draw(12)
    record.max_moved = float(np.median([row.measures['moved'] for row in folder.rows()]))
    folder = PairFolder.create(tmp_path / 'b', DESCRIPTION)
    generate_until_kept(draw, folder, 10)
    whole = folder.rows()
    assert len(whole) > 12, 'about half of the first eleven are kept'
    # Two processes, one of which was ahead of the other when they were killed; the second time, all needed are there.
    for left in ([0, 1, 3, 5, 7], [*range(11), 11, 13, 15], list(range(len(whole) - 1))):
        folder.replace_rows([row for row in whole if row.index in left])
        generate_until_kept(draw, folder, 10)
        assert folder.rows() == whole
    folder.replace_rows([row for row in whole if row.index not in (4, len(whole) - 2)])
    generate_until_kept(draw, folder, 2)
    assert folder.rows() == whole, 'gaps are filled, though fewer pairs would do'


def test_a_table_that_runs_out_says_how_many_were_kept(tmp_path):
    cascade = PairCascade(make_generator())
    table = RequestedFractions(make_requests().vectors[:10], CLASSES)
    record = PairRecorder(cascade, CLASSES, max_moved=1, max_invented=1)

    def draw(num):
        generate_pairs(cascade, table, folder, num=num, seed=2, batch_size=5, record=record)

    folder = PairFolder.create(tmp_path / 'a', DESCRIPTION)
    generate_until_kept(draw, folder, 10, most=table.num)  # 5 % more than these would be 11
    assert len(folder.rows()) == 10
    folder.replace_rows([row._replace(kept=row.index > 3) for row in folder.rows()])
    message = 'a: all 10 rows of the table are drawn and 6 of the pairs are kept, 8 are needed.*--kept 6'
    with pytest.raises(ValueError, match=message):
        generate_until_kept(draw, folder, 8, most=table.num)


def test_requests_far_from_the_real_vectors_are_flagged(tmp_path):
    vectors = make_requests().vectors
    requests = RequestedFractions(torch.stack([vectors[0], torch.tensor([0.0, 0, 0, 1]).double()]), CLASSES)
    folder = PairFolder.create(tmp_path / 'a', DESCRIPTION)
    cascade = PairCascade(make_generator())
    record = PairRecorder(cascade, CLASSES, support=FractionSupport(vectors))
    generate_pairs(cascade, requests, folder, num=2, seed=0, batch_size=2, record=record)
    near, far = folder.rows()
    assert near.measures['support_distance'] == 0 and near.measures['out_of_support'] == 0
    nearest = 0.5 * (vectors - torch.tensor([0.0, 0, 0, 1])).abs().sum(1).min().item()
    assert far.measures['support_distance'] == pytest.approx(nearest, rel=1e-5) and far.measures['out_of_support'] == 1
    summary = folder_summary(PairFolder.create(tmp_path / 'a', DESCRIPTION), 0.05)
    assert 'Requests farther than 5.00 points from all real tiles (out_of_support in pairs.csv): 1.' in summary
    assert '(requested' in summary and 'Class shares of all pairs: matrix' in summary


def test_a_pair_without_a_phase_that_was_asked_for_is_not_kept():
    labels = torch.zeros(2, 16, 16, dtype=torch.uint8)
    pairs = DecodedPairs(labels, labels, torch.zeros(2, 16, 16), labels)
    requests = [FractionRequest(torch.tensor([1 - share, 0, 0, share]).double(), 'a') for share in (0.03, 0.001)]
    record = PairRecorder(PairCascade(make_generator()), CLASSES)
    first, second = record(0, [0, 1], requests, pairs)
    assert not first.kept and first.reason == '3.0 % of defect was asked for, none was drawn'
    assert second.kept
    plain = PairRecorder(PairCascade(make_generator(), exact=False), CLASSES)
    assert all(row.kept for row in plain(0, [0, 1], requests, pairs)), 'exactness was not asked for'


def test_a_phase_that_was_not_drawn_is_invented():
    plain = torch.zeros(1, 100, 10, dtype=torch.uint8)
    plain[0, :, 0] = 1
    labels = plain.clone()
    labels[0, :10, 5] = 3  # all of class 3
    labels[0, :4, 6] = 1  # 4 of 104 of class 1
    labels[0, 50, 7] = 2  # too few to count
    shares = invented_shares(labels, plain, 4)
    torch.testing.assert_close(shares, torch.tensor([[0, 4 / 104, 0, 1.0]], dtype=torch.float64))
    record = PairRecorder(PairCascade(make_generator()), CLASSES, max_moved=1)
    pairs = DecodedPairs(labels, labels, torch.zeros(labels.shape), plain)
    request = FractionRequest(torch.tensor([0.9, 0.1, 0, 0]).double(), 'a')
    [row] = record(0, [7], [request], pairs)
    assert not row.kept and row.reason == '100 % of the defect was not drawn but moved there'
    assert row.measures['invented'] == 1 and row.measures['moved'] == pytest.approx(0.015)


def test_bad_numbers(tmp_path):
    with pytest.raises(ValueError, match='num=0'):
        generate(tmp_path / 'a', 0)
    with pytest.raises(ValueError, match='max_moved must be a share'):
        PairRecorder(PairCascade(make_generator()), CLASSES, max_moved=3)


def test_batches():
    assert list(batches([5, 6, 7], 2)) == [[5, 6], [7]]
