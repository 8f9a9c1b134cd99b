"""What lies in a folder, in a form in which two folders can be compared."""

import hashlib
import re
from pathlib import Path

import numpy as np
import torch
from mmengine.runner.checkpoint import CheckpointLoader

# Logs, of which each run writes one under its time, and the locks of folders.
NO_RESULT = r'(^|/)\d{8}_\d{6}/|\.log$|\.lock$|(^|/)vis_data/'


def snapshot(root: Path, also: str = '$^') -> dict[str, str]:
    """Path -> digest of what each file holds; of a checkpoint, what a training goes on from, bit for bit.

    Args:
        root: Folder.
        also: Pattern of further paths to leave out.
    """
    paths = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob('*')) if path.is_file()}
    return {
        name: _checkpoint(path) if path.suffix == '.pth' else hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in paths.items()
        if not re.search(f'{NO_RESULT}|{also}', name)
    }


def differences(got: dict[str, str], expected: dict[str, str]) -> list[str]:
    """In words, how two snapshots differ."""
    return [
        *(f'lacks {name}' for name in sorted(expected.keys() - got.keys())),
        *(f'has {name} too' for name in sorted(got.keys() - expected.keys())),
        *(f'differs in {name}' for name in sorted(expected.keys() & got.keys()) if got[name] != expected[name]),
    ]


def _checkpoint(path: Path) -> str:
    loaded = CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
    digest = hashlib.sha256()
    _add(digest, {key: value for key, value in loaded.items() if key not in ('meta', 'message_hub')})
    _add(digest, {key: loaded.get('meta', {}).get(key) for key in ('epoch', 'iter')})
    return digest.hexdigest()


def _add(digest, value) -> None:
    if isinstance(value, torch.Tensor):
        value = value.numpy()
    if isinstance(value, dict):
        for key, inner in value.items():
            digest.update(repr(key).encode())
            _add(digest, inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _add(digest, inner)
    elif isinstance(value, np.ndarray):
        digest.update(f'{value.dtype} {value.shape}'.encode() + value.tobytes())
    else:
        digest.update(repr(value).encode())
