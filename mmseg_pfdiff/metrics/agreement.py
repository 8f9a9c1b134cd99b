"""Agreement of image and mask: a segmentor trained on real tiles reads generated images.

Where it reads another phase than the mask says, either is wrong, so every number here is held against the same number
on real held-out tiles, which the segmentor has not seen and where the mask is an expert's.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.models import BaseSegmentor
from torch import Tensor
from torch.nn import functional as F

from ..checkpoints.weights import build_model, load_weights
from ..config_files import read_config
from ..data.config_data_sets import data_sets
from ..phases.labels import IGNORE_INDEX
from .confusion import class_areas, class_iou, confusion_matrix

LOSS_FACTOR = 1.25
QUANTILE = 0.05


class TrainedSegmentor(NamedTuple):
    """A segmentor, and how it is shown micrographs.

    Attributes:
        model: In evaluation mode.
        resizing: The transforms of its test pipeline that change the size of a micrograph.
    """

    model: BaseSegmentor
    resizing: Sequence[dict] = ()

    def scale(self, shape: tuple[int, int]) -> float:
        """How many pixels a side it sees for each pixel of a micrograph.

        Args:
            shape: (H, W) of the micrograph.
        """
        return Compose(self.resizing)(dict(img=np.zeros(shape, np.uint8)))['img'].shape[0] / shape[0]


class Reading(NamedTuple):
    """Agreement of N masks with a segmentor's reading of their images.

    Attributes:
        iou: (N, K) float64, intersection over union of prediction and mask; NaN for a class the mask lacks.
        mean_iou: (N,) float64, mean over the classes of the mask; NaN for a mask that is ignored throughout.
        loss: (N, H, W) float32, cross-entropy of each pixel in nats; NaN where the mask is ignored.
    """

    iou: Tensor
    mean_iou: Tensor
    loss: Tensor


class AgreementLimits(NamedTuple):
    """Agreement that real held-out tiles reach, which limits that of generated pairs.

    Attributes:
        class_loss: (K,) float64, mean loss of the pixels of a class; NaN for a class without any.
        mean_iou: The quantile of the mean IoU of the tiles.
        tiles: Number of tiles.
    """

    class_loss: Tensor
    mean_iou: float
    tiles: int


def load_segmentor(config: str | Config, checkpoint: str, num_classes: int, device: str = 'cpu') -> TrainedSegmentor:
    """A trained segmentor of an mmseg config.

    Args:
        config: Config, or its file.
        checkpoint: Its weights.
        num_classes: K, which it must tell apart.
        device: Where it shall run.

    Returns:
        The model, with the resizing of its test pipeline.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The config is of no segmentor, of one of other classes, or has no test pipeline, or the weights do
            not fit.
    """
    config = config if isinstance(config, Config) else read_config(config)
    init_default_scope(config.get('default_scope', 'mmseg'))
    model = build_model(config, BaseSegmentor, 'no segmentor')
    if model.out_channels != num_classes:
        raise ValueError(f'{config.filename} tells {model.out_channels} classes apart, the pairs have {num_classes}.')
    load_weights(model, checkpoint, config)
    return TrainedSegmentor(model.to(device).eval(), _resizing(config))


def _resizing(config: Config) -> list[dict]:
    """The transforms of a config's test pipeline that change the size of a micrograph."""
    tested = config.get('test_dataloader', {}).get('dataset', {})
    pipelines = [dataset.pipeline for dataset in data_sets(tested) if 'pipeline' in dataset]
    if not pipelines:
        raise ValueError(
            f'{config.filename} has no test_dataloader.dataset.pipeline, which tells at what size the segmentor is '
            'shown micrographs.'
        )
    return [step for step in pipelines[0] if 'Resize' in getattr(step['type'], '__name__', step['type'])]


