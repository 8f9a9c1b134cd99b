import copy

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

SEGMENTOR = dict(
    data_preprocessor=dict(type='SegDataPreProcessor'),
    backbone=dict(type='SMPEncoder', name='resnet18', weights=None),
    decode_head=dict(
        type='SMPDecoderHead',
        decoder='unet',
        in_channels=[3, 64, 64, 128, 256, 512],
        decoder_cfg=dict(decoder_channels=(16, 8, 8, 8, 8)),
        num_classes=4,
        loss_decode=dict(type='CrossEntropyLoss'),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)


def make(**settings):
    torch.manual_seed(0)
    return MODELS.build(dict(type='MixEncoderDecoder', **copy.deepcopy(SEGMENTOR), **settings)).train()


def samples(synthetic=(False, True, True, False)):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(len(synthetic), 3, 32, 32, generator=generator)
    labels = torch.randint(4, (len(synthetic), 1, 32, 32), generator=generator)
    return inputs, [
        SegDataSample(gt_sem_seg=PixelData(data=label), metainfo=dict(synthetic=each))
        for label, each in zip(labels, synthetic, strict=True)
    ]


def cross_entropy(model, inputs, data_samples, places):
    """Of some samples of a batch, whose statistics are those of all."""
    logits = model.decode_head(model.backbone(inputs))[list(places)]
    labels = torch.stack([data_samples[place].gt_sem_seg.data[0] for place in places])
    return torch.nn.functional.cross_entropy(logits, labels).item()


def test_without_settings_it_trains_as_any_segmentor():
    torch.manual_seed(0)
    other = MODELS.build(dict(type='SlidingWindowEncoderDecoder', **copy.deepcopy(SEGMENTOR))).train()
    expected, losses = other.loss(*samples()), make().loss(*samples())
    assert losses.keys() == expected.keys() and all(torch.equal(losses[key], expected[key]) for key in losses)


@pytest.mark.parametrize('weight', [0, 0.25, 3])
def test_the_loss_is_the_weighted_sum_of_both_kinds(weight):
    inputs, data_samples = samples((False, True, True))
    model = make(synthetic_weight=weight)
    real = cross_entropy(copy.deepcopy(model), inputs, data_samples, [0])
    synthetic = cross_entropy(copy.deepcopy(model), inputs, data_samples, [1, 2])
    loss = model.loss(inputs, data_samples)['decode.loss_ce'].item()
    assert loss == pytest.approx((real + 2 * weight * synthetic) / 3, rel=1e-5)


def test_batches_of_one_kind():
    for kind in (False, True):
        inputs, data_samples = samples((kind, kind))
        expected = make().loss(inputs, data_samples)['decode.loss_ce']
        loss = make(synthetic_weight=0.5).loss(inputs, data_samples)['decode.loss_ce']
        assert loss.item() == pytest.approx((0.5 if kind else 1) * expected.item(), rel=1e-6)
    assert make(synthetic_weight=0).loss(*samples((True, True)))['decode.loss_ce'] == 0


@pytest.mark.parametrize('action', ['ignore', 'relabel'])
def test_the_teacher_changes_contradicted_pixels_of_synthetic_samples_alone(action):
    model = make(teacher=dict(action=action, start=0))
    inputs, data_samples = samples()
    # A teacher that is sure of class 2 everywhere.
    head = model.teacher.average['decode_head'].conv_seg
    head.weight.data.zero_()
    head.bias.data.copy_(torch.tensor([0.0, 0.0, 9.0, 0.0]))
    model.teacher.steps = 1
    corrected = model._corrected(inputs, data_samples)
    for n, (before, after) in enumerate(zip(data_samples, corrected, strict=True)):
        old, new = before.gt_sem_seg.data, after.gt_sem_seg.data
        if n in (0, 3):
            assert torch.equal(old, new)
        else:
            assert torch.equal(new == 2, (old == 2) | (torch.tensor(action == 'relabel')))
            assert ((new == 255) == ((old != 2) & torch.tensor(action == 'ignore'))).all()
    model.teacher.confidence = 1.0  # never so sure
    assert torch.equal(model._corrected(inputs, data_samples)[1].gt_sem_seg.data, data_samples[1].gt_sem_seg.data)


def test_ignored_pixels_get_no_label_from_the_teacher():
    model = make(teacher=dict(action='relabel', start=0, confidence=0.51))
    inputs, data_samples = samples((True,))
    data_samples[0].gt_sem_seg.data[:, :16] = 255
    model.teacher.average['decode_head'].conv_seg.bias.data.copy_(torch.tensor([0.0, 0.0, 99.0, 0.0]))
    model.teacher.steps = 1
    corrected = model._corrected(inputs, data_samples)[0].gt_sem_seg.data
    assert (corrected[:, :16] == 255).all() and (corrected[:, 16:] == 2).all()


def test_the_teacher_is_the_average_of_the_weights_and_is_asked_after_its_start():
    model = make(teacher=dict(momentum=0.5, start=2, confidence=0.51))
    first = model.backbone.encoder.conv1.weight.detach().clone()
    inputs, data_samples = samples()
    for n in range(3):
        with torch.no_grad():
            model.backbone.encoder.conv1.weight.fill_(n)
        model.loss(inputs, data_samples)
    # The first step takes the weights as they are; then half of 0, and a quarter, ...
    average = model.teacher.average['backbone'].encoder.conv1.weight
    assert torch.allclose(average, torch.full_like(first, 0.5 * (0.5 * 0 + 0.5 * 1) + 0.5 * 2))
    assert not any(weight.requires_grad for weight in model.teacher.parameters())
    assert model.teacher.steps == 3
    again = make(teacher=dict(momentum=0.5, start=2, confidence=0.51))
    again.load_state_dict(model.state_dict())
    assert again.teacher.steps == 3 and torch.equal(again.teacher.average['backbone'].encoder.conv1.weight, average)


def test_a_teacher_learns_where_the_model_was_moved_to():
    model = make(teacher=dict(momentum=0.5)).double()
    inputs, data_samples = samples()
    model.loss(inputs.double(), data_samples)
    with torch.no_grad():
        model.backbone.encoder.conv1.weight.zero_()
    before = model.teacher.average['backbone'].encoder.conv1.weight.clone()
    model.loss(inputs.double(), data_samples)
    after = model.teacher.average['backbone'].encoder.conv1.weight
    assert after.dtype == torch.float64 and torch.equal(after, before / 2)


def test_auxiliary_heads_are_weighted_too():
    head = dict(type='FCNHead', in_channels=512, in_index=5, channels=8, num_classes=4, num_convs=1)
    losses = {}
    for weight in (0, 1):
        torch.manual_seed(0)
        config = copy.deepcopy(SEGMENTOR) | dict(auxiliary_head=head, synthetic_weight=weight)
        model = MODELS.build(dict(type='MixEncoderDecoder', **config)).train()
        losses[weight] = model.loss(*samples((True, True)))
    assert losses[0]['aux.loss_ce'] == 0 and losses[1]['aux.loss_ce'] > 0


def test_settings_out_of_range():
    with pytest.raises(ValueError, match='synthetic_weight must be at least 0, got -1'):
        make(synthetic_weight=-1)
    for wrong in (dict(action='drop'), dict(confidence=0.5), dict(momentum=0), dict(start=-1)):
        with pytest.raises(ValueError, match=r"teacher: action must be one of \('ignore', 'relabel'\), confidence in"):
            make(teacher=wrong)
