"""Trained generators as folders of safetensors and JSON, in the layout of diffusers."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file

from ..files import TEMPORARY, file_sha256, write_atomically
from ..version import __version__
from .cascade import PairCascade
from .model_card import CARD_FILE, GeneratorCard, parse_card
from .model_settings import build_from_settings, read_settings
from .pair_diffusion import PairDiffusion
from .pf_diffseg import PFDiffSeg
from .samplers import resolve_sampler
from .super_resolution import PairSuperResolution

FORMAT_VERSION = 1
INDEX_FILE = 'model_index.json'
CONFIG_FILE = 'config.json'
# As diffusers names them.
WEIGHTS_FILE = 'unet/diffusion_pytorch_model.safetensors'
UNET_FILE = 'unet/config.json'
SCHEDULE_FILE = 'scheduler/scheduler_config.json'
PARTS = dict(generator=PFDiffSeg, super_resolution=PairSuperResolution)


class PretrainedParts(NamedTuple):
    """What a folder holds.

    Attributes:
        generator: The generator.
        super_resolution: The super-resolution model, or None.
        card: Classes, fractions of the training tiles, data and licence.
    """

    generator: PFDiffSeg
    super_resolution: PairSuperResolution | None
    card: GeneratorCard


def save_cascade(cascade: PairCascade, folder: str | Path, card: GeneratorCard) -> None:
    """Writes a folder from which :func:`load_cascade` makes an equal cascade.

    Layout::

        model_index.json                                    format version, class of each part
        README.md  card.json                                the model card, for people and for programs
        generator/config.json                               constructor arguments, sampler included
        generator/unet/{config.json,diffusion_pytorch_model.safetensors}
        generator/scheduler/scheduler_config.json           the training noise schedule
        super_resolution/...                                the same, where there is one

    The folder appears under its name when it is whole.

    Args:
        cascade: What to write. Device, precision and `exact` are the reader's choice and are not written.
        folder: Where to; missing or empty.
        card: What to tell of it.

    Raises:
        FileExistsError: The folder holds something.
        ValueError: The card does not fit, or a model has weights outside its U-Net.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f'{folder} exists and is not an empty folder. Give another one.')
    parts = {name: getattr(cascade, name) for name in PARTS}
    staging = folder.absolute().with_name(f'.{folder.absolute().name}{TEMPORARY}')
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        card.write(staging, **parts)
        for name, model in parts.items():
            if model is not None:
                _save_part(model, staging / name)
        classes = {name: None if model is None else type(model).__name__ for name, model in parts.items()}
        index = dict(
            _class_name='PairCascade',
            format_version=FORMAT_VERSION,
            mmseg_pfdiff_version=__version__,
            # diffusers writes library and class of each part.
            **{name: ['mmseg_pfdiff' if found else None, found] for name, found in classes.items()},
        )
        _write_json(staging / INDEX_FILE, index)
        os.replace(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def load_cascade(folder: str | Path, device: str = 'cpu', **options) -> PairCascade:
    """The cascade of a folder.

    Args:
        folder: Written by :func:`save_cascade`.
        device: Where to run.
        **options: Of :class:`PairCascade`: `exact`, `half`, `channels_last`, `compile`.

    Returns:
        The cascade; its `card` is the folder's :class:`GeneratorCard`.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: Another format, classes that are not allowed, or files that do not fit each other.
    """
    parts = load_parts(folder)
    cascade = PairCascade(parts.generator, parts.super_resolution, device, **options)
    cascade.card = parts.card
    return cascade


def load_parts(folder: str | Path, sampler: str | None = None, steps: int | None = None) -> PretrainedParts:
    """The models of a folder. Nothing in it is run: weights are safetensors, classes are looked up in a list of ours.

    Args:
        folder: Written by :func:`save_cascade`.
        sampler: Short name of a sampler in place of the folder's.
        steps: Number of steps in place of the sampler's.

    Returns:
        Models, on the CPU, and card.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: Another format, classes that are not allowed, or files that do not fit each other.
    """
    folder = Path(folder)
    index = _read_json(folder / INDEX_FILE)
    found = index.get('format_version')
    if index.get('_class_name') != 'PairCascade' or found != FORMAT_VERSION:
        raise ValueError(
            f'{folder / INDEX_FILE} describes a {index.get("_class_name")!r} of format version {found!r}; this version '
            f"of mmseg_pfdiff ({__version__}) reads a 'PairCascade' of format version {FORMAT_VERSION}."
        )
    models = {}
    for name, expected in PARTS.items():
        named = (index.get(name) or [None, None])[-1]
        if named is None and name == 'super_resolution':
            models[name] = None
            continue
        if named != expected.__name__:
            raise ValueError(f'{folder / INDEX_FILE}: {name} must be a {expected.__name__}, got {named!r}.')
        models[name] = _load_part(folder / name, expected, sampler, steps)
    try:
        card = parse_card(_read_json(folder / CARD_FILE), models['generator'])
    except ValueError as error:
        raise ValueError(f'{folder / CARD_FILE}: {error}') from error
    return PretrainedParts(**models, card=card)


def describe_folder_part(folder: Path, model: PairDiffusion) -> dict:
    """What identifies a part of a folder in a pair folder, as `describe_part` does for a config and a checkpoint.

    Args:
        folder: Of the part.
        model: The part as loaded.

    Returns:
        JSON-like: class, SHA-256 of settings and weights, sampler in use.
    """
    settings = read_settings(model)
    return dict(
        type=settings['type'],
        config_sha256=file_sha256(folder / CONFIG_FILE),
        weights_sha256=file_sha256(folder / WEIGHTS_FILE),
        sampler=settings['sampler'],
    )


def _save_part(model: PairDiffusion, folder: Path) -> None:
    strays = [name for name in model.state_dict() if not name.startswith('unet.net.')]
    if strays:
        raise ValueError(f'{type(model).__name__} has weights outside its U-Net, which would be lost: {strays[:5]}.')
    _write_json(folder / CONFIG_FILE, read_settings(model))
    model.training_schedule.save_pretrained(folder / 'scheduler')
    # One file whatever its size: two would need an index.
    model.unet.net.save_pretrained(folder / 'unet', max_shard_size='1TB')
    # safetensors makes its file readable by its owner alone.
    (folder / WEIGHTS_FILE).chmod((folder / UNET_FILE).stat().st_mode)


def _load_part(folder: Path, kind: type[PairDiffusion], sampler: str | None, steps: int | None) -> PairDiffusion:
    settings = _read_json(folder / CONFIG_FILE)
    if settings.get('type') != kind.__name__:
        raise ValueError(f'{folder / CONFIG_FILE} must be of a {kind.__name__}, got {settings.get("type")!r}.')
    try:
        settings['sampler'] = resolve_sampler(settings['sampler'], sampler, steps)
        model = build_from_settings(settings)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{folder / CONFIG_FILE}: {error}') from error
    _check_agreement(folder / UNET_FILE, model.unet.net.config, type(model.unet.net).__name__)
    _check_agreement(folder / SCHEDULE_FILE, model.training_schedule.config, type(model.training_schedule).__name__)
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise FileNotFoundError(_missing(path))
    try:
        model.unet.net.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(
            f'{path} is damaged, or does not fit the network of {folder / CONFIG_FILE}: {str(error)[:400]}'
        ) from error
    return model.eval()


def _check_agreement(path: Path, built: Mapping[str, Any], class_name: str) -> None:
    """What diffusers would build from a folder must be what our constructor built."""
    written = _read_json(path)
    built = json.loads(json.dumps({key: value for key, value in built.items() if not key.startswith('_')}))
    # Versions of diffusers may know different arguments; those both know decide.
    differing = [key for key in sorted(built.keys() & written.keys()) if built[key] != written[key]]
    if written.get('_class_name') != class_name or differing:
        raise ValueError(
            f'{path} does not agree with the {CONFIG_FILE} beside it ({", ".join(differing) or "another class"}): one '
            'of them was changed. Export the generator anew.'
        )


def _write_json(path: Path, content: Mapping) -> None:
    write_atomically(path, json.dumps(content, indent=2).encode())


def _read_json(path: Path) -> dict:
    """A JSON object; the error says what folder was meant."""
    if not path.is_file():
        raise FileNotFoundError(_missing(path))
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f'{path} is no JSON: {error}.') from error
    if not isinstance(content, dict):
        raise ValueError(f'{path} must hold a JSON object, got a {type(content).__name__}.')
    return content


def _missing(path: Path) -> str:
    return (
        f'{path} is missing: this is no complete folder of a trained generator. Give one that '
        'tools/export_generator.py wrote, or export it anew.'
    )
