"""Writing trained generators to folders of safetensors and JSON, in the layout of diffusers."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file

from ..files import TEMPORARY
from ..folder_lock import locked_folder
from ..json_files import write_json
from ..models.cascade import PairCascade
from ..models.diffusion.base import PairDiffusion
from ..models.gan.painter import PairPainter
from ..requests.base import RequestSource
from ..version import __version__
from .card import GeneratorCard
from .limits import check_settings
from .load import (
    CONFIG_FILE,
    FORMAT_VERSION,
    INDEX_FILE,
    MODEL_KINDS,
    PAINTER_FILE,
    UNET_FILE,
    WEIGHTS_FILE,
    Model,
    load_models,
)
from .settings import read_settings
from .weights import drawing_weights, tensors_sha256


def save_cascade(cascade: PairCascade, folder: str | Path, card: GeneratorCard) -> None:
    """Writes a folder from which :func:`~mmseg_pfdiff.checkpoints.load_cascade` makes an equal cascade.

    Layout::

        model_index.json                                    format version, class of each part
        README.md  card.json                                the model card, for people and for programs
        generator/config.json                               constructor arguments, sampler included
        generator/unet/{config.json,diffusion_pytorch_model.safetensors}
        generator/scheduler/scheduler_config.json           the training noise schedule
        super_resolution/...                                the same, where there is one; of a painter:
        super_resolution/{config.json,painter.safetensors}

    The folder appears under its name when it is whole and was read back.

    Args:
        cascade: What to write. Device, precision and `exact` are the reader's choice and are not written.
        folder: Where to; missing or empty.
        card: What the folder says of it.

    Raises:
        FileExistsError: The folder holds something.
        FolderInUseError: Another process writes it.
        OSError: Disk full, or no permission; it names the file. Nothing is left.
        ValueError: The card does not fit, or a model that cannot be written.
    """
    with locked_folder(folder):
        write_cascade(cascade, folder, card)


def write_cascade(cascade: PairCascade, folder: str | Path, card: GeneratorCard) -> None:
    """Does what :func:`save_cascade` does, for one who holds the folder's lock.

    Args:
        cascade: What to write.
        folder: Where to; missing or empty.
        card: What the folder says of it.

    Raises:
        FileExistsError: The folder holds something.
        OSError: Disk full, or no permission.
        ValueError: The card does not fit, or a model that cannot be written.
    """
    check_new_folder(folder)
    folder = Path(folder).resolve()
    _clear_leftovers(folder)
    staging = folder.with_name(f'.{folder.name}.{os.getpid()}{TEMPORARY}')
    try:
        with _naming_files(staging, folder):
            _write(cascade, staging, card)
            _flush(staging)
        os.replace(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_new_folder(folder: str | Path) -> None:
    """Refuses a folder that holds something.

    Args:
        folder: Where something new shall stand.

    Raises:
        FileExistsError: A file or a folder with something in it stands there.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f'{folder} exists and is not an empty folder. Give another one.')


def check_exportable(card: GeneratorCard, requests: RequestSource) -> None:
    """Refuses a source of fractions that a folder cannot hold.

    Args:
        card: The generator's.
        requests: The generator's own source.

    Raises:
        ValueError: The reader of the card would have another source.
    """
    kind = card.source_settings()['type']
    if requests.describe().get('type') != kind:
        raise ValueError(
            'An exported folder draws fractions with a FractionSampler, or for a target_mean with a FractionPlanner; '
            f'this config has a {type(requests).__name__}, which its reader would not have. Change the '
            'fraction_sampler of the config.'
        )


def _write(cascade: PairCascade, folder: Path, card: GeneratorCard) -> None:
    """Writes all files, and reads them back: what is passed on can be opened."""
    parts = {name: getattr(cascade, name) for name in MODEL_KINDS}
    folder.mkdir(parents=True)
    card.write(folder, **parts)
    for name, model in parts.items():
        if model is not None:
            _write_part(model, folder / name)
    classes = {name: None if model is None else type(model).__name__ for name, model in parts.items()}
    index = dict(
        _class_name='PairCascade',
        format_version=FORMAT_VERSION,
        mmseg_pfdiff_version=__version__,
        # diffusers writes library and class of each part.
        **{name: ['mmseg_pfdiff' if kind else None, kind] for name, kind in classes.items()},
    )
    write_json(folder / INDEX_FILE, index)
    again, _ = load_models(folder)
    for name, model in parts.items():
        if model is not None and _sha256(model) != _sha256(again[name]):
            raise OSError(f'The weights in {folder / name} were read back with other values. Check the disk.')


def _sha256(model: Model) -> str:
    return tensors_sha256(drawing_weights(model))


def _write_part(model: Model, folder: Path) -> None:
    settings = json.loads(json.dumps(read_settings(model)))
    check_settings(settings)
    write_json(folder / CONFIG_FILE, settings)
    (_write_painter if isinstance(model, PairPainter) else _write_diffusion)(model, folder)


def _write_painter(model: PairPainter, folder: Path) -> None:
    weights = {name: value.contiguous() for name, value in drawing_weights(model).items()}
    path = folder / PAINTER_FILE
    try:
        save_file(weights, path, metadata=dict(format='pt'))
    except SafetensorError as error:
        raise _as_os_error(error, path) from error
    path.chmod((folder / CONFIG_FILE).stat().st_mode)


def _write_diffusion(model: PairDiffusion, folder: Path) -> None:
    strays = [name for name in model.state_dict() if not name.startswith('unet.net.')]
    if strays:
        raise ValueError(f'{type(model).__name__} has weights outside its U-Net, which would be lost: {strays[:5]}.')
    model.training_schedule.save_pretrained(folder / 'scheduler')
    try:
        # One file whatever its size: two would need an index.
        model.unet.net.save_pretrained(folder / 'unet', max_shard_size='1TB')
    except SafetensorError as error:
        raise _as_os_error(error, folder / WEIGHTS_FILE) from error
    # safetensors makes its file readable by its owner alone.
    (folder / WEIGHTS_FILE).chmod((folder / UNET_FILE).stat().st_mode)


def _as_os_error(error: SafetensorError, path: Path) -> Exception:
    """The error of safetensors over a file that it could not write, as Python would raise it."""
    number = re.search(r'os error (\d+)', str(error))
    if number is None:
        return ValueError(f'{path} cannot be written: {error}')
    return OSError(int(number[1]), os.strerror(int(number[1])), str(path))


def _clear_leftovers(folder: Path) -> None:
    """Removes what killed exports to the same folder left; its lock is held, so none of them lives."""
    pattern = re.compile(rf'\.{re.escape(folder.name)}\.\d+{re.escape(TEMPORARY)}')
    for path in folder.parent.glob(f'.*{TEMPORARY}'):
        if pattern.fullmatch(path.name) and path.is_dir():
            shutil.rmtree(path)


@contextmanager
def _naming_files(staging: Path, folder: Path) -> Iterator[None]:
    """Errors of writing name a file, by the name it would have had; diffusers names none."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        name = str(error.filename or folder).replace(str(staging), str(folder))
        raise OSError(error.errno, error.strerror, name) from error


def _flush(folder: Path) -> None:
    """Waits until everything in a folder is on the disk, so that no crash of the machine leaves it half empty."""
    for path in (folder, *folder.rglob('*')):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
