"""Reading trained generators from folders of safetensors and JSON, which may come from a stranger."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..json_files import read_json_object
from ..models.cascade import PairCascade
from ..models.diffusion.base import PairDiffusion
from ..models.diffusion.pf_diffseg import PFDiffSeg
from ..models.diffusion.samplers import check_sampler, resolve_sampler
from ..models.diffusion.super_resolution import PairSuperResolution
from ..models.diffusion.unet import unets_without_memory
from ..models.enlarger import PairEnlarger
from ..models.gan.mask_painter import MaskPainter
from ..models.gan.painter import PairPainter
from ..texts import short
from ..version import __version__
from .card import CARD_FILE, GeneratorCard, parse_card
from .limits import UNFIT, check_settings, one_line
from .options import settings_with_options
from .settings import MODEL_CLASSES, build_from_settings
from .weights import check_finite, drawing_weights

FORMAT_VERSION = 1
INDEX_FILE = 'model_index.json'
CONFIG_FILE = 'config.json'
# As diffusers names them.
WEIGHTS_FILE = 'unet/diffusion_pytorch_model.safetensors'
UNET_FILE = 'unet/config.json'
SCHEDULE_FILE = 'scheduler/scheduler_config.json'
PAINTER_FILE = 'painter.safetensors'
MODEL_KINDS = dict(generator=(PFDiffSeg,), super_resolution=(PairSuperResolution, PairPainter, MaskPainter))
Model = PairDiffusion | PairEnlarger


def load_cascade(folder: str | Path, *, device: str = 'cpu', **options) -> PairCascade:
    """The cascade of a folder.

    Args:
        folder: Written by :func:`~mmseg_pfdiff.checkpoints.save_cascade`.
        device: Where to run.
        **options: Of :class:`PairCascade`: `exact`, `half`, `channels_last`, `compile`.

    Returns:
        The cascade.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: Another format, classes that are not allowed, or files that do not fit each other.
    """
    models, _ = load_models(folder)
    return PairCascade(**models, device=device, **options)


def load_models(
    folder: str | Path,
    *,
    sampler: str | None = None,
    steps: int | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[dict[str, Model | None], GeneratorCard]:
    """The models of a folder. Nothing in it is run: weights are safetensors, classes are looked up in a list of ours.

    What the files say is checked against :mod:`.limits` before anything is built, and networks get memory only where
    weights of their shapes are there.

    Args:
        folder: Written by :func:`~mmseg_pfdiff.checkpoints.save_cascade`.
        sampler: Short name of a sampler in place of the folder's.
        steps: Number of steps in place of the sampler's.
        options: For each of :data:`MODEL_KINDS` settings over its own, by dotted key, such as `sampler.steps`.

    Returns:
        The models of :data:`MODEL_KINDS`, on the CPU, and the card; None where there is no super-resolution model.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: Another format, absurd numbers, classes that are not allowed, files that do not fit each other, or
            options for what the folder does not hold. One line, which names the file.
    """
    folder = Path(folder)
    index = _read(folder / INDEX_FILE)
    version = index.get('format_version')
    if index.get('_class_name') != 'PairCascade' or type(version) is not int or version != FORMAT_VERSION:
        raise ValueError(
            f'{folder / INDEX_FILE} describes a {short(index.get("_class_name"))} of format version {short(version)}; '
            f"this version of mmseg_pfdiff ({__version__}) reads a 'PairCascade' of format version {FORMAT_VERSION}."
        )
    models = dict.fromkeys(MODEL_KINDS)
    for name in MODEL_KINDS:
        changes = (options or {}).get(name, {})
        kind = _class_name(folder, index, name)
        if kind is not None:
            models[name] = _load_part(folder / name, kind, sampler, steps, changes)
        elif changes:
            raise ValueError(f'Options {", ".join(changes)}: {folder} holds no {name} model that they could change.')
    with _naming(folder / CARD_FILE):
        card = parse_card(_read(folder / CARD_FILE), models['generator'])
    return models, card


def _class_name(folder: Path, index: Mapping, name: str) -> str | None:
    """The class of a part as the index names it; None for a super-resolution model that is not there."""
    entry = index.get(name)
    if name == 'super_resolution' and entry in (None, [None, None]):
        return None
    allowed = [kind.__name__ for kind in MODEL_KINDS[name]]
    if entry not in [['mmseg_pfdiff', kind] for kind in allowed]:
        raise ValueError(
            f'{folder / INDEX_FILE}: {name} must be a {" or a ".join(allowed)} of mmseg_pfdiff, got {short(entry)}.'
        )
    return entry[1]


class _Uninitialised(TorchFunctionMode):
    """Leaves out the first values of weights that have no memory: half of the time that building these takes."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        # That is how the functions of torch.nn.init hand themselves over, and what they return.
        if getattr(func, '__module__', None) == nn.init.__name__ and kwargs['tensor'].is_meta:
            return kwargs['tensor']
        return func(*args, **kwargs)


