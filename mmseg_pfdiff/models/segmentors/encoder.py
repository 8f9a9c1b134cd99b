"""Any encoder of segmentation_models_pytorch (smp) as a backbone of mmsegmentation."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from segmentation_models_pytorch.encoders import get_encoder
from timm.models import adapt_input_conv
from torch import Tensor

from ...package_weights import package_state_dict


@MODELS.register_module()
class SMPEncoder(BaseModule):
    """An smp encoder, its parameters and features unchanged.

    As with mmseg's own backbones, building it never reads pretrained weights: :meth:`init_weights` does, which the
    Runner calls before training and not before a test.

    Args:
        name: smp's name of the encoder: `'resnet50'`, `'efficientnet-b0'`, `'tu-<any timm model>'`, ...
        in_channels: Channels of the image. With pretrained weights the first convolution is adapted as smp does.
        depth: Number of stages; feature i of the `depth + 1` features has stride 2**i.
        weights: Pretrained weights by smp's name (True for `tu-` encoders); `'package'` for those of an installed
            package, without a network (`tu-tf_efficientnet_lite0`, `1` and `2`, which expect images normalised as
            (x - 127) / 128: mean 127 and std 128 of the data preprocessor); None for random ones.
        out_indices: Which features to return, all by default. `(2, 3, 4, 5)`, strides 4 to 32, is what mmseg's decode
            heads expect.
        init_cfg: mmengine's initialisation, e.g. `dict(type='Pretrained', checkpoint=...)`; takes the place of
            `weights`.
        **encoder_args: Passed on to `smp.encoders.get_encoder`, e.g. `output_stride=16`.

    Raises:
        ValueError: Arguments that the encoder does not take.
        KeyError: smp has no encoder of that name.
        ValueError: `out_indices` are not indices of the features.
    """

    def __init__(
        self,
        name: str,
        in_channels: int = 3,
        depth: int = 5,
        weights: str | bool | None = 'imagenet',
        out_indices: Sequence[int] | None = None,
        init_cfg: dict | list[dict] | None = None,
        **encoder_args,
    ):
        super().__init__(init_cfg)
        unknown = sorted(set(encoder_args) - {'output_stride'})
        if unknown and not name.startswith('tu-'):  # smp would ignore them
            raise ValueError(f'{name!r} takes no {unknown[0]!r}, but name, in_channels, depth and output_stride.')
        self.name = name
        self.weights = weights
        self.build_args = dict(name=name, in_channels=in_channels, depth=depth, **encoder_args)
        self.encoder = get_encoder(weights=None, **self.build_args)
        self.out_indices = tuple(range(depth + 1)) if out_indices is None else tuple(out_indices)
        if not set(self.out_indices) <= set(range(depth + 1)):
            raise ValueError(f'out_indices must lie in 0..{depth} for depth={depth}, got {self.out_indices}.')

    @property
    def out_channels(self) -> list[int]:
        """Channels of the returned features: what `decode_head.in_channels` has to say."""
        return [self.encoder.out_channels[i] for i in self.out_indices]

    def init_weights(self) -> None:
        """Loads the pretrained weights, or follows `init_cfg` when there is one.

        Raises:
            ImportError: The package with the weights is not installed; the message says how to install it.
            OSError: The weights are unknown or cannot be fetched; the message says how to train without.
            ValueError: No package holds weights of this encoder.
        """
        # BaseModule would go on to smp's own children, some of which have an `init_weights` of another meaning.
        if self.init_cfg:
            super().init_weights()
            return
        if self.weights == 'package':
            self._load_package()
        elif self.weights is not None:
            try:
                pretrained = get_encoder(weights=self.weights, **self.build_args)
            except Exception as error:  # many libraries below, each with its own errors for "no network"
                raise OSError(
                    f'Pretrained weights {self.weights!r} of encoder {self.name!r} could not be loaded '
                    f'({type(error).__name__}: {error}). Connect to the network once so that they are cached, or '
                    'train from random weights with `--cfg-options model.backbone.weights=None`.'
                ) from error
            self.encoder.load_state_dict(pretrained.state_dict())
        self._is_init = True

    def _load_package(self) -> None:
        network = self.encoder.model
        state = package_state_dict(self.name.removeprefix('tu-'))
        state['conv_stem.weight'] = adapt_input_conv(self.build_args['in_channels'], state['conv_stem.weight'])
        network.load_state_dict({name: state[name] for name in network.state_dict()})

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Features of an image.

        Args:
            image: (N, in_channels, H, W) float, of any size.

        Returns:
            One (N, C_i, ~H / 2**i, ~W / 2**i) tensor for each i of `out_indices`. Feature 0 is the image itself (it
            tells the decode head the size to predict at); encoders without a stride-2 stage give 0 channels there.
        """
        if image.device.type == 'cpu':
            # Processors go through a network a third faster so, and U-Nets go on in the layout that they are given.
            image = image.contiguous(memory_format=torch.channels_last)
        features = self.encoder(image)
        return tuple(features[i] for i in self.out_indices)
