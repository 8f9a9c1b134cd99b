import numpy as np
import pytest
import torch
from mmcv.transforms import Resize
from mmengine.config import Config
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch.nn import functional as F

from mmseg_pfdiff.metrics.agreement import (
    Reading,
    agreement_limits,
    disagreeing_pixels,
    load_segmentor,
    read_pairs,
)


@pytest.fixture(scope='module')
def model(segmentor_config):
    torch.manual_seed(0)
    return MODELS.build(segmentor_config.model).eval()


@pytest.fixture
def pairs():
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 3, (3, 64, 64), dtype=torch.uint8, generator=generator)
    labels[0, :5] = 255
    return images, labels


def test_reading_equals_mmseg_prediction_and_pixel_by_pixel_numbers(model, pairs):
    images, labels = pairs
    reading = read_pairs(model, images, labels)
    for n in range(3):
        sample = SegDataSample(gt_sem_seg=PixelData(data=labels[n, None].long()))
        sample.set_metainfo(dict(ori_shape=(64, 64), img_shape=(64, 64), pad_shape=(64, 64)))
        data = dict(inputs=[images[n].expand(3, -1, -1)], data_samples=[sample])
        with torch.no_grad():
            predicted = model.test_step(data)[0]
        classes, logits = predicted.pred_sem_seg.data[0].numpy(), predicted.seg_logits.data
        truth = labels[n].numpy()
        for k in range(4):
            guess, wanted = (classes == k) & (truth != 255), truth == k
            expected = (guess & wanted).sum() / (guess | wanted).sum() if wanted.any() else np.nan
            assert reading.iou[n, k].item() == pytest.approx(expected, nan_ok=True)
        assert reading.mean_iou[n] == pytest.approx(np.nanmean(reading.iou[n]))
        expected = F.cross_entropy(logits[None], labels[n, None].long(), ignore_index=255, reduction='none')[0]
        known = labels[n] != 255
        torch.testing.assert_close(reading.loss[n][known], expected[known], rtol=1e-4, atol=1e-5)
        assert reading.loss[n][~known].isnan().all()


def test_enlarged_reading(model, pairs):
    images, labels = pairs
    reading = read_pairs(model, images, labels, scale=2)
    large = F.interpolate(images[:, None].float(), scale_factor=2, mode='bilinear')
    inputs = model.data_preprocessor(dict(inputs=list(large.repeat(1, 3, 1, 1))))['inputs']
    with torch.no_grad():
        logits = model(inputs, mode='tensor')
    probability = logits.softmax(1).reshape(3, 4, 64, 2, 64, 2).mean((3, 5))
    expected = -probability.gather(1, labels.long().clamp(max=3)[:, None])[:, 0].log()
    known = labels != 255
    torch.testing.assert_close(reading.loss[known], expected[known], rtol=1e-4, atol=1e-5)


