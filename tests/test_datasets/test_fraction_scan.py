import numpy as np
import pytest
from PIL import Image

from mmseg_pfdiff.datasets.fraction_scan import dataset_fractions


@pytest.fixture
def config(tmp_path):
    for name in ('img', 'ann'):
        (tmp_path / name).mkdir()
    labels = [np.zeros((4, 4)), np.full((4, 4), 255), np.repeat([[0, 1, 2, 3]], 4, 0)]
    for n, label in enumerate(labels):
        Image.fromarray(label.astype(np.uint8)).save(tmp_path / f'ann/{n}.png')
        Image.fromarray(label.astype(np.uint8)).save(tmp_path / f'img/{n}.png')
    prefix = dict(img_path='img', seg_map_path='ann')
    pipeline = [dict(type='LoadImageFromFile'), dict(type='RandomCrop', crop_size=(2, 2))]
    return dict(type='MetalDAMDataset', data_root=str(tmp_path), data_prefix=prefix, pipeline=pipeline)


def test_each_tile_gives_its_fractions_and_ignored_tiles_none(config):
    classes, vectors = dataset_fractions(config)
    assert classes[2] == 'martensite_austenite'
    assert vectors.tolist() == [[1, 0, 0, 0], [0.25] * 4]


def test_wrappers_are_looked_through(config):
    assert len(dataset_fractions(dict(type='RepeatDataset', times=5, dataset=config))[1]) == 2
