"""Images for label maps that are given: which maps, which fractions, and by which models."""

import pytest
import torch
from torch.nn import functional as F

from mmseg_pfdiff.models import Pix2PixHD
from mmseg_pfdiff.models.generate import PairRecorder
from mmseg_pfdiff.models.given_masks import GivenMaskCascade, GivenMasks
from mmseg_pfdiff.phases.fractions import phase_fractions
from mmseg_pfdiff.phases.labels import reduce_labels
from mmseg_pfdiff.requests import GivenFractions

from ..generators import make_mask_painter, make_painter, make_super_resolution
from .test_mask_painter import looking
from .test_painter import measured


def label_maps(side=32):
    """Five maps with stripes of classes 0..3, more of class 3 in the later ones; the first has ignored pixels."""
    labels = (torch.arange(side) // 4 % 3).expand(5, side, side).clone()
    for i in range(5):
        labels[i, : 4 * i] = 3
    labels[0, -2:] = 255
    return labels.to(torch.uint8)


def test_maps_are_taken_as_they_are_again_and_again():
    masks = GivenMasks(label_maps(), 4, 32)
    labels, plain = masks.draw_labels(torch.full((3, 4), 0.25), 0, [3, 5, 9])
    assert torch.equal(labels, plain) and torch.equal(labels[0], label_maps()[3])
    # Ignored pixels have taken the class beside them.
    assert torch.equal(labels[1, -2:], labels[1, -4:-2]) and torch.equal(labels[1, :-2], label_maps()[0, :-2])
    assert torch.equal(labels[2], label_maps()[4])
    requests = GivenFractions(masks.fractions, 'abcd')
    assert torch.equal(requests(7, 8).target, phase_fractions(label_maps()[3], 4))
    assert requests.describe()['vectors'] == 5 and requests.num is None


def test_larger_maps_are_reduced_as_training_tiles_are():
    large = label_maps(64)
    masks = GivenMasks(large, 4, 32)
    assert torch.equal(masks.maps[1:], reduce_labels(large[1:].long(), 2, 4).to(torch.uint8))
    with pytest.raises(ValueError, match=r'64x64 pixels cannot be reduced to the 48x48 .* multiple of 48'):
        GivenMasks(large, 4, 48)


def test_remodelled_maps_have_the_fractions_asked_for_and_come_from_maps_of_like_ones():
    masks = GivenMasks(label_maps(), 4, 32, remodelled=True)
    target = torch.tensor([[0.2, 0.2, 0.2, 0.4], [0.3, 0.3, 0.2, 0.2]], dtype=torch.float64)
    labels, plain = masks.draw_labels(target, 0, [2, 6])
    assert (phase_fractions(labels, 4) - target).abs().max() <= 1 / 1024
    assert (phase_fractions(plain, 4) - phase_fractions(labels, 4)).abs().max() > 0.005
    alone, _ = masks.draw_labels(target[1:], 0, [6])
    assert torch.equal(alone[0], labels[1])
    assert not torch.equal(masks.draw_labels(target[1:], 1, [6])[0], alone)


def test_the_identity_tells_the_maps_apart():
    first = GivenMasks(label_maps(), 4, 32)
    others = (GivenMasks(label_maps().flip(0), 4, 32), GivenMasks(label_maps(), 4, 32, remodelled=True))
    assert first.describe() == GivenMasks(label_maps(), 4, 32).describe()
    assert all(first.describe() != other.describe() for other in others)
    assert first.describe()['number'] == 5 and first.describe()['size'] == 32


def test_a_painter_draws_an_image_for_each_map():
    masks, painter = GivenMasks(label_maps(), 4, 32), looking(make_mask_painter())
    cascade = GivenMaskCascade(masks, painter)
    drawn = cascade.draw(masks.fractions[1:3], 0, [1, 2], size=(32, 32))
    assert torch.equal(drawn.images, painter.draw_images(masks.maps[1:3], 0, [1, 2]))
    assert torch.equal(drawn.labels, masks.maps[1:3]) and cascade.seam_score(drawn.images[0]) == 1
    requests = [GivenFractions(masks.fractions, 'abcd')(0, index) for index in (1, 2)]
    rows = PairRecorder(cascade, 'abcd')(0, [1, 2], requests, drawn)
    assert [row.kept for row in rows] == [True, True] and rows[0].measures['moved'] == 0
    assert rows[1].target == rows[1].measured
    with pytest.raises(ValueError, match='label maps of 32x32, got 40x32'):
        cascade.draw(masks.fractions[:1], 0, [0], size=(40, 32))


def test_an_image_model_draws_small_ones_that_a_painter_enlarges():
    masks, painter = GivenMasks(label_maps(), 4, 32), measured(make_painter())
    preprocessor = dict(type='PairDataPreprocessor', num_classes=4, size=16)
    torch.manual_seed(0)
    small = Pix2PixHD(preprocessor, generator=dict(base_channels=4, num_downsamplings=1, num_blocks=1)).eval()
    drawn = GivenMaskCascade(masks, small, painter).draw(masks.fractions[:2], 0, [0, 1])
    low = small.draw_images(reduce_labels(masks.maps[:2].long(), 2, 4), 0, [0, 1])
    expected = painter.paint(low[:, None] / 127.5 - 1, masks.maps[:2], 0, [0, 1])
    assert torch.equal(drawn.images, expected) and torch.equal(drawn.labels, masks.maps[:2])
    assert F.avg_pool2d(drawn.images[:, None].float(), 2).shape == low[:, None].shape
    with pytest.raises(ValueError, match='32x32, the models draw images of 16 pixels'):
        GivenMaskCascade(masks, small)
    with pytest.raises(ValueError, match='enlarged by a PairPainter, got a PairSuperResolution'):
        GivenMaskCascade(masks, small, make_super_resolution())