def _load_part(folder: Path, kind: str, sampler: str | None, steps: int | None, options: Mapping) -> Model:
    path = folder / CONFIG_FILE
    settings = _read(path)
    if settings.get('type') != kind:
        raise ValueError(f'{path} must be of a {kind}, got {short(settings.get("type"))}.')
    with _naming(path):
        check_settings(settings)
    changes = f' with the options {", ".join(f"{key}={value}" for key, value in options.items())}' if options else ''
    with _naming(path, changes):
        settings = settings_with_options(settings, options)
        if 'sampler' in settings:
            settings['sampler'] = resolve_sampler(settings['sampler'], sampler, steps)
        check_settings(settings)
    if issubclass(MODEL_CLASSES[kind], PairPainter):
        return _load_painter(folder, settings, changes)
    return _load_diffusion(folder, settings, changes)


def _load_diffusion(folder: Path, settings: Mapping, changes: str) -> PairDiffusion:
    path = folder / CONFIG_FILE
    with _naming(path, changes):
        with unets_without_memory(), _Uninitialised():
            model = build_from_settings(settings)
        check_sampler(model.sampler, model.training_schedule)
        model.unet.check_sides(model.data_preprocessor.size)
    net, schedule = model.unet.net, model.training_schedule
    _check_agreement(folder / UNET_FILE, net.config, type(net).__name__, changes)
    _check_agreement(folder / SCHEDULE_FILE, schedule.config, type(schedule).__name__, changes)
    _load_weights(net, _read_weights(folder / WEIGHTS_FILE), folder / WEIGHTS_FILE, path)
    return model.eval()


def _load_painter(folder: Path, settings: Mapping, changes: str) -> PairPainter:
    path, file = folder / CONFIG_FILE, folder / PAINTER_FILE
    # The network of a painter takes no more memory than the file of its weights: first on the meta device.
    state = _read_weights(file)
    with _naming(path, changes), torch.device('meta'), _Uninitialised():
        needed = {name: value.shape for name, value in drawing_weights(build_from_settings(settings)).items()}
    if needed != {name: value.shape for name, value in state.items()}:
        raise ValueError(f'{file} is damaged, or does not fit the network of {path}.')
    with _naming(path, changes):
        model = build_from_settings(settings)
    for name in {key.split('.')[0] for key in state}:
        part = {key.removeprefix(f'{name}.'): value for key, value in state.items() if key.startswith(f'{name}.')}
        _load_weights(getattr(model, name), part, file, path)
    return model.eval()


def _read_weights(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise FileNotFoundError(_missing(path))
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f'{path} is damaged: {one_line(error)}') from error


def _load_weights(net: nn.Module, state: Mapping[str, Tensor], path: Path, config_path: Path) -> None:
    """Gives a network its weights in place of those that it has, which may be without memory."""
    try:
        net.load_state_dict(state, assign=True)
    except UNFIT as error:
        raise ValueError(
            f'{path} is damaged, or does not fit the network of {config_path}: {one_line(error)}'
        ) from error
    for name, weights in (*net.named_parameters(), *net.named_buffers()):
        if not weights.is_floating_point():
            raise ValueError(f'{path}: {name} must be floating-point numbers, got {weights.dtype}.')
        # A copy: tensors lie unaligned in the file, for which kernels may round differently.
        weights.data = weights.data.to(torch.float32, copy=True)
    check_finite(net.state_dict(), path)


def _check_agreement(path: Path, built: Mapping[str, Any], class_name: str, changes: str) -> None:
    """Refuses a folder of which diffusers would build something else than our constructor did."""
    written = _read(path)
    built = json.loads(json.dumps({key: value for key, value in built.items() if not key.startswith('_')}))
    # Versions of diffusers may know different arguments; those both know decide.
    differing = [key for key in sorted(built.keys() & written.keys()) if built[key] != written[key]]
    if written.get('_class_name') != class_name or differing:
        raise ValueError(
            f'{path} does not agree with the {CONFIG_FILE} beside it{changes} '
            f'({", ".join(differing) or "another class"}): one of them was changed, and the weights fit one only. '
            'Leave it as it was, or export the generator anew.'
        )


@contextmanager
def _naming(path: Path, changes: str = '') -> Iterator[None]:
    """Errors over the content of a file name it, in one line."""
    try:
        yield
    except FileNotFoundError:
        raise
    except UNFIT as error:
        raise ValueError(f'{path}{changes}: {one_line(error)}') from error


def _read(path: Path) -> dict:
    """A JSON object; the error says what folder was meant."""
    if not path.is_file():
        raise FileNotFoundError(_missing(path))
    return read_json_object(path)


def _missing(path: Path) -> str:
    return (
        f'{path} is missing: this is no complete folder of a trained generator. Give one that '
        'tools/export_generator.py wrote, or export it anew.'
    )
