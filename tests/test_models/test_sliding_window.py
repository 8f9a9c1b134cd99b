"""Batched windows against mmseg's loop and against a slow plain reference."""

import copy
import functools

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.evaluation import IoUMetric
from mmseg.models import EncoderDecoder
from mmseg.structures import SegDataSample

from mmseg_pfdiff.data.transforms import PackMicrograph
from mmseg_pfdiff.metrics.segmentation import MicrographIoUMetric
from mmseg_pfdiff.models.segmentors.sliding_window import SlidingWindowEncoderDecoder
from mmseg_pfdiff.windows import window_corners

SIZES = [(48, 64), (35, 51), (32, 32), (25, 38), (20, 75), (33, 32)]  # windows are 32 x 32


def build(cls=SlidingWindowEncoderDecoder, num_classes=4, **test_cfg):
    """A segmentor of the same weights for each of the classes and settings."""
    return copy.deepcopy(built(cls, num_classes, **test_cfg))


@functools.cache  # a copy takes a tenth of the time
def built(cls, num_classes, **test_cfg):
    torch.manual_seed(0)
    head = dict(
        type='mmseg.SMPDecoderHead',
        decoder='unet',
        in_channels=[3, 16, 8, 16],
        num_classes=num_classes,
        decoder_cfg=dict(decoder_channels=(16, 8, 4)),
    )
    if num_classes == 1:
        head.update(threshold=0.5)
    return cls(
        data_preprocessor=dict(
            type='SegDataPreProcessor', mean=[120.0, 110.0, 100.0], std=[58.0, 57.0, 56.0], bgr_to_rgb=True
        ),
        backbone=dict(type='mmseg.SMPEncoder', name='tu-mobilenetv3_small_050', depth=3, weights=None),
        decode_head=head,
        test_cfg=ConfigDict(dict(mode='slide', crop_size=(32, 32), stride=(16, 16)) | test_cfg),
    ).eval()


def metas(image):
    return [dict(ori_shape=image.shape[2:], img_shape=image.shape[2:], pad_shape=image.shape[2:])] * len(image)


def plain_probabilities(model, image, crop=32, stride=16):
    """Window by window in float64: softmax, sum, count, divide."""
    _, _, height, width = image.shape
    total, count = np.zeros((4, height, width)), np.zeros((height, width))
    rows = range(0, max(height - crop, 0) + stride, stride)
    columns = range(0, max(width - crop, 0) + stride, stride)
    for y in [min(y, max(height - crop, 0)) for y in rows if y < max(height - crop, 0) + stride]:
        for x in [min(x, max(width - crop, 0)) for x in columns if x < max(width - crop, 0) + stride]:
            with torch.no_grad():
                logits = model(image[:, :, y : y + crop, x : x + crop])[0].double().numpy()
            p = np.exp(logits - logits.max(axis=0))
            total[:, y : y + crop, x : x + crop] += p / p.sum(axis=0)
            count[y : y + crop, x : x + crop] += 1
    return total / count


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('window_batch', [1, 4])
def test_logits_equal_mmseg(size, window_batch):
    image = torch.randn(1, 3, *size)
    ours, theirs = build(average='logits', window_batch=window_batch), build(EncoderDecoder)
    with torch.no_grad():
        expected = theirs.slide_inference(image, metas(image))
        result = ours.slide_inference(image, metas(image))
    assert result.shape == (1, 4, *size)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize('size', SIZES)
def test_probabilities_equal_a_plain_reference(size):
    image = torch.randn(1, 3, *size)
    model = build()
    with torch.no_grad():
        result = model.slide_inference(image, metas(image)).softmax(dim=1)[0]
    np.testing.assert_allclose(result.numpy(), plain_probabilities(model, image), atol=1e-5)


def test_the_two_averages_differ():
    image = torch.randn(1, 3, 48, 64)
    with torch.no_grad():
        by_probability = build().slide_inference(image, metas(image)).softmax(1)
        by_logit = build(average='logits').slide_inference(image, metas(image)).softmax(1)
    assert (by_probability - by_logit).abs().max() > 1e-4


