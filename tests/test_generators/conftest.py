import pytest
import torch

from mmseg_pfdiff.generators import PairSuperResolution, PFDiffSeg

TINY_UNET = dict(block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4)


def make_generator(size=16, seed=0, **kwargs):
    torch.manual_seed(seed)
    preprocessor = dict(type='PairDataPreprocessor', num_classes=4, size=size)
    kwargs = dict(unet=TINY_UNET, sampler=dict(type='renoise', steps=3)) | kwargs
    return PFDiffSeg(preprocessor, **kwargs).eval()


def make_super_resolution(size=32, seed=1, **kwargs):
    torch.manual_seed(seed)
    preprocessor = dict(type='PairDataPreprocessor', num_classes=4, size=size)
    kwargs = dict(unet=TINY_UNET, sampler=dict(type='renoise', steps=3)) | kwargs
    return PairSuperResolution(preprocessor, **kwargs).eval()


@pytest.fixture
def generator():
    return make_generator()


@pytest.fixture
def super_resolution():
    return make_super_resolution()
