"""PackMicrograph against mmseg's PackSegInputs."""

import numpy as np
import pytest
import torch
from mmseg.datasets.transforms import PackSegInputs

from mmseg_pfdiff.data.transforms import PackMicrograph


def sample(image):
    label = np.random.default_rng(1).integers(0, 4, image.shape[:2], np.uint8)
    return dict(img=image, gt_seg_map=label, img_path='a.png', ori_shape=image.shape[:2], flip=False)


@pytest.mark.parametrize('kind', ['grey', 'equal', 'colour', 'transposed', 'float', 'nearly equal'])
def test_the_values_are_mmsegs(kind):
    grey = np.random.default_rng(0).integers(0, 256, (600, 50), np.uint8)
    colour = np.random.default_rng(0).integers(0, 256, (600, 50, 3), np.uint8)
    equal = np.repeat(grey[..., None], 3, axis=2)
    nearly = equal.copy()
    nearly[-1, -1, 2] ^= 1
    images = {
        'grey': grey,
        'equal': equal,
        'colour': colour,
        'transposed': colour.transpose(1, 0, 2),
        'float': equal.astype(np.float32),
        'nearly equal': nearly,
    }
    mine, theirs = (cls()(sample(images[kind])) for cls in (PackMicrograph, PackSegInputs))
    assert torch.equal(mine['inputs'], theirs['inputs']) and mine['inputs'].dtype == theirs['inputs'].dtype
    if kind != 'grey':  # which has one channel
        assert (mine['inputs'].stride(0) == 0) == (kind in ('equal', 'float'))
    label, expected = (one['data_samples'].gt_sem_seg.data for one in (mine, theirs))
    assert label.dtype == torch.uint8 and torch.equal(label.long(), expected) and label.shape == expected.shape
    assert mine['data_samples'].metainfo == theirs['data_samples'].metainfo


def test_an_image_alone_and_a_label_map_alone():
    packed = PackMicrograph()(dict(img=np.zeros((4, 5, 3), np.uint8)))
    assert packed['inputs'].shape == (3, 4, 5) and 'gt_sem_seg' not in packed['data_samples']
    assert 'inputs' not in PackMicrograph()(dict(gt_seg_map=np.zeros((4, 5), np.uint8)))