@torch.no_grad()
def read_pairs(model: BaseSegmentor, images: Tensor, labels: Tensor, scale: float = 1) -> Reading:
    """Lets a segmentor read images, and compares with their masks.

    Args:
        model: Segmentor of K classes.
        images: (N, H, W) uint8 grey; read as three equal channels, as in training.
        labels: (N, H, W) uint8, 0..K-1 or 255.
        scale: Factor by which images are resized first, where the segmentor is used to structures larger or smaller
            than the pairs show them; its probabilities are brought back.

    Returns:
        IoU and loss, on the CPU.
    """
    own_shape = tuple(images.shape[-2:])
    inputs = _resized(images[:, None].float(), [round(side * scale) for side in own_shape])
    data = model.data_preprocessor(dict(inputs=list(inputs.expand(-1, 3, -1, -1))), False)
    shape = tuple(inputs.shape[-2:])
    metas = [dict(ori_shape=shape, img_shape=shape, pad_shape=shape)] * len(images)
    probabilities = model.inference(data['inputs'], metas).float().softmax(1)
    probabilities = _resized(probabilities, own_shape)
    log_probabilities = probabilities.clamp(min=torch.finfo(torch.float32).tiny).log().cpu()
    labels = labels.cpu().long()
    loss = F.nll_loss(log_probabilities, labels, ignore_index=IGNORE_INDEX, reduction='none')
    both, num_classes = zip(log_probabilities.argmax(1), labels, strict=True), log_probabilities.shape[1]
    iou = class_iou(*class_areas(torch.stack([confusion_matrix(*maps, num_classes) for maps in both])))
    return Reading(iou, iou.nanmean(1), loss.masked_fill(labels == IGNORE_INDEX, torch.nan))


def _resized(maps: Tensor, shape: Sequence[int]) -> Tensor:
    """(N, C, H, W) of another shape: means over areas to reduce, bilinear to enlarge."""
    return F.interpolate(maps, tuple(shape), mode='area' if shape[0] < maps.shape[-2] else 'bilinear')


def agreement_limits(
    readings: Iterable[Reading], labels: Iterable[Tensor], num_classes: int, quantile: float = QUANTILE
) -> AgreementLimits:
    """Learns from real held-out tiles how much disagreement is usual.

    Args:
        readings: Of batches of tiles.
        labels: (N, H, W) uint8 of the same batches.
        num_classes: K.
        quantile: Share of the real tiles that the limit of the mean IoU would refuse.

    Returns:
        Limits.

    Raises:
        ValueError: No tiles.
    """
    total, pixels, means = torch.zeros(num_classes).double(), torch.zeros(num_classes).double(), []
    for reading, maps in zip(readings, labels, strict=True):
        for k in range(num_classes):
            losses = reading.loss[maps == k].double()
            total[k] += losses.sum()
            pixels[k] += len(losses)
        means.append(reading.mean_iou)
    means = torch.cat([torch.empty(0).double(), *means])
    means = means[~means.isnan()]
    if not len(means):
        raise ValueError('There are no labelled held-out tiles to compare with.')
    return AgreementLimits(total / pixels, means.quantile(quantile).item(), len(means))


def disagreeing_pixels(
    reading: Reading, labels: Tensor, limits: AgreementLimits, factor: float = LOSS_FACTOR
) -> Tensor:
    """FreeMask's rule: pixels whose loss exceeds 1.25 times the mean loss of their class, here that on real tiles.

    Args:
        reading: Of N pairs.
        labels: (N, H, W) uint8, their masks.
        limits: Of real tiles. Pixels of a class that these lack are never marked.
        factor: Of the rule.

    Returns:
        (N, H, W) bool; false where the mask is ignored.
    """
    allowed = torch.cat([limits.class_loss.nan_to_num(nan=torch.inf) * factor, torch.tensor([torch.inf])])
    index = torch.where(labels == IGNORE_INDEX, len(allowed) - 1, labels.long())
    return reading.loss > allowed[index]


def mean_class_iou(iou: Sequence[Tensor]) -> Tensor:
    """Mean over pairs of the IoU of each class, over those that hold it.

    Args:
        iou: (N, K) float64 of several batches, NaN where a class is absent.

    Returns:
        (K,) float64; NaN for a class that none holds.
    """
    return torch.cat(list(iou)).nanmean(0)
