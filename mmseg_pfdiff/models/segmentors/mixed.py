"""MixEncoderDecoder: a segmentor that trusts synthetic samples of a mix less than real ones."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.structures import PixelData
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
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
        networks: Parts of the segmentor; those it lacks are None.
        momentum: Part of the present weights in the average at each step.
        confidence: Least probability of the other class, in (0.5, 1].
        action: 'ignore' gives contradicted pixels no label, 'relabel' the teacher's.
        start: Training steps before it is asked.

    Raises:
        ValueError: A setting out of range.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module | None],
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
        present = {name: network for name, network in networks.items() if network is not None}
        self.average = nn.ModuleDict(copy.deepcopy(present)).requires_grad_(False)
        self.momentum, self.confidence, self.action, self.start = momentum, confidence, action, start
        self.steps = 0

    def get_extra_state(self) -> int:
        """Steps so far; a plain number, as a tensor on a GPU would have to be waited for."""
        return self.steps

    def set_extra_state(self, state: int) -> None:
        """Of a checkpoint."""
        self.steps = state

    @torch.no_grad()
    def learn(self, networks: Mapping[str, nn.Module | None]) -> None:
        """Takes the present weights into the average; at the first step they are the average."""
        part = self.momentum if self.steps else 1.0
        for name, average in self.average.items():
            own, present = average.state_dict(), networks[name].state_dict()
            for key, value in own.items():
                if value.is_floating_point():
                    value.lerp_(present[key], part)
                else:
                    value.copy_(present[key])
        self.steps += 1

    @torch.no_grad()
    def correct(self, images: Tensor, labels: Tensor) -> Tensor:
        """Labels without those that are contradicted.

        Args:
            images: (N, 3, H, W) float, as the segmentor takes them.
            labels: (N, H, W) int64, 0..K-1 or 255.

        Returns:
            (N, H, W) int64.
        """
        if self.steps <= self.start:
            return labels
        features = images
        for network in self.average.eval().values():
            features = network(features)
        logits = nn.functional.interpolate(features.float(), labels.shape[1:], mode='bilinear', align_corners=False)
        best = logits.softmax(1).max(1)
        contradicted = (best.values >= self.confidence) & (best.indices != labels) & (labels != IGNORE_INDEX)
        other = best.indices if self.action == 'relabel' else torch.full_like(labels, IGNORE_INDEX)
        return torch.where(contradicted, other, labels)


@MODELS.register_module()
class MixEncoderDecoder(SlidingWindowEncoderDecoder):
    """A :class:`SlidingWindowEncoderDecoder` for training on a :class:`SyntheticPairMix`.

    Without its two settings it trains as the other does. Its own settings change the training alone.

    Args:
        *args: Of the base class.
        synthetic_weight: Weight of synthetic samples beside 1 for real ones. The loss of a batch is the sum of the
            losses of both kinds, each times its share of the batch and this weight; of all heads. 0 leaves synthetic
            samples to the batch statistics.
        teacher: Arguments of :class:`Teacher` besides the networks, or None for none.
        **kwargs: Of the base class.

    Raises:
        ValueError: A negative weight; a setting of the teacher out of range; a teacher of a network with a single
            output, whose certainty it could not tell; or a weight for a head whose loss is not one of its logits.
    """

    def __init__(
        self, *args, synthetic_weight: float = 1.0, teacher: Mapping[str, Any] | None = None, **kwargs
    ) -> None:
        super().__init__(*args, **kwargs)
        if synthetic_weight < 0:
            raise ValueError(f'synthetic_weight must be at least 0, got {synthetic_weight}.')
        own = [type(head).__name__ for head in self._heads() if type(head).loss is not BaseDecodeHead.loss]
        if synthetic_weight != 1 and own:
            raise ValueError(f'{own[0]} has a loss of its own, whose samples cannot be weighted: synthetic_weight=1.')
        if teacher is not None and self.out_channels == 1:
            raise ValueError('A teacher needs an output for each class: set decode_head.out_channels to the classes.')
        self.synthetic_weight = synthetic_weight
        self.teacher = None if teacher is None else Teacher(self._networks(), **teacher)

    def _heads(self) -> list[nn.Module]:
        auxiliary = getattr(self, 'auxiliary_head', None)
        return [self.decode_head, *(auxiliary if isinstance(auxiliary, nn.ModuleList) else filter(None, [auxiliary]))]

    def _networks(self) -> dict[str, nn.Module | None]:
        """The networks that an image passes, in order."""
        return dict(backbone=self.backbone, neck=getattr(self, 'neck', None), decode_head=self.decode_head)

    def loss(self, inputs: Tensor, data_samples: Sequence[SegDataSample]) -> dict[str, Tensor]:
        """Losses of a batch, of whose synthetic samples the teacher has corrected the labels."""
        if self.teacher is not None:
            self.teacher.learn(self._networks())
            data_samples = self._corrected(inputs, data_samples)
        return super().loss(inputs, data_samples)

    def _corrected(self, inputs: Tensor, data_samples: Sequence[SegDataSample]) -> list[SegDataSample]:
        samples = list(data_samples)
        places = _kinds(samples)[True]
        if not places:
            return samples
        images, labels = (
            torch.stack(each)
            for each in zip(*((inputs[place], samples[place].gt_sem_seg.data[0]) for place in places), strict=True)
        )
        for place, label in zip(places, self.teacher.correct(images, labels), strict=True):
            samples[place] = samples[place].clone()
            samples[place].gt_sem_seg = PixelData(data=label[None])
        return samples

    def _decode_head_forward_train(self, inputs: list[Tensor], data_samples: Sequence[SegDataSample]) -> dict:
        return add_prefix(self._weighted_loss(self.decode_head, inputs, data_samples), 'decode')

    def _auxiliary_head_forward_train(self, inputs: list[Tensor], data_samples: Sequence[SegDataSample]) -> dict:
        several = isinstance(self.auxiliary_head, nn.ModuleList)
        heads = {f'aux_{n}': head for n, head in enumerate(self.auxiliary_head)} if several else None
        losses: dict[str, Tensor] = {}
        for prefix, head in (heads or dict(aux=self.auxiliary_head)).items():
            losses |= add_prefix(self._weighted_loss(head, inputs, data_samples), prefix)
        return losses

    def _weighted_loss(
        self, head: BaseDecodeHead, inputs: list[Tensor], data_samples: Sequence[SegDataSample]
    ) -> dict[str, Tensor]:
        """Losses of a head, those of real and of synthetic samples weighted."""
        if self.synthetic_weight == 1:
            return head.loss(inputs, data_samples, self.train_cfg)
        logits = head(inputs)  # of all samples at once: they share the statistics of the batch
        total: dict[str, Tensor] = {}
        for synthetic, places in _kinds(data_samples).items():
            if not places:
                continue
            part = torch.stack([logits[place] for place in places])
            # Measures for the log, such as the accuracy, are weighted alike.
            weight = (self.synthetic_weight if synthetic else 1) * len(places) / len(data_samples)
            for name, value in head.loss_by_feat(part, [data_samples[place] for place in places]).items():
                total[name] = total.get(name, 0) + weight * value
        return total


def _kinds(data_samples: Sequence[SegDataSample]) -> dict[bool, list[int]]:
    """Places in the batch of the real samples (False) and of the synthetic ones (True)."""
    synthetic = [bool(sample.metainfo.get('synthetic', False)) for sample in data_samples]
    return {kind: [place for place, each in enumerate(synthetic) if each is kind] for kind in (False, True)}
