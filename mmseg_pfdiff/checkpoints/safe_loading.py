"""Loading checkpoints without running code from them.

`torch.load` with `weights_only=True` refuses whatever is no tensor and no plain container. An MMEngine checkpoint also
holds log histories as numpy arrays, so that training can resume; the few classes those need are allowed here. mmengine
itself cannot read them with a current torch (upstream), or falls back to unpickling anything (the maintained build).
Importing the package puts the loaders below in place of mmengine's, so that `--resume`, `load_from` and the pretrained
weights of configs go through them.
"""

import os
import re
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

import mmengine.runner.checkpoint as mmengine_checkpoint
import numpy as np
import torch
from mmengine.dist import get_local_rank
from mmengine.dist.utils import barrier
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader, get_external_models, get_torchvision_models


def history_method(owner: type, name: str) -> Callable:
    """Stands in for the `getattr` by which a pickled log history names its statistics: it knows those alone.

    Args:
        owner: Must be `HistoryBuffer`.
        name: 'mean', 'min', 'max' or 'current'.

    Returns:
        The method.

    Raises:
        UnpicklingError: Anything else was asked for.
    """
    if owner is not HistoryBuffer or name not in ('mean', 'min', 'max', 'current'):
        raise UnpicklingError(f'a checkpoint may not look up {name!r} of {owner!r}')
    return getattr(owner, name)


REBUILD = ('_reconstruct', 'scalar')
_multiarray = np._core.multiarray if hasattr(np, '_core') else np.core.multiarray
# Each is data or rebuilds data; none calls anything a checkpoint could name.
ALLOWED = [
    HistoryBuffer,
    (history_method, 'builtins.getattr'),
    np.ndarray,
    np.dtype,
    # Under numpy 1 and 2 these two are pickled by different names.
    *(
        (getattr(_multiarray, name), f'numpy.{core}.multiarray.{name}')
        for core in ('core', '_core')
        for name in REBUILD
    ),
    *(type(np.dtype(kind)) for kind in ('float64', 'float32', 'int64', 'int32', 'uint8', 'bool')),
]


def load_from_file(filename: str | os.PathLike, map_location: Any = None, *, mmap: bool = False) -> dict:
    """Loads a local checkpoint; code in it is refused, not run.

    Args:
        filename: Path.
        map_location: As of `torch.load`.
        mmap: Read the weights only when they are used: for a look at the rest of a large file.

    Returns:
        The checkpoint.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It holds objects other than weights and logs, or is no checkpoint.
    """
    filename = os.path.expanduser(filename)
    if not os.path.isfile(filename):
        raise FileNotFoundError(f'{filename} can not be found. Give the path of a checkpoint (.pth).')
    try:
        with torch.serialization.safe_globals(ALLOWED):
            checkpoint = torch.load(filename, map_location=map_location, weights_only=True, mmap=mmap)
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:  # what a damaged pickle raises is anything
        # torch's own text advises to switch the protection off: only the name of the object is taken from it.
        named = re.search(r'(?:GLOBAL|function|module) (\S+)|WeightsUnpickler error: ([^\n]+)', str(error))
        reason = next(filter(None, named.groups())) if named else type(error).__name__
        raise ValueError(
            f'{filename} was not loaded: it is damaged, or it holds objects other than weights and logs, which could '
            f'run code. Ask its author for the weights alone (a file of `checkpoint["state_dict"]`). Reason: {reason}'
        ) from error
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if isinstance(meta, dict):
        # Old programs stored their config under this name. Resuming, mmengine's Runner would run it as a program.
        meta.pop('config', None)
    return checkpoint


def load_from_url(url: str, map_location: Any = None) -> dict:
    """Downloads a checkpoint into torch's cache, by one process of a machine, and loads it safely.

    Args:
        url: http or https.
        map_location: As of `torch.load`.

    Returns:
        The checkpoint.

    Raises:
        ValueError: It cannot be fetched, or is refused by :func:`load_from_file`.
    """
    folder = os.path.join(torch.hub.get_dir(), 'checkpoints')
    path = os.path.join(folder, os.path.basename(url))
    try:
        if get_local_rank() == 0 and not os.path.exists(path):
            os.makedirs(folder, exist_ok=True)
            # It writes to a temporary name first.
            torch.hub.download_url_to_file(url, path)
    except OSError as error:
        raise ValueError(
            f'{url} could not be fetched ({error}). Put the file at {path} yourself, or train from random weights '
            '(for a config of mmseg: --cfg-options model.backbone.init_cfg=None).'
        ) from error
    finally:
        barrier()
    return load_from_file(path, map_location)


def load_from_torchvision(name: str, map_location: Any = None) -> dict:
    """Loads `torchvision://resnet50` and the like."""
    return load_from_url(get_torchvision_models()[name.partition('://')[2]], map_location)


def load_from_openmmlab(name: str, map_location: Any = None) -> dict:
    """Loads `open-mmlab://name` of mmengine's table, which maps to a URL or to a file in mmengine's home."""
    target = get_external_models()[name.partition('://')[2]]
    if target.startswith(('http://', 'https://')):
        return load_from_url(target, map_location)
    return load_from_file(os.path.join(mmengine_checkpoint._get_mmengine_home(), target), map_location)


def load_from_elsewhere(name: str, map_location: Any = None) -> dict:
    """Refuses the schemes whose loaders of mmengine unpickle anything.

    Raises:
        ValueError: Always.
    """
    raise ValueError(f'{name} cannot be loaded safely by its scheme: download the file and give its path.')


SAFE_SCHEMES = {
    ('http://', 'https://'): load_from_url,
    ('modelzoo://', 'torchvision://'): load_from_torchvision,
    ('open-mmlab://', 'openmmlab://'): load_from_openmmlab,
}


def install_safe_loaders() -> None:
    """Makes mmengine load every checkpoint in the ways above."""
    CheckpointLoader.register_scheme('', load_from_file, force=True)
    for prefixes, loader in SAFE_SCHEMES.items():
        CheckpointLoader.register_scheme(prefixes, loader, force=True)
    others = set(CheckpointLoader._schemes) - {'', *(p for prefixes in SAFE_SCHEMES for p in prefixes)}
    CheckpointLoader.register_scheme(sorted(others), load_from_elsewhere, force=True)
