import os
import time

from mmseg_pfdiff.comparison.job import own_gpu, timed
from mmseg_pfdiff.comparison.records import Records


def test_seconds_are_counted_over_all_interruptions(tmp_path):
    records = Records(tmp_path)
    record = dict(seconds=100.0)
    with timed(records, 'runs/a', record):
        assert records.read('runs/a')['seconds'] >= 100  # a kill from here on leaves a record
        time.sleep(0.05)
    assert 100.05 <= records.read('runs/a')['seconds'] < 160
    assert records.made('runs/a') is None and records.made('runs/b') is None


def test_each_job_of_a_machine_has_a_gpu_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', 'before')
    with own_gpu(tmp_path, ['3']):
        assert os.environ['CUDA_VISIBLE_DEVICES'] == 'before'  # there is no choice
    with own_gpu(tmp_path, ['3', '5']):
        assert os.environ['CUDA_VISIBLE_DEVICES'] == '3'
        with own_gpu(tmp_path, ['3', '5']):
            assert os.environ['CUDA_VISIBLE_DEVICES'] == '5'
    with own_gpu(tmp_path, ['3', '5']):
        assert os.environ['CUDA_VISIBLE_DEVICES'] == '3'


def test_marks_hold_what_the_choice_needs(tmp_path):
    records = Records(tmp_path)
    records.set_mark('runs/a', dict(made='x', ratio=2, validation=50.0, seconds=3.0))
    assert records.mark('runs/a').read_text() == '{"made": "x", "ratio": 2, "validation": 50.0}\n'
