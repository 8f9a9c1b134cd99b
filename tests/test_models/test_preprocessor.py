import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_pfdiff.models.preprocessor import PairDataPreprocessor
from mmseg_pfdiff.phases.labels import reduce_labels


def make_batch(images, labels):
    samples = [SegDataSample(gt_sem_seg=PixelData(data=label[None])) for label in labels]
    return dict(inputs=list(images), data_samples=samples)


def test_batch_becomes_pairs_and_fractions():
    labels = torch.tensor([[[0, 0], [1, 2]], [[3, 3], [3, 255]]])
    images = torch.tensor([[[[0, 255], [51, 102]]], [[[0, 0], [0, 0]]]], dtype=torch.uint8)
    preprocessor = PairDataPreprocessor(num_classes=4, size=2)
    inputs = preprocessor(make_batch(images, labels))['inputs']
    assert inputs['pairs'].shape == (2, 4, 2, 2) and inputs['pairs'].dtype == torch.float32
    torch.testing.assert_close(inputs['pairs'][0, 0], torch.tensor([[-1, 1], [-0.6, -0.2]]))
    assert inputs['pairs'][1, 1:, 1, 1].tolist() == [0, 0, 0]
    assert inputs['fractions'].tolist() == [[0.5, 0.25, 0.25, 0], [0, 0, 0, 1]]
    decoded = preprocessor.decode(inputs['pairs'])
    assert torch.equal(decoded.images, images[:, 0])
    assert torch.equal(decoded.labels[0].long(), labels[0])


def test_grey_read_as_three_channels_gives_the_same_pair():
    preprocessor = PairDataPreprocessor(num_classes=4, size=4)
    grey = torch.randint(0, 256, (1, 1, 4, 4), dtype=torch.uint8)
    labels = torch.zeros(1, 4, 4, dtype=torch.long)
    single = preprocessor(make_batch(grey, labels))['inputs']['pairs']
    three = preprocessor(make_batch(grey.repeat(1, 3, 1, 1), labels))['inputs']['pairs']
    torch.testing.assert_close(single, three)


def test_tiles_are_reduced_by_mean_and_majority():
    labels = torch.tensor([[[0, 1, 2, 2], [1, 1, 3, 3], [255, 255, 0, 1], [255, 2, 2, 3]]])
    images = torch.arange(16, dtype=torch.uint8).reshape(1, 1, 4, 4)
    inputs = PairDataPreprocessor(num_classes=4, size=2)(make_batch(images, labels))['inputs']
    assert inputs['images'][0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    # 1 by majority; 2 and 3 tie, the first pixel decides; 255 by majority; four-fold tie, the first pixel.
    assert inputs['labels'][0].tolist() == [[1, 2], [255, 0]]


def test_reduction_keeps_the_mean_fractions_of_noise():
    labels = torch.randint(0, 4, (4, 128, 128), generator=torch.Generator().manual_seed(0))
    reduced = reduce_labels(labels, 2, 4)
    share = torch.bincount(reduced.flatten(), minlength=4) / reduced.numel()
    assert (share - 0.25).abs().max() < 0.01, 'ties favour no class'
    assert reduce_labels(labels, 1, 4) is labels


@pytest.mark.parametrize('shape', [(5, 4), (6, 6), (4, 8)])
def test_tiles_that_do_not_fit_are_named(shape):
    batch = make_batch(torch.zeros(1, 1, *shape, dtype=torch.uint8), torch.zeros(1, *shape, dtype=torch.long))
    with pytest.raises(ValueError, match=rf'{shape[0]}x{shape[1]} cannot be reduced to 4x4'):
        PairDataPreprocessor(num_classes=4, size=4)(batch)
