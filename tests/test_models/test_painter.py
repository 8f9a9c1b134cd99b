import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch.nn import functional as F

from mmseg_pfdiff.models import PairCascade, PairPainter
from mmseg_pfdiff.models.enlarger import PairEnlarger
from mmseg_pfdiff.models.gan.painter_losses import class_balanced_loss
from mmseg_pfdiff.models.gan.painter_networks import PainterNetwork
from mmseg_pfdiff.phases.fractions import phase_fractions

from ..generators import OPTIMIZERS, batch, make_painter, make_super_resolution, weights


def measured(painter):
    """With grain."""
    generator = torch.Generator().manual_seed(0)
    tiles = 128 + 10 * torch.randn(6, 32, 32, generator=generator)
    painter.grain.fit(tiles, F.avg_pool2d(tiles[:, None] / 127.5 - 1, 2))
    return painter


def low_pairs(n=2, size=16):
    generator = torch.Generator().manual_seed(0)
    return 0.5 * torch.randn(n, 4, size, size, generator=generator)


def test_each_phase_of_the_batch_weighs_the_same():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 5, 6, 7, generator=generator)
    labels = torch.zeros(2, 6, 7, dtype=torch.long)
    labels[0, :2], labels[1, 3, 3], labels[1, 5] = 2, 3, 255
    slow = []
    for k in (0, 2, 3):  # no pixel is of class 1
        n, y, x = (labels == k).nonzero(as_tuple=True)
        slow.append(-logits.log_softmax(1)[n, k, y, x].mean())
    assert class_balanced_loss(logits, labels, 4).item() == pytest.approx(torch.stack(slow).mean().item(), rel=1e-5)


@pytest.mark.parametrize('factor', [2, 4])
def test_the_network_enlarges_by_its_factor_and_sees_image_mask_and_noise(factor):
    torch.manual_seed(0)
    network = PainterNetwork(3, factor, channels=8, num_blocks=1, top_channels=4, noise_channels=2)
    inputs = [torch.randn(1, 1, 6, 5), torch.randn(1, 3, 6 * factor, 5 * factor), torch.randn(1, 2, 6, 5)]
    drawn = network(*inputs)
    assert drawn.shape == (1, 1, 6 * factor, 5 * factor)
    for place in range(3):
        others = [-x if i == place else x for i, x in enumerate(inputs)]
        assert not torch.allclose(network(*others), drawn)
    with pytest.raises(ValueError, match=r'factor must be 2, 4, 8, \.\.\., got 3'):
        PainterNetwork(3, 3)


def test_a_painter_is_an_enlarger_as_the_super_resolution_is(painter, super_resolution):
    assert isinstance(painter, PairEnlarger) and isinstance(super_resolution, PairEnlarger)


def test_a_training_step_changes_both_networks_and_nothing_else():
    model = measured(make_painter(crop=16)).train()
    before, grain = weights(model), model.grain.deviations.clone()
    losses = model.train_step(batch(4, size=32), build_optim_wrapper(model, OPTIMIZERS))
    assert set(losses) == {
        'loss', 'loss_discriminator', 'loss_real', 'loss_drawn', 'loss_adversarial', 'loss_low', 'loss_spectrum',
        'loss_features',
    }  # fmt: skip
    assert all(loss.isfinite() for loss in losses.values())
    changed = {name.split('.')[0] for name, value in weights(model).items() if not torch.equal(value, before[name])}
    assert changed == {'generator', 'discriminator'} and torch.equal(model.grain.deviations, grain)


def test_crops_of_image_and_labels_show_the_same_place():
    model = make_painter(crop=8).train()
    tiles = torch.arange(32 * 32).reshape(1, 32, 32) % 251
    labels = tiles % 4
    inputs = model.training_inputs(dict(images=tiles.float().repeat(8, 1, 1), labels=labels.repeat(8, 1, 1)))
    assert inputs['images'].shape == (8, 1, 8, 8) and inputs['low'].shape == (8, 1, 4, 4)
    greys = ((inputs['images'][:, 0] + 1) * 127.5).round().long()
    assert torch.equal(greys % 4, inputs['real'])
    assert len({int(grey) for grey in greys[:, 0, 0]}) > 1
    assert torch.equal(inputs['low'], F.avg_pool2d(inputs['images'], 2))
    for crop in (10, 36):
        with pytest.raises(ValueError, match=rf'multiple of 4 .*, at most 32; got {crop}\. Set model\.crop'):
            make_painter(factor=4, crop=crop)


