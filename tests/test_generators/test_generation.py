import os
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_pfdiff.datasets import PairFolder
from mmseg_pfdiff.generators import PairCascade
from mmseg_pfdiff.generators.generation import batches, generate_pairs
from mmseg_pfdiff.phases import FractionSampler

from .conftest import make_generator, make_super_resolution

CLASSES = ('matrix', 'austenite', 'martensite_austenite', 'defect')
DESCRIPTION = dict(classes=CLASSES, palette=[[0, 114, 178], [240, 228, 66], [213, 94, 0], [0, 0, 0]])


def make_requests():
    vectors = torch.rand(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return FractionSampler(vectors / vectors.sum(1, keepdim=True), CLASSES)


def generate(root, num, batch_size=4, seed=2):
    cascade = PairCascade(make_generator(), make_super_resolution())
    folder = PairFolder.create(root, DESCRIPTION)
    return generate_pairs(cascade, make_requests(), folder, num, seed, batch_size), folder


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
        assert image.shape == label.shape == (32, 32)
        assert row.measured == pytest.approx([(label == k).mean() for k in range(4)], abs=1e-8)
        assert row.target == pytest.approx(requests(2, row.index).fractions.tolist(), abs=1e-8)
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


@pytest.mark.skipif(not hasattr(signal, 'SIGKILL'), reason='needs SIGKILL')
def test_sigkill_in_the_middle_then_again_gives_the_same_folder(tmp_path):
    script = (
        'from pathlib import Path; import sys; import torch; torch.set_num_threads(1);'
        'from tests.test_generators.test_generation import generate;'
        'generate(Path(sys.argv[1]), 40, batch_size=2)'
    )
    process = subprocess.Popen([sys.executable, '-c', script, str(tmp_path / 'killed')], stderr=subprocess.DEVNULL)
    rows = tmp_path / 'killed/rows/0.csv'
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if rows.exists() and rows.read_bytes().count(b'\n') >= 6:
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.005)
    assert process.wait() == -signal.SIGKILL, 'the run was killed while it was writing'
    left = len(PairFolder(tmp_path / 'killed').rows())
    assert 4 <= left < 40
    written, killed = generate(tmp_path / 'killed', 40, batch_size=4)
    assert written >= 40 - left
    assert not (tmp_path / 'killed/rows').exists()
    _, whole = generate(tmp_path / 'whole', 40, batch_size=4)
    assert_same_pairs(whole, killed)
    names = Counter(path.suffix for path in (tmp_path / 'killed').rglob('*') if path.is_file())
    assert names == {'.png': 80, '.csv': 1, '.json': 1}


def test_bad_numbers(tmp_path):
    with pytest.raises(ValueError, match='num=0'):
        generate(tmp_path / 'a', 0)


def test_batches():
    assert list(batches([5, 6, 7], 2)) == [[5, 6], [7]]
