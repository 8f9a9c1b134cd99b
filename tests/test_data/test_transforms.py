"""The symmetries of the square, and mmseg's photometric transform on grey micrographs."""

from pathlib import Path

import numpy as np
import pytest
from mmengine import Config
from mmseg.registry import TRANSFORMS

from mmseg_pfdiff.data.transforms import RandomSquareSymmetry, square_symmetry

BASE = Path(__file__).parents[2] / 'configs/_base_/datasets/metaldam_256x256.py'


def pair(height=4, width=4):
    label = np.arange(height * width, dtype=np.uint8).reshape(height, width)
    return dict(img=np.stack([label + 100] * 3, axis=-1), gt_seg_map=label, seg_fields=['gt_seg_map'])


def test_eight_different_symmetries_each_as_often():
    np.random.seed(0)
    transform = RandomSquareSymmetry()
    seen = {}
    for _ in range(800):
        result = transform(pair())
        key = result['gt_seg_map'].tobytes()
        seen[key] = seen.get(key, 0) + 1
        assert (result['img'][..., 1] == result['gt_seg_map'] + 100).all()  # image and labels move together
        assert result['img'].flags.c_contiguous
        assert result['gt_seg_map'].flags.c_contiguous
    assert len(seen) == 8
    assert min(seen.values()) > 60  # 100 expected


def test_they_are_the_group_of_the_square():
    """Closed under composition, and each keeps all neighbours."""
    label = pair()['gt_seg_map']
    images = [square_symmetry(label, s).tobytes() for s in range(8)]
    assert len(set(images)) == 8
    for first in range(8):
        for second in range(8):
            assert square_symmetry(square_symmetry(label, first), second).tobytes() in images


def test_known_values():
    label = np.array([[1, 2], [3, 4]])
    assert square_symmetry(label, 0).tolist() == [[1, 2], [3, 4]]
    assert square_symmetry(label, 1).tolist() == [[2, 4], [1, 3]]
    assert square_symmetry(label, 4).tolist() == [[2, 1], [4, 3]]
    assert square_symmetry(label, 6).tolist() == [[3, 4], [1, 2]]
    with pytest.raises(ValueError, match='got 8'):
        square_symmetry(label, 8)


def test_oblong_images_and_other_fields():
    np.random.seed(1)
    transform = TRANSFORMS.build(dict(type='RandomSquareSymmetry'))
    shapes = set()
    for _ in range(30):
        results = pair(3, 5)
        results.update(gt_edge_map=results['gt_seg_map'] + 50, seg_fields=['gt_seg_map', 'gt_edge_map'])
        results = transform(results)
        assert results['img'].shape[:2] == results['img_shape'] == results['gt_seg_map'].shape
        assert (results['gt_edge_map'] == results['gt_seg_map'] + 50).all()
        assert results['square_symmetry'] in range(8)
        shapes.add(results['img_shape'])
    assert shapes == {(3, 5), (5, 3)}


def test_an_image_without_labels():
    assert RandomSquareSymmetry()(dict(img=np.zeros((2, 3), np.uint8)))['img'].size == 6


def test_the_configured_photometric_transform_keeps_micrographs_grey():
    [config] = [t for t in Config.fromfile(BASE).train_pipeline if t['type'] == 'PhotoMetricDistortion']
    transform = TRANSFORMS.build(config)
    grey = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)  # every grey value
    np.random.seed(0)
    changes = []
    for _ in range(100):
        result = transform(dict(img=grey.copy()))['img']
        assert result.dtype == np.uint8
        assert (result[..., 0] == result[..., 1]).all()
        assert (result[..., 0] == result[..., 2]).all()
        assert (np.diff(result[..., 0].ravel().astype(int)) >= 0).all()  # only brightness and contrast
        changes.append(int(np.abs(result.astype(int) - grey).max()))
    assert 0 in changes
    assert 20 < max(changes) <= 51 + 51 + 1
