"""Identity of trained models in a pair folder: what they are, not the files they came from.

It is their canonical settings and a hash of their tensors. The settings are written out and not hashed as well, so that
a folder made by other ones can say which: `generator.settings.fraction_guidance is 1 there and 0.5 here`.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from .settings import has_settings, read_settings, sampler_settings


def describe_model(model: nn.Module, config: Config | None = None) -> dict:
    """The identity of a trained model in a pair folder, the same from a checkpoint as from an exported folder.

    Args:
        model: As loaded, on the CPU, before anything else is done with it.
        config: Of the model; tells the settings of one that cannot be exported.

    Returns:
        JSON-like: `type`, its class; `settings`, the arguments it was built with, defaults included where the model
        can be exported and as the config has them where not; `tensors_sha256` of its weights; and `sampler`, if it
        has one.
    """
    sampler = getattr(model, 'sampler', None)
    settings = dict(read_settings(model) if has_settings(model) else config.model)
    for key in ('type', 'sampler'):
        settings.pop(key, None)
    described = dict(type=type(model).__name__, settings=canonical(settings), tensors_sha256=tensors_sha256(model))
    return described if sampler is None else dict(described, sampler=canonical(sampler_settings(sampler)))


def tensors_sha256(model: nn.Module) -> str:
    """SHA-256 of the weights and buffers of a model: names, dtypes, shapes and values, in the order of the names.

    Args:
        model: On any device.

    Returns:
        Hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}\n'.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def canonical(value: Any) -> Any:
    """Settings in the one form that they have in a JSON file, however they were written.

    Args:
        value: Nested dicts, lists, tuples, numbers, texts, classes.

    Returns:
        Dicts with sorted keys, lists, numbers (whole ones as int: 1.0 and 1 are one setting), texts.
    """
    if isinstance(value, Mapping):
        return {str(key): canonical(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return f'{value.__module__}.{value.__qualname__}' if isinstance(value, type) else str(value)