def test_several_images_do_not_mix():
    images = torch.randn(3, 3, 35, 51)
    model = build(window_batch=4)
    with torch.no_grad():
        together = model.slide_inference(images, metas(images))
        alone = torch.cat([model.slide_inference(image[None], metas(image[None])) for image in images])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_windows_pass_in_batches_of_their_own_size():
    model = build(window_batch=4)
    seen = []
    model.backbone.register_forward_pre_hook(lambda _, args: seen.append(tuple(args[0].shape)))
    image = torch.randn(1, 3, 48, 64)  # 2 x 3 windows
    meta = metas(image)
    with torch.no_grad():
        model.slide_inference(image, meta)
    assert seen == [(4, 3, 32, 32), (2, 3, 32, 32)]
    assert meta[0]['img_shape'] == (48, 64)  # mmseg overwrites it


def test_corners_cover_the_image():
    for size in [(703, 1024), (768, 1024), (256, 300), (100, 400)]:
        covered = np.zeros(size, bool)
        corners = window_corners(size, (256, 256), (128, 128))
        for y, x in corners:
            assert y + min(256, size[0]) <= size[0]
            assert x + min(256, size[1]) <= size[1]
            covered[y : y + 256, x : x + 256] = True
        assert covered.all()
        assert len(set(corners)) == len(corners)
    assert len(window_corners((703, 1024), (256, 256), (128, 128))) == 5 * 7


def test_single_channel_gives_logits_too():
    image = torch.randn(1, 3, 32, 32)  # one window: the average is its own prediction
    model = build(num_classes=1)
    with torch.no_grad():
        torch.testing.assert_close(model.slide_inference(image, metas(image)), model(image), rtol=1e-3, atol=1e-3)


def test_certain_predictions_stay_finite():
    model = build()
    with torch.no_grad():
        model.decode_head.conv_seg.bias.copy_(torch.tensor([500.0, 0, 0, 0]))
        result = model.slide_inference(torch.randn(1, 3, 35, 51), [{}])
    assert result.isfinite().all()
    assert (result.argmax(1) == 0).all()


def test_predict_gives_label_maps_of_the_micrograph():
    image = torch.randn(1, 3, 35, 51)
    model = build(accumulate_device='cpu')
    sample = SegDataSample(metainfo=dict(ori_shape=(35, 51), img_shape=(35, 51), pad_shape=(35, 51)))
    with torch.no_grad():
        [result] = model(image, [sample], mode='predict')
    expected = plain_probabilities(model, image).argmax(axis=0)
    assert (result.pred_sem_seg.data[0].numpy() == expected).mean() > 0.999


def loaded(*sizes, ori_shape=None):
    """A batch as a data loader gives it: images and samples."""
    generator = torch.Generator().manual_seed(1)
    images = [torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=generator) for size in sizes]
    samples = [
        SegDataSample(metainfo=dict(ori_shape=ori_shape or size, img_shape=size, pad_shape=size)) for size in sizes
    ]
    return dict(inputs=images, data_samples=samples)


@pytest.mark.parametrize('ori_shape', [(49, 67), (98, 134), (97, 137), (24, 21)])
@pytest.mark.parametrize('settings', [dict(), dict(average='logits'), dict(num_classes=1)])
def test_classes_decided_by_bands_are_those_of_whole_logits(ori_shape, settings):
    batch = loaded((49, 67), (49, 67), ori_shape=ori_shape)
    model = build(**settings)
    with torch.no_grad():
        # mmseg's way: the whole image normalised, all logits, resized as a whole.
        prepared = model.data_preprocessor(dict(batch), False)
        logits = model.slide_inference(prepared['inputs'], [sample.metainfo for sample in batch['data_samples']])
        expected = model.postprocess_result(logits, [sample.clone() for sample in batch['data_samples']])
        results = model.val_step(batch)
    for result, wanted in zip(results, expected, strict=True):
        assert result.pred_sem_seg.data.dtype == torch.uint8
        assert torch.equal(result.pred_sem_seg.data, wanted.pred_sem_seg.data.to(torch.uint8))
        assert 'seg_logits' not in result
    with torch.no_grad():
        kept = build(keep_logits=True, **settings).test_step(loaded((49, 67), (49, 67), ori_shape=ori_shape))
    for result, wanted in zip(kept, expected, strict=True):
        torch.testing.assert_close(result.seg_logits.data, wanted.seg_logits.data, rtol=0, atol=1e-6)


