"""Parameters and operations of a generator's network, counted."""

from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from .diffusion.base import PairDiffusion
from .diffusion.super_resolution import PairSuperResolution
from .gan.painter import PairPainter


class Operations(NamedTuple):
    """Size and cost of a network.

    Attributes:
        parameters: Number of weights.
        flops: Floating-point operations of one forward pass for one pair; a multiplication and an addition are two.
    """

    parameters: int
    flops: int


def count_operations(config: Config) -> Operations:
    """Counts without weights or data: the network is built and run on torch's meta device.

    Args:
        config: Config whose `model` is a :class:`PairDiffusion` or a :class:`PairPainter`.

    Returns:
        The counts, those of matrix products, convolutions and attention; the rest is small.

    Raises:
        ValueError: The config is of something else.
    """
    init_default_scope(config.get('default_scope', 'mmseg'))
    with torch.device('meta'):
        # In training mode, where guidance does not double the work.
        model = MODELS.build(config.model)
        if not isinstance(model, PairDiffusion | PairPainter):
            raise ValueError(
                f'A {type(model).__name__} is neither a diffusion model nor a painter, whose operations are counted '
                'here. Give the config of one of these.'
            )
        size = model.data_preprocessor.size
        pairs = torch.empty(1, model.data_preprocessor.num_channels, size, size)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network = (_run_painter if isinstance(model, PairPainter) else _run_diffusion)(model, pairs)
    return Operations(sum(p.numel() for p in network.parameters()), counter.get_total_flops())


def _run_diffusion(model: PairDiffusion, pairs: Tensor) -> nn.Module:
    """One evaluation; returns the network."""
    if isinstance(model, PairSuperResolution):
        condition = model.from_low_resolution(F.avg_pool2d(pairs, model.factor))
    else:
        condition = model.condition(
            dict(pairs=pairs, fractions=torch.empty(1, model.data_preprocessor.codec.num_classes))
        )
    model.predict(torch.empty(1, model.channels, *pairs.shape[-2:]), torch.empty(1), condition)
    return model.unet


def _run_painter(model: PairPainter, pairs: Tensor) -> nn.Module:
    """One image; returns the network."""
    low = F.avg_pool2d(pairs[:, :1], model.factor)
    generator = model.generator
    channels = generator.noise_channels + (generator.look_codes if generator.look_numbers else 0)
    generator(low, pairs[:, 1:], torch.empty(1, channels, *low.shape[-2:]))
    return generator