def test_half_of_the_masks_in_training_are_as_they_will_come():
    model = make_painter().train()
    labels = torch.zeros(64, 32, 32, dtype=torch.long)
    labels[:, 8:20, 9:21] = 1
    labels[:, 1, 1] = 3  # one pixel alone, which no reduced mask keeps
    labels[:, 30:] = 255
    masks = model.training_inputs(dict(images=torch.zeros(64, 32, 32), labels=labels))['labels']
    smooth = torch.tensor([not (mask == 3).any() for mask in masks])
    assert 16 < smooth.sum() < 48
    assert all(torch.equal(mask, labels[0]) for mask in masks[~smooth])
    assert (masks[:, 30:] == 255).all() and (masks[:, 12:16, 12:16] == 1).all()


def test_image_i_is_a_function_of_its_pair_seed_and_index(painter):
    painter, pairs = measured(painter), low_pairs(3)
    together = painter.enlarge(pairs, 0, [4, 7, 9], size=(32, 32))
    alone = painter.enlarge(pairs[1:2], 0, [7], size=(32, 32))
    assert (together.images[1].int() - alone.images[0].int()).abs().max() <= 1
    assert torch.equal(together.labels[1], alone.labels[0])
    other = painter.enlarge(pairs[1:2], 1, [7], size=(32, 32))
    assert not torch.equal(other.images, alone.images) and torch.equal(other.labels, alone.labels)


def test_masks_are_enlarged_by_interpolation_and_have_the_fractions_asked_for(painter):
    pairs, target = low_pairs(), torch.tensor([[0.5, 0.3, 0.15, 0.05], [0.25, 0.25, 0.25, 0.25]])
    drawn = painter.enlarge(pairs, 0, [0, 1], size=(32, 32), target=target, exact=True)
    assert (phase_fractions(drawn.labels, 4) - target).abs().max() <= 1 / 1024
    bicubic = F.interpolate(pairs[:, 1:], scale_factor=2, mode='bicubic')
    nearest = painter.data_preprocessor.codec.decode(bicubic).labels
    assert torch.equal(drawn.plain, nearest)
    assert torch.equal(painter.enlarge(pairs, 0, [0, 1], size=(32, 32), target=target).labels, nearest)


def test_sizes_that_the_factor_does_not_divide_are_cut(painter):
    whole = painter.enlarge(low_pairs(), 3, [0, 1], size=(32, 32))
    cut = painter.enlarge(low_pairs(), 3, [0, 1], size=(31, 29))
    assert cut.images.shape == cut.labels.shape == (2, 31, 29)
    assert torch.equal(cut.labels, whole.labels[:, :31, :29])
    # Away from the border, which the networks see.
    assert torch.equal(cut.images[:, :16, :16], whole.images[:, :16, :16])


def test_a_mask_given_is_painted_as_it_is(painter):
    labels = torch.randint(4, (1, 32, 32), generator=torch.Generator().manual_seed(0))
    low = torch.zeros(1, 1, 16, 16)
    first = painter.paint(low, labels, 0, [0])
    assert first.shape == (1, 32, 32) and first.dtype == torch.uint8
    assert not torch.equal(painter.paint(low, labels.flip(1), 0, [0]), first)


def test_a_cascade_draws_with_a_painter_in_any_size(generator, painter):
    cascade = PairCascade(generator, measured(painter), channels_last=True)
    target = torch.tensor([[0.4, 0.4, 0.1, 0.1]])
    drawn = cascade.draw(target, 0, [0], size=(40, 51))
    assert drawn.images.shape == (1, 40, 51)
    assert (phase_fractions(drawn.labels, 4) - target).abs().max() <= 1 / (40 * 51)
    assert cascade.tile_size == 32 and cascade.seam_score(drawn.images[0]) > 0
    with pytest.raises(ValueError, match='makes 64x64 of 32x32 ones'):
        PairCascade(generator, make_painter(size=64))


def test_no_windows_no_borders_of_windows(generator, painter):
    image = torch.randint(256, (32, 70), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    # Windows of the generator alone: 16 over 16x35 begin at 0, 6, 12 and 19, to be doubled.
    steps = image.double().diff(dim=1).abs()
    at_border = torch.tensor([column + 1 in (12, 24, 32, 38, 44, 56) for column in range(69)])
    elsewhere = torch.cat([steps[:, ~at_border].flatten(), image.double().diff(dim=0).abs().flatten()])
    expected = (steps[:, at_border].mean() / elsewhere.mean()).item()
    assert PairCascade(generator, painter).seam_score(image) == pytest.approx(expected, rel=1e-12)
    assert PairCascade(generator, make_super_resolution()).seam_score(image) != pytest.approx(expected)


def test_validation_paints_the_real_label_maps(painter):
    inputs = painter.data_preprocessor(batch(3, size=32))['inputs']
    images, labels = painter.predict(inputs, [0, 1, 2])
    assert images.shape == (3, 32, 32) and torch.equal(labels, inputs['labels'])


def test_it_is_registered():
    from mmseg.registry import MODELS

    assert MODELS.get('PairPainter') is PairPainter
