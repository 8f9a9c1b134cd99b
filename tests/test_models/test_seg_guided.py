import pytest
import torch

from mmseg_pfdiff.models.diffusion.seg_guided import MaskDiffusion, MaskToImageDiffusion
from mmseg_pfdiff.models.two_stage import TwoStageCascade
from mmseg_pfdiff.requests.base import Unconditional

from ..generators import TINY_UNET, make_super_resolution


def make(kind, size=16, num_classes=4, **kwargs):
    torch.manual_seed(0)
    preprocessor = dict(type='PairDataPreprocessor', num_classes=num_classes, size=size)
    return kind(preprocessor, unet=TINY_UNET, sampler=dict(type='renoise', steps=3), **kwargs).eval()


def test_the_loss_is_the_mse_of_the_noise_on_the_drawn_part_alone():
    pairs = torch.rand(3, 4, 16, 16) * 2 - 1
    for kind, part, beside in ((MaskDiffusion, slice(1, 4), None), (MaskToImageDiffusion, slice(0, 1), slice(1, 4))):
        model = make(kind)
        torch.manual_seed(5)
        losses = model(dict(pairs=pairs), mode='loss')
        torch.manual_seed(5)
        t, epsilon = torch.randint(1000, (3,)), torch.randn_like(pairs[:, part])
        alpha = model.training_schedule.alphas_cumprod[t][:, None, None, None]
        x_t = alpha.sqrt() * pairs[:, part] + (1 - alpha).sqrt() * epsilon
        seen = x_t if beside is None else torch.cat([x_t, pairs[:, beside]], 1)
        assert list(losses) == ['loss_mse']
        expected = (epsilon - model.unet(seen, t)).square().mean().item()
        assert losses['loss_mse'].item() == pytest.approx(expected, rel=1e-5)


def test_pairs_depend_on_seed_and_index_alone():
    cascade = TwoStageCascade(make(MaskDiffusion), make(MaskToImageDiffusion))
    requests = Unconditional(['a', 'b', 'c', 'd'])
    target = torch.stack([requests(0, n).target for n in range(3)])
    pairs = cascade.draw(target, 7, [4, 5, 6])
    assert pairs.images.shape == pairs.labels.shape == (3, 16, 16)
    assert pairs.images.dtype == pairs.labels.dtype == torch.uint8 and pairs.labels.max() < 4
    assert torch.equal(pairs.labels, pairs.plain)
    alone = cascade.draw(target[:1], 7, [5])
    assert (alone.labels[0] != pairs.labels[1]).float().mean() < 0.02
    assert ((alone.images[0].int() - pairs.images[1].int()).abs() > 1).float().mean() < 0.02
    assert (cascade.draw(target[:1], 8, [5]).labels[0] != pairs.labels[1]).float().mean() > 0.2


def test_super_resolution_enlarges_the_pairs():
    cascade = TwoStageCascade(make(MaskDiffusion), make(MaskToImageDiffusion), make_super_resolution())
    pairs = cascade.draw(None, 0, [0, 1])
    assert pairs.images.shape == pairs.labels.shape == (2, 32, 32) and cascade.tile_size == 32
    with pytest.raises(ValueError, match='16x16 pairs, the super-resolution model makes 64x64'):
        TwoStageCascade(make(MaskDiffusion), make(MaskToImageDiffusion), make_super_resolution(size=64))


def test_the_image_follows_its_mask():
    model = make(MaskToImageDiffusion)
    labels = torch.zeros(1, 16, 16, dtype=torch.uint8)
    other = labels.clone()
    other[:, 8:] = 3
    assert not torch.equal(model.draw_images(labels, 0, [0]), model.draw_images(other, 0, [0]))
    assert torch.equal(model.draw_images(labels, 0, [0]), model.draw_images(labels, 0, [0]))


def test_stages_of_different_sizes_are_named():
    with pytest.raises(ValueError, match='draws 16x16, the image model 32x32'):
        TwoStageCascade(make(MaskDiffusion), make(MaskToImageDiffusion, size=32))
    with pytest.raises(ValueError, match='draws 4 classes, the image model knows 3'):
        TwoStageCascade(make(MaskDiffusion), make(MaskToImageDiffusion, num_classes=3))
    with pytest.raises(ValueError, match='draw 16x16 only, got 16x32'):
        TwoStageCascade(make(MaskDiffusion), make(MaskToImageDiffusion)).draw(None, 0, [0], size=(16, 32))
