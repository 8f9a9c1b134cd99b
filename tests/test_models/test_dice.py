"""Dice loss against its formula, written out."""

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS

from mmseg_pfdiff.models.segmentors.decoder import SMPDecoderHead
from mmseg_pfdiff.models.segmentors.dice import SMPDiceLoss


def plain_dice(logits, label, ignore_index=255):
    """Class by class and pixel by pixel, in float64."""
    n, classes, height, width = logits.shape
    intersection, predicted, labelled = np.zeros(classes), np.zeros(classes), np.zeros(classes)
    for i in range(n):
        for y in range(height):
            for x in range(width):
                if label[i, y, x] == ignore_index:
                    continue
                p = np.exp(logits[i, :, y, x].astype(np.float64))
                p /= p.sum()
                predicted += p
                labelled[label[i, y, x]] += 1
                intersection[label[i, y, x]] += p[label[i, y, x]]
    loss = np.where(labelled > 0, 1 - 2 * intersection / (predicted + labelled), 0)
    return loss.mean()


@pytest.fixture
def batch():
    torch.manual_seed(0)
    logits = torch.randn(2, 4, 6, 5, requires_grad=True)
    label = torch.randint(0, 3, (2, 6, 5))  # class 3 is absent
    label[0, :3] = 255
    return logits, label


def test_equals_the_formula(batch):
    logits, label = batch
    expected = plain_dice(logits.detach().numpy(), label.numpy())
    loss = SMPDiceLoss()(logits, label, weight=None, ignore_index=255)
    assert loss.item() == pytest.approx(expected, abs=1e-6)
    assert SMPDiceLoss(loss_weight=3.0)(logits, label).item() == pytest.approx(3 * expected, abs=1e-5)


def test_ignored_pixels_have_no_say(batch):
    logits, label = batch
    loss = SMPDiceLoss()(logits, label)
    loss.backward()
    assert logits.grad[0, :, :3].abs().max() == 0
    assert logits.grad[0, :, 3:].abs().min() > 0
    other = logits.detach().clone()
    other[0, :, :3] = 100 * torch.randn(4, 3, 5)
    assert SMPDiceLoss()(other, label).item() == pytest.approx(loss.item(), abs=1e-6)


def test_a_rare_class_weighs_like_a_common_one():
    """One of 1,000 pixels is of class 1 and missed: half of the loss of two classes."""
    label = torch.zeros(1, 25, 40, dtype=torch.long)
    label[0, 0, 0] = 1
    logits = torch.zeros(1, 2, 25, 40)
    logits[:, 0] = 20
    assert SMPDiceLoss()(logits, label).item() == pytest.approx(0.5, abs=1e-3)


def test_everything_ignored_gives_zero_with_a_gradient():
    logits = torch.randn(1, 4, 3, 3, requires_grad=True)
    loss = SMPDiceLoss()(logits, torch.full((1, 3, 3), 255))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().max() == 0


def test_ignore_index_of_the_head_comes_first(batch):
    logits, label = batch
    label = torch.where(label == 255, 7, label)
    loss = SMPDiceLoss()(logits, label, ignore_index=7)
    assert loss.item() == pytest.approx(plain_dice(logits.detach().numpy(), label.numpy(), 7), abs=1e-6)


def test_built_from_a_config_and_named():
    loss = MODELS.build(dict(type='SMPDiceLoss', loss_name='loss_rare', class_weights=[1, 1, 1, 3]))
    assert loss.loss_name == 'loss_rare'
    head = SMPDecoderHead('unet', [3, 8, 8], num_classes=4, decoder_cfg=dict(decoder_channels=(8, 8)))
    assert isinstance(head.loss_decode, SMPDiceLoss)
    assert head.loss_decode.loss_name == 'loss_dice'


def test_pixel_weights_are_refused(batch):
    with pytest.raises(ValueError, match='sampler'):
        SMPDiceLoss()(*batch, weight=torch.ones(2, 6, 5))
