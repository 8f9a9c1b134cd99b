import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_pfdiff.models.diffusion.pf_diffseg import PFDiffSeg
from mmseg_pfdiff.models.diffusion.super_resolution import PairSuperResolution
from mmseg_pfdiff.models.gan.mask_painter import MaskPainter
from mmseg_pfdiff.models.gan.painter import PairPainter

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


def make_painter(size=32, seed=1, **kwargs):
    torch.manual_seed(seed)
    preprocessor = dict(type='PairDataPreprocessor', num_classes=4, size=size)
    networks = dict(generator=dict(channels=8, num_blocks=1, top_channels=4), discriminator=dict(channels=(4, 8)))
    return PairPainter(preprocessor, **(networks | dict(grain=dict(num=6)) | kwargs)).eval()


def make_mask_painter(size=32, seed=1, **kwargs):
    torch.manual_seed(seed)
    preprocessor = dict(type='PairDataPreprocessor', num_classes=4, size=size)
    networks = dict(generator=dict(channels=8, num_blocks=1, top_channels=4), discriminator=dict(channels=(4, 8)))
    return MaskPainter(preprocessor, **(networks | dict(grain=dict(num=6), looks=dict(num=6)) | kwargs)).eval()


def opening(paths):
    """Arguments of `open_generator`: config and checkpoint of a generator, perhaps of a super-resolution model too."""
    return dict(zip(('source', 'checkpoint', 'sr_config', 'sr_checkpoint'), map(str, paths), strict=False))


@pytest.fixture
def generator():
    return make_generator()


@pytest.fixture
def super_resolution():
    return make_super_resolution()


@pytest.fixture
def painter():
    return make_painter()


# For the GANs.
OPTIMIZERS = dict(
    constructor='PerModuleOptimWrapperConstructor',
    optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999)),
    modules=dict(generator=dict(), discriminator=dict()),
)


def batch(n, size=16):
    """A batch of a data loader: label maps of two halves, images that follow them."""
    samples, images = [], []
    for i in range(n):
        label = torch.full((size, size), i % 4)
        label[:, size // 2 :] = (i + 1) % 4
        samples.append(SegDataSample(gt_sem_seg=PixelData(data=label[None])))
        images.append((60 * label + 20).to(torch.uint8)[None])
    return dict(inputs=images, data_samples=samples)


def weights(model):
    """A copy of all weights by name."""
    return {name: value.detach().clone() for name, value in model.named_parameters()}
