"""Decoders of segmentation_models_pytorch (smp) as decode heads of mmsegmentation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch.nn.functional as F
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from segmentation_models_pytorch.base.initialization import initialize_decoder, initialize_head
from segmentation_models_pytorch.decoders.fpn.decoder import FPNDecoder
from segmentation_models_pytorch.decoders.linknet.decoder import LinknetDecoder
from segmentation_models_pytorch.decoders.manet.decoder import MAnetDecoder
from segmentation_models_pytorch.decoders.pan.decoder import PANDecoder
from segmentation_models_pytorch.decoders.segformer.decoder import SegformerDecoder
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from segmentation_models_pytorch.decoders.unetplusplus.decoder import UnetPlusPlusDecoder
from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder
from torch import Tensor, nn


@dataclass(frozen=True)
class _Recipe:
    """How an smp model builds its decoder and the convolution after it."""

    decoder: Callable[..., nn.Module]
    defaults: Mapping  # smp's default arguments of the decoder
    depth_name: str  # the argument that holds the number of encoder stages
    width_name: str  # the argument that holds the channels of the decoder's output
    kernel_size: int  # of the last convolution
    upsampling: int = 1  # of the logits, the stride of the decoder's output
    any_size: bool = False  # smp resizes to the skip's size instead of doubling: works with odd sizes as it is


_FIVE_BLOCKS = dict(decoder_channels=(256, 128, 64, 32, 16))
# PSPNet, DeepLabV3 and DPT are left out: they read the deepest feature of a shallow, dilated or ViT encoder, not the
# list of features; mmseg has its own heads for the first two.
RECIPES = {
    'unet': _Recipe(UnetDecoder, _FIVE_BLOCKS, 'n_blocks', 'decoder_channels', 3, any_size=True),
    'unetplusplus': _Recipe(UnetPlusPlusDecoder, _FIVE_BLOCKS, 'n_blocks', 'decoder_channels', 3),
    'linknet': _Recipe(LinknetDecoder, dict(prefinal_channels=32), 'n_blocks', 'prefinal_channels', 1),
    'manet': _Recipe(MAnetDecoder, _FIVE_BLOCKS, 'n_blocks', 'decoder_channels', 3),
    'fpn': _Recipe(FPNDecoder, dict(segmentation_channels=128), 'encoder_depth', 'segmentation_channels', 1, 4),
    'pan': _Recipe(PANDecoder, dict(decoder_channels=32), 'encoder_depth', 'decoder_channels', 3, 4),
    'segformer': _Recipe(
        SegformerDecoder, dict(segmentation_channels=256), 'encoder_depth', 'segmentation_channels', 1, 4
    ),
    'upernet': _Recipe(UPerNetDecoder, dict(decoder_channels=256), 'encoder_depth', 'decoder_channels', 1, 4),
}


@MODELS.register_module()
class SMPDecoderHead(BaseDecodeHead):
    """An smp decoder and its segmentation head, with smp's parameters, initialisation and outputs.

    Args:
        decoder: One of :data:`RECIPES`: `'unet'`, `'unetplusplus'`, `'linknet'`, `'manet'`, `'fpn'`, `'pan'`,
            `'segformer'`, `'upernet'`.
        in_channels: Channels of the backbone's features, finest first, each feature half the size of the one before.
        num_classes: Number of classes K.
        first_stride: Stride of the first feature: 1 for :class:`SMPEncoder`, 4 for mmseg's backbones (with
            `strides=(1, 2, 2, 2), dilations=(1, 1, 1, 1)` where they have these). Missing finer levels become tensors
            without channels, as in smp's own transformer encoders.
        decoder_cfg: Arguments of the smp decoder where they differ from smp's defaults, by smp's names, e.g.
            `dict(decoder_channels=(64, 32, 16, 8, 4), attention_type='scse')`.
        in_index: Which of the backbone's outputs are used, all by default.
        dropout_ratio: Dropout before the last convolution. None (0) by default, as in smp.
        loss_decode: mmseg's loss, smp's Dice by default.
        init_cfg: mmengine's initialisation; by default the layers keep the one smp gives them.
        **head_args: Passed on to mmseg's `BaseDecodeHead`: `ignore_index`, `sampler`, `out_channels`, ...

    Raises:
        ValueError: The decoder is unknown, or `first_stride` is not 1, 2 or 4.
    """

    def __init__(
        self,
        decoder: str,
        in_channels: Sequence[int],
        *,
        num_classes: int,
        first_stride: int = 1,
        decoder_cfg: dict | None = None,
        in_index: Sequence[int] | None = None,
        dropout_ratio: float = 0.0,
        loss_decode: dict | Sequence[dict] = dict(type='SMPDiceLoss'),  # noqa: B006 read only, as in mmseg
        init_cfg: dict | list[dict] | None = None,
        **head_args,
    ):
        if decoder not in RECIPES:
            raise ValueError(f'decoder must be one of {sorted(RECIPES)}, got {decoder!r}.')
        if first_stride not in (1, 2, 4):
            raise ValueError(f'first_stride must be 1, 2 or 4, got {first_stride!r}.')
        recipe = RECIPES[decoder]
        missing = {1: 0, 2: 1, 4: 2}[first_stride]
        channels = [0] * missing + list(in_channels)
        options = {**recipe.defaults, **(decoder_cfg or {})}
        layers = recipe.decoder(encoder_channels=channels, **{recipe.depth_name: len(channels) - 1}, **options)
        width = options[recipe.width_name]
        width = width if isinstance(width, int) else width[-1]
        if decoder == 'fpn':  # its 'cat' merge policy widens the output
            width = layers.out_channels
        super().__init__(
            in_channels=list(in_channels),
            channels=width,
            num_classes=num_classes,
            in_index=list(range(len(in_channels))) if in_index is None else list(in_index),
            input_transform='multiple_select',
            dropout_ratio=dropout_ratio,
            loss_decode=loss_decode,
            init_cfg=init_cfg,
            **head_args,
        )
        self.recipe, self.missing = recipe, missing
        self.decoder = layers
        self.conv_seg = nn.Conv2d(width, self.out_channels, recipe.kernel_size, padding=recipe.kernel_size // 2)
        initialize_decoder(self.decoder)
        initialize_head(self.conv_seg)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Logits from the backbone's features.

        A decoder that doubles its way up meets skips of another size when the image is not a multiple of the deepest
        stride (smp refuses such images); then the features are extended to the right and below by repeating their
        border, and the logits cut back.

        Args:
            inputs: The backbone's outputs, the i-th used one (N, in_channels[i], H_i, W_i), finest first.

        Returns:
            (N, K, H, W) float: H, W of the image with `first_stride` 1, else `first_stride` times the first feature.

        Raises:
            ValueError: The features do not fit `in_channels`, or do not halve their size from one to the next.
        """
        features = self._transform_inputs(inputs)
        self._check_features(features)
        for _ in range(self.missing):
            n, _, h, w = features[0].shape
            features = [features[0].new_empty(n, 0, 2 * h, 2 * w), *features]
        height, width = features[0].shape[2:]
        if not self.recipe.any_size:
            features = extend_features(features)
        logits = self.cls_seg(self.decoder(features))
        if self.recipe.upsampling > 1:
            logits = F.interpolate(logits, scale_factor=self.recipe.upsampling, mode='bilinear', align_corners=True)
        return logits[..., :height, :width]

    def _check_features(self, features: Sequence[Tensor]) -> None:
        channels = [feature.shape[1] for feature in features]
        if channels != list(self.in_channels):
            raise ValueError(
                f'The backbone gives features of {channels} channels, decode_head.in_channels says '
                f'{list(self.in_channels)}: set it to the former.'
            )
        sizes = [tuple(feature.shape[2:]) for feature in features]
        for fine, coarse in pairwise(sizes):
            if any(c not in (f // 2, (f + 1) // 2) for f, c in zip(fine, coarse, strict=True)):
                raise ValueError(
                    f'Each feature must be half the size of the one before, got {sizes}. Give an mmseg backbone '
                    '`strides=(1, 2, 2, 2), dilations=(1, 1, 1, 1)`, or pick the levels with `in_index`.'
                )


def extend_features(features: Sequence[Tensor]) -> list[Tensor]:
    """Repeats the right and lower border until each feature is exactly twice the size of the next one.

    Args:
        features: (N, C_i, H_i, W_i), finest first, about halving.

    Returns:
        The same tensors, as they are where nothing is missing.
    """
    last = len(features) - 1
    height, width = (
        max(-(-feature.shape[dim] // 2 ** (last - i)) for i, feature in enumerate(features)) for dim in (2, 3)
    )
    extended = []
    for i, feature in enumerate(features):
        n, c, h, w = feature.shape
        target_h, target_w = height * 2 ** (last - i), width * 2 ** (last - i)
        if (h, w) == (target_h, target_w):
            extended.append(feature)
        elif c == 0:  # torch cannot pad a tensor without elements
            extended.append(feature.new_empty(n, 0, target_h, target_w))
        else:
            extended.append(F.pad(feature, (0, target_w - w, 0, target_h - h), mode='replicate'))
    return extended


def convert_smp_state_dict(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames the weights of an smp model to those of a segmentor with `SMPEncoder` and `SMPDecoderHead`.

    | smp                    | mmseg                    |
    |------------------------|--------------------------|
    | `encoder.*`            | `backbone.encoder.*`     |
    | `decoder.*`            | `decode_head.decoder.*`  |
    | `segmentation_head.0.*`| `decode_head.conv_seg.*` |

    Args:
        state_dict: `state_dict()` of an smp model, `aux_params` not used.

    Returns:
        A state dict for the segmentor.

    Raises:
        KeyError: A key is none of the three.
    """
    prefixes = {
        'encoder.': 'backbone.encoder.',
        'decoder.': 'decode_head.decoder.',
        'segmentation_head.0.': 'decode_head.conv_seg.',
    }
    renamed = {}
    for key, value in state_dict.items():
        old = next((prefix for prefix in prefixes if key.startswith(prefix)), None)
        if old is None:
            raise KeyError(f'Keys of an smp model start with one of {list(prefixes)}, got {key!r}.')
        renamed[prefixes[old] + key.removeprefix(old)] = value
    return renamed
