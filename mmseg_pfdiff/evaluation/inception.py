"""Features of the Inception network that FID, KID and IS are defined on."""

import io
from pathlib import Path

import torch
from torch import Tensor, nn

from ..files import file_sha256

INCEPTION_WIDTH = 2048
OFFLINE = (
    'Without a network use --features efficientnet-lite0, which needs none, or give the file with --inception-weights'
)


class InceptionFeatures(nn.Module):
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
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3
        except ImportError as error:
            raise ImportError(
                "Inception features need torch-fidelity: pip install torch-fidelity (or 'mmseg-pfdiff[evaluation]')."
            ) from error
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

    def train(self, mode: bool = True) -> 'InceptionFeatures':
        """Stays in evaluation mode."""
        return super().train(False)

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
        if images.ndim == 3:
            images = images[:, None].expand(-1, 3, -1, -1)
        if images.ndim != 4 or images.shape[1] != 3 or images.dtype != torch.uint8:
            raise ValueError(
                f'images must be (N, H, W) or (N, 3, H, W) uint8, got {tuple(images.shape)} {images.dtype}.'
            )
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
