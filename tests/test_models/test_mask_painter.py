"""A painter of label maps: what it is told, what it learns from, and what its images depend on."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmseg.registry import MODELS

from mmseg_pfdiff.models import MaskPainter, PairCascade
from mmseg_pfdiff.models.enlarger import PairEnlarger
from mmseg_pfdiff.models.gan.painter_losses import statistics_distance
from mmseg_pfdiff.models.two_stage import ImageModel
from mmseg_pfdiff.phases.fractions import phase_fractions
from mmseg_pfdiff.spectrum import image_spectrum_distance, spectrum_distance

from ..generators import OPTIMIZERS, batch, make_mask_painter, make_painter, weights


def looking(painter):
    """With the looks and the grain of six tiles, darker and brighter ones."""
    generator = torch.Generator().manual_seed(0)
    labels = (torch.arange(32) // 4 % 4).expand(6, 32, 32)
    tiles = 60 + 20 * torch.arange(6)[:, None, None] + 10 * labels + 8 * torch.randn(6, 32, 32, generator=generator)
    images = tiles[:, None] / 127.5 - 1
    painter.looks.fit(images, labels, 2)
    painter.grain.fit(tiles, torch.nn.functional.avg_pool2d(images, 2))
    return painter


def label_maps(n=3, height=32, width=48):
    return torch.randint(4, (n, height, width), generator=torch.Generator().manual_seed(0))


def test_a_training_step_changes_both_networks_and_nothing_else():
    model = looking(make_mask_painter(crop=16)).train()
    before, looks = weights(model), [buffer.clone() for buffer in model.looks.buffers()]
    losses = model.train_step(batch(4, size=32), build_optim_wrapper(model, OPTIMIZERS))
    assert set(losses) == {
        'loss', 'loss_discriminator', 'loss_real', 'loss_drawn', 'loss_adversarial', 'loss_low', 'loss_spectrum',
        'loss_features',
    }  # fmt: skip
    assert all(loss.isfinite() for loss in losses.values())
    changed = {name.split('.')[0] for name, value in weights(model).items() if not torch.equal(value, before[name])}
    assert changed == {'generator', 'discriminator'}
    assert all(map(torch.equal, looks, model.looks.buffers()))


def test_tiles_are_painted_after_their_own_looks():
    model = make_mask_painter(grain=dict(num=6)).train()
    labels = (torch.arange(32) // 16).expand(4, 32, 32)
    images = 50 + 30 * torch.arange(4)[:, None, None] + 40 * labels.float()
    inputs = model.training_inputs(dict(images=images, labels=labels))
    expected = (50 + 30 * torch.arange(4)[:, None] + torch.tensor([0, 40])) / 127.5 - 1
    assert torch.allclose(inputs['looks'].greys[:, :2], expected, atol=1e-5)
    assert torch.equal(inputs['labels'], labels)
    torch.manual_seed(0)
    drawn = model.draw(inputs)
    others = inputs['looks']._replace(textures=inputs['looks'].textures + 1)
    torch.manual_seed(0)
    assert not torch.allclose(model.draw(inputs | dict(looks=others)), drawn)


def test_losses_ask_for_the_same_texture_wherever_it_lies():
    torch.manual_seed(0)
    model, images = make_mask_painter(), torch.randn(2, 1, 32, 32)
    moved = images.roll((4, 4), (2, 3))
    assert model.features_distance(images, moved) < 1e-6 < make_painter().features_distance(images, moved)
    blocks = torch.zeros(2, 1, 16, 16)
    assert model.low_distance(blocks, torch.nn.functional.interpolate(blocks, scale_factor=2) + 0.25) == 0.25
    # A set of two that swaps its images has the same spectrum, each image has not.
    images = images * torch.tensor([1.0, 3.0])[:, None, None, None]
    assert spectrum_distance(images, images.flip(0)) < 1e-5
    assert image_spectrum_distance(images, images.flip(0)).item() == pytest.approx(
        2 * torch.tensor(3.0).log().item(), abs=0.3
    )
    assert model.spectrum_distance(images, images.flip(0)) == image_spectrum_distance(images, images.flip(0))


def test_statistics_are_mean_and_deviation_of_each_feature():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 3, 8, 8, generator=generator)
    other = torch.stack([features[0] + 0.5, 3 * (features[1] - features[1].mean((1, 2), keepdim=True))])
    moved, wide = statistics_distance(features, other)
    assert moved.item() == pytest.approx(0.5, abs=1e-5)
    own = features[1].numpy()
    assert wide.item() == pytest.approx(abs(own.mean((1, 2))).mean() + 2 * own.std((1, 2), ddof=1).mean(), rel=1e-4)


def test_image_i_is_a_function_of_its_label_map_seed_and_index():
    painter, labels = looking(make_mask_painter()), label_maps()
    images = painter.draw_images(labels, 0, [0, 5, 7])
    assert images.shape == (3, 32, 48) and images.dtype == torch.uint8
    assert (painter.draw_images(labels[1:2], 0, [5])[0].int() - images[1].int()).abs().max() <= 1
    assert not torch.equal(painter.draw_images(labels[1:2], 1, [5])[0], images[1])
    assert not torch.equal(painter.draw_images(labels[:1], 0, [5])[0], images[1])


def test_images_look_like_different_tiles():
    painter = looking(make_mask_painter())
    labels = (torch.arange(32) // 4 % 4).expand(24, 32, 32)
    brightness = painter.draw_images(labels, 0, range(24)).float().mean((1, 2))
    # Sketches pass through a network that is not trained: the tiles' brightness of 75 to 175 shows.
    assert brightness.max() - brightness.min() > 60


def test_in_a_cascade_it_paints_the_masks_of_the_generator(generator):
    painter, target = looking(make_mask_painter()), torch.tensor([[0.4, 0.3, 0.2, 0.1]])
    assert isinstance(painter, PairEnlarger) and isinstance(painter, ImageModel)
    assert not isinstance(make_painter(), ImageModel)
    drawn = PairCascade(generator, painter).draw(target, 0, [3])
    assert (phase_fractions(drawn.labels, 4) - target).abs().max() <= 1 / 1024
    assert torch.equal(drawn.images, painter.draw_images(drawn.labels, 0, [3]))


def test_validation_paints_the_real_label_maps():
    painter = looking(make_mask_painter())
    inputs = painter.data_preprocessor(batch(3, size=32))['inputs']
    images, labels = painter.predict(inputs, [0, 1, 2])
    assert images.shape == (3, 32, 32) and torch.equal(labels, inputs['labels'])


def test_it_is_registered():
    assert MODELS.get('MaskPainter') is MaskPainter
