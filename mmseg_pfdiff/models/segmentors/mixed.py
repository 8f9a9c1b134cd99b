"""MixEncoderDecoder: a segmentor that trusts synthetic samples of a mix less than real ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import ExponentialMovingAverage
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor, nn

from ...phases.labels import IGNORE_INDEX
from .sliding_window import SlidingWindowEncoderDecoder

ACTIONS = ('ignore', 'relabel')


class Teacher(nn.Module):
    """The average of a segmentor's weights over its training, which changes labels that it contradicts.

    A pixel is contradicted where the teacher is sure of another class than its label says, as in images that do not
    show what their masks say (the mean teacher of Tarvainen and Valpola 2017, asked about synthetic samples alone).

    Args:
        backbone: Of the segmentor.
        decode_head: Likewise.
        momentum: Part of the present weights in the average at each step.
        confidence: Least probability of the other class, in (0.5, 1].
        action: 'ignore' gives contradicted pixels no label, 'relabel' the teacher's.
        start: Training steps before it is asked.

    Raises:
        ValueError: A setting out of range.
    """

    def __init__(
        self,
        backbone: nn.Module,
        decode_head: nn.Module,
        momentum: float = 0.002,
        confidence: float = 0.8,
        action: str = 'ignore',
        start: int = 200,
    ) -> None:
        super().__init__()
        if action not in ACTIONS or not 0.5 < confidence <= 1 or not 0 < momentum < 1 or start < 0:
            raise ValueError(
                f'teacher: action must be one of {ACTIONS}, confidence in (0.5, 1], momentum in (0, 1), start >= 0; '
                f'got {action!r}, {confidence}, {momentum}, {start}.'
            )
        networks = nn.ModuleDict(dict(backbone=backbone, decode_head=decode_head))
        self.average = ExponentialMovingAverage(networks, momentum=momentum, update_buffers=True)
        self.confidence, self.action, self.start = confidence, action, start

    def learn(self, backbone: nn.Module, decode_head: nn.Module) -> None:
        """Takes the present weights into the average."""
        self.average.update_parameters(nn.ModuleDict(dict(backbone=backbone, decode_head=decode_head)))

    @torch.no_grad()
    def correct(self, images: Tensor, labels: Tensor) -> Tensor:
        """Labels without those that are contradicted.

        Args:
            images: (N, 3, H, W) float, as the segmentor takes them.
            labels: (N, H, W) int64, 0..K-1 or 255.

        Returns:
            (N, H, W) int64.
        """
        networks = self.average.module.eval()
        logits = networks['decode_head'](networks['backbone'](images))
        logits = nn.functional.interpolate(logits.float(), labels.shape[1:], mode='bilinear', align_corners=False)
        best = logits.softmax(1).max(1)
        contradicted = (best.values >= self.confidence) & (best.indices != labels) & (labels != IGNORE_INDEX)
        # No look at the number of steps, which lies on the device.
        contradicted &= self.average.steps > self.start
        other = best.indices if self.action == 'relabel' else torch.full_like(labels, IGNORE_INDEX)
        return torch.where(contradicted, other, labels)


@MODELS.register_module()
class MixEncoderDecoder(SlidingWindowEncoderDecoder):
    """A :class:`SlidingWindowEncoderDecoder` for training on a :class:`SyntheticPairMix`.

    Without its two settings it trains as the other does. Its own settings change the training alone.

    Args:
        *args: Of the base class.
        synthetic_weight: Weight of synthetic samples beside 1 for real ones: the loss is the mean of the losses of both
            kinds, weighted by their numbers in the batch and this. 0 leaves them to the batch statistics.
        teacher: Arguments of :class:`Teacher` besides the networks, or None for none.
        **kwargs: Of the base class.

    Raises:
        ValueError: A negative weight, or a setting of the teacher out of range.
    """

    def __init__(
        self, *args, synthetic_weight: float = 1.0, teacher: Mapping[str, Any] | None = None, **kwargs
    ) -> None:
        super().__init__(*args, **kwargs)
        if synthetic_weight < 0:
            raise ValueError(f'synthetic_weight must be at least 0, got {synthetic_weight}.')
        self.synthetic_weight = synthetic_weight
        self.teacher = None if teacher is None else Teacher(self.backbone, self.decode_head, **teacher)

    def loss(self, inputs: Tensor, data_samples: Sequence[SegDataSample]) -> dict[str, Tensor]:
        """Losses of a batch, of whose synthetic samples the teacher has corrected the labels."""
        if self.teacher is not None:
            self.teacher.learn(self.backbone, self.decode_head)
            data_samples = self._corrected(inputs, data_samples)
        return super().loss(inputs, data_samples)

    def _corrected(self, inputs: Tensor, data_samples: Sequence[SegDataSample]) -> list[SegDataSample]:
        samples = list(data_samples)
        places = _kinds(samples)[True]
        if not places:
            return samples
        labels = torch.stack([samples[place].gt_sem_seg.data[0] for place in places])
        for place, label in zip(places, self.teacher.correct(inputs[places], labels), strict=True):
            samples[place] = samples[place].clone()
            samples[place].gt_sem_seg = PixelData(data=label[None])
        return samples

    def _decode_head_forward_train(self, inputs: list[Tensor], data_samples: Sequence[SegDataSample]) -> dict:
        if self.synthetic_weight == 1:
            return super()._decode_head_forward_train(inputs, data_samples)
        logits = self.decode_head(inputs)
        kinds = {synthetic: places for synthetic, places in _kinds(data_samples).items() if places}
        weights = {kind: len(places) * (self.synthetic_weight if kind else 1) for kind, places in kinds.items()}
        losses: dict[str, Tensor] = {}
        for kind, places in kinds.items():
            part = self.decode_head.loss_by_feat(logits[places], [data_samples[place] for place in places])
            # Measures for the log, such as the accuracy, are weighted alike.
            share = weights[kind] / max(sum(weights.values()), 1e-12)
            for name, value in part.items():
                losses[name] = losses.get(name, 0) + share * value
        return add_prefix(losses, 'decode')


def _kinds(data_samples: Sequence[SegDataSample]) -> dict[bool, list[int]]:
    """Places in the batch of the real samples (False) and of the synthetic ones (True)."""
    synthetic = [bool(sample.metainfo.get('synthetic', False)) for sample in data_samples]
    return {kind: [place for place, each in enumerate(synthetic) if each is kind] for kind in (False, True)}