def test_reduced_reading(model, pairs):
    """A network used to structures of half the size sees means of four pixels, and answers for all four of them."""
    images, labels = pairs
    reading = read_pairs(model, images, labels, scale=0.5)
    small = images.float().reshape(3, 1, 32, 2, 32, 2).mean((3, 5))
    inputs = model.data_preprocessor(dict(inputs=list(small.repeat(1, 3, 1, 1))))['inputs']
    with torch.no_grad():
        probability = model(inputs, mode='tensor').softmax(1)
    large = F.interpolate(probability, scale_factor=2, mode='bilinear')
    expected = -large.gather(1, labels.long().clamp(max=3)[:, None])[:, 0].log()
    known = labels != 255
    torch.testing.assert_close(reading.loss[known], expected[known], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ('resizing', 'expected'),
    [
        ([], 1),
        ([dict(type=Resize, scale_factor=0.25)], 0.25),
        ([dict(type='Resize', scale_factor=0.5, keep_ratio=True)], 0.5),
        ([dict(type='Resize', scale=(1024, 512), keep_ratio=True)], 512 / 400),
    ],
)
def test_the_scale_is_that_of_the_test_pipeline(segmentor_config, model, tmp_path, resizing, expected):
    pipeline = [dict(type='LoadImageFromFile'), *resizing, dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
    inner = dict(type='BaseSegDataset', pipeline=pipeline)
    checkpoint = tmp_path / 'segmentor.pth'
    torch.save(dict(state_dict=model.state_dict(), meta={}), checkpoint)
    for dataset in (inner, dict(type='ConcatDataset', datasets=[inner])):
        config = Config({**segmentor_config.to_dict(), 'test_dataloader': dict(dataset=dataset)})
        assert load_segmentor(config, str(checkpoint), 4).scale((400, 600)) == expected


def test_the_agreement_of_an_ignored_map_is_unknown(model, pairs):
    reading = read_pairs(model, pairs[0][:1], torch.full((1, 64, 64), 255))
    assert reading.iou.isnan().all() and reading.mean_iou.isnan().all()


def test_limits_and_the_rule():
    """Two batches of real tiles with losses by hand."""
    labels = [torch.tensor([[[0, 0], [1, 255]]]).byte(), torch.tensor([[[0, 1], [1, 1]], [[255, 255]] * 2]).byte()]
    losses = [torch.tensor([[[1.0, 2.0], [4.0, torch.nan]]]), torch.full((2, 2, 2), 6.0)]
    losses[1][0, 0, 0] = 3.0
    losses[1][1] = torch.nan
    means = [torch.tensor([0.5]).double(), torch.tensor([0.9, torch.nan]).double()]
    readings = [Reading(torch.zeros(len(m), 3), m, loss) for m, loss in zip(means, losses, strict=True)]
    limits = agreement_limits(readings, labels, 3, quantile=0.25)
    assert limits.class_loss[:2].tolist() == [pytest.approx((1 + 2 + 3) / 3), pytest.approx((4 + 6 * 3) / 4)]
    assert limits.class_loss[2].isnan() and limits.mean_iou == pytest.approx(0.6) and limits.tiles == 2

    mask = torch.tensor([[[0, 0, 1], [1, 2, 255]]]).byte()
    loss = torch.tensor([[[2.4, 2.6, 6.8], [6.9, 99.0, torch.nan]]])
    marked = disagreeing_pixels(Reading(torch.empty(0), torch.empty(0), loss), mask, limits)
    assert marked.tolist() == [[[False, True, False], [True, False, False]]]
    strict = disagreeing_pixels(Reading(torch.empty(0), torch.empty(0), loss), mask, limits, factor=1.0)
    assert strict.sum() == 4
    with pytest.raises(ValueError, match='no labelled held-out tiles'):
        agreement_limits([], [], 3)


def test_loading(model, segmentor_config, pairs, tmp_path):
    config, checkpoint = tmp_path / 'segmentor.py', tmp_path / 'segmentor.pth'
    segmentor_config.dump(config)
    torch.save(dict(state_dict=model.state_dict(), meta={}), checkpoint)
    loaded = load_segmentor(str(config), str(checkpoint), 4).model
    torch.testing.assert_close(read_pairs(loaded, *pairs).loss, read_pairs(model, *pairs).loss, equal_nan=True)
    with pytest.raises(ValueError, match='tells 4 classes apart, the pairs have 3'):
        load_segmentor(str(config), str(checkpoint), 3)
    torch.save(dict(state_dict={'other.weight': torch.zeros(2)}), checkpoint)
    with pytest.raises(ValueError, match='does not fit the network'):
        load_segmentor(str(config), str(checkpoint), 4)
    torch.save(dict(state_dict=model.state_dict(), meta={}), checkpoint)
    with pytest.raises(ValueError, match=r'no test_dataloader.dataset.pipeline'):
        load_segmentor(Config(dict(model=segmentor_config.model)), str(checkpoint), 4)
    Config(dict(model=dict(type='PFDiffSeg'))).dump(config)
    with pytest.raises(ValueError, match='config of a PFDiffSeg, no segmentor'):
        load_segmentor(str(config), str(checkpoint), 4)