@pytest.mark.parametrize('direction', ['horizontal', 'vertical'])
def test_a_flipped_micrograph_is_flipped_back(direction):
    batch = loaded((48, 64), (48, 64))
    batch['data_samples'][0].set_metainfo(dict(flip=True, flip_direction=direction))
    batch['inputs'][1] = batch['inputs'][0]
    with torch.no_grad():
        flipped, plain = build().test_step(batch)
    axis = dict(horizontal=2, vertical=1)[direction]
    assert torch.equal(flipped.pred_sem_seg.data.flip(axis).long(), plain.pred_sem_seg.data.long())


def test_a_padding_preprocessor_goes_mmsegs_way():
    model, padded = build(), build()
    padded.data_preprocessor.test_cfg = dict(size_divisor=32)
    with torch.no_grad():
        [expected] = EncoderDecoder.test_step(padded, loaded((35, 51)))
        [result] = padded.test_step(loaded((35, 51)))
        [other] = model.test_step(loaded((35, 51)))
    assert torch.equal(result.pred_sem_seg.data, expected.pred_sem_seg.data)
    assert result.pred_sem_seg.shape == other.pred_sem_seg.shape == (35, 51)


@pytest.mark.parametrize('cls', [SlidingWindowEncoderDecoder, EncoderDecoder])
def test_results_go_to_metrics_of_mmseg_and_of_this_package(cls):
    """Also those of mmseg's own model, with label maps as PackMicrograph leaves them."""
    label = np.random.default_rng(0).integers(0, 4, (48, 64), np.uint8)
    batch = loaded((48, 64))
    image = batch['inputs'][0].permute(1, 2, 0).numpy()
    info = dict(img=image, gt_seg_map=label, img_path='a.png', ori_shape=(48, 64), img_shape=(48, 64))
    sample = PackMicrograph()(info)
    with torch.no_grad():
        [result] = build(cls).test_step(dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']]))
    accuracy = 100 * (result.pred_sem_seg.data[0].numpy() == label).mean()
    for metric, tolerance in ((IoUMetric(), 0.0051), (MicrographIoUMetric(), 1e-9)):
        metric.dataset_meta = dict(classes='abcd', palette=[[0, 0, 0]] * 4)
        metric.process({}, [result.to_dict()])
        assert metric.evaluate(1)['aAcc'] == pytest.approx(accuracy, abs=tolerance)


def test_images_without_samples_and_of_two_sizes():
    model = build()
    batch = loaded((35, 51))
    with torch.no_grad():
        [result] = model.test_step(dict(inputs=batch['inputs']))
        [expected] = model.test_step(batch)
    assert torch.equal(result.pred_sem_seg.data, expected.pred_sem_seg.data)
    with pytest.raises(ValueError, match=r'one size, got \[\(35, 51\), \(35, 52\)\]'):
        model.test_step(loaded((35, 51), (35, 52)))


def test_whole_mode_is_mmsegs():
    image = torch.randn(1, 3, 35, 51)
    model = build(mode='whole')
    with torch.no_grad():
        torch.testing.assert_close(model.inference(image, metas(image)), model(image))


@pytest.mark.parametrize(
    ('test_cfg', 'message'),
    [
        (dict(average='votes'), "got 'votes'"),
        (dict(stride=(33, 16)), 'larger than crop_size'),
        (dict(crop_size=32), 'crop_size must be two'),
        (dict(stride=(0, 16)), 'stride must be two'),
        (dict(window_batch=0), 'window_batch'),
    ],
)
def test_bad_settings_are_named(test_cfg, message):
    with pytest.raises(ValueError, match=message):
        build(**test_cfg)
