"""MicrographDataset: classes are those of the folder."""

import json
import shutil

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from mmseg_pfdiff.data.config_data_sets import class_names
from mmseg_pfdiff.data.layout import DataError

from ..releases import PALETTE

LOAD = [dict(type='LoadImageFromFile', imdecode_backend='micrograph'), dict(type='LoadLabelMap')]
TILES = dict(img_path='tiles/img_dir/train', seg_map_path='tiles/ann_dir/train')


def settings(root, **more):
    return dict(type='MicrographDataset', data_root=str(root), data_prefix=TILES, pipeline=LOAD, **more)


def build(root, **more):
    init_default_scope('mmseg')
    return DATASETS.build(settings(root, **more))


def labels(dataset):
    return np.stack([dataset[index]['gt_seg_map'] for index in range(len(dataset))])


@pytest.fixture
def changed(demo_data, tmp_path):
    """Copies the data set with other fields in its record, or without one."""

    def change(record):
        root = tmp_path / 'data'
        shutil.copytree(demo_data, root)
        known = json.loads((root / 'dataset.json').read_text())
        (root / 'dataset.json').unlink()
        if record is not None:
            (root / 'dataset.json').write_text(json.dumps({**known, **record}))
        return root

    return change


def test_classes_colours_and_labels(changed):
    root = changed(dict(classes=list('abcd')))
    dataset = build(root)
    assert dataset.metainfo['classes'] == tuple('abcd') == class_names(settings(root))
    assert dataset.metainfo['palette'] == PALETTE and dataset.label_map is None
    assert set(np.unique(labels(dataset))) == {0, 1, 2, 3, 255}


def test_some_of_the_classes_in_another_order(demo_data):
    chosen = ('defect', 'matrix')
    all_classes, some = labels(build(demo_data)), build(demo_data, metainfo=dict(classes=chosen))
    assert some.metainfo['classes'] == chosen and some.metainfo['palette'] == [PALETTE[0], PALETTE[3]][::-1]
    new = np.full(256, 255)
    new[[3, 0]] = 0, 1
    np.testing.assert_array_equal(labels(some), new[all_classes])
    with pytest.raises(ValueError, match=r'has the classes matrix, .*`metainfo` names ferrite'):
        build(demo_data, metainfo=dict(classes=('matrix', 'ferrite')))


def test_a_folder_of_former_versions(demo_data, changed):
    root = changed(None)
    shutil.copy(demo_data / 'dataset.json', root / 'metaldam.json')
    assert build(root).metainfo == build(demo_data).metainfo


def test_a_folder_without_a_record(changed, tmp_path):
    root = changed(None)
    with pytest.raises(DataError, match=r'data has no dataset\.json, .*micrographs\.py'):
        build(root)
    named = build(root, metainfo=dict(classes=tuple('abcd'), palette=PALETTE))
    assert named.metainfo['classes'] == tuple('abcd') and named.label_map is None
    kind = dict(settings(root), type='MetalDAMDataset')
    assert DATASETS.build(kind).metainfo['classes'][0] == class_names(kind)[0] == 'matrix'
    with pytest.raises(FileNotFoundError, match=r'There is no data set .*none'):
        build(tmp_path / 'none')
    with pytest.raises(DataError, match=r'data_root=s3://data cannot look its classes up there'):
        build('s3://data')


@pytest.mark.parametrize('record', [dict(classes=None), dict(classes=list('ab')), dict(ignore_index=0)])
def test_a_record_that_does_not_fit(changed, record):
    with pytest.raises(DataError, match=r'data.dataset\.json .*: convert the data anew'):
        build(changed(record))
