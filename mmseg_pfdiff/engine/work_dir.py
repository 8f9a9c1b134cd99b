"""Files of trainings in a work directory: which one to go on from, which ones are in the way."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..checkpoints.safe_loading import load_from_file
from ..files import TEMPORARY, write_atomically
from .resume import check_same_run

MARK = 'last_checkpoint'
TEMPLATES = ('epoch_{}.pth', 'iter_{}.pth')


def checkpoint_folder(work_dir: str | os.PathLike, out_dir: str | os.PathLike | None = None) -> Path:
    """Where the checkpoints of a training lie.

    Args:
        work_dir: Of the training.
        out_dir: Of its checkpoint hook: a folder that has one of the work directory's name in it.

    Returns:
        The folder.
    """
    if out_dir is None or Path(out_dir) == Path(work_dir):
        return Path(work_dir)
    return Path(out_dir, Path(work_dir).absolute().name)


def folders_of(config: Mapping) -> tuple[Path, Path]:
    """The work directory of a config, and the folder of its checkpoints."""
    return Path(config['work_dir']), checkpoint_folder(config['work_dir'], _hook(config).get('out_dir'))


def checkpoint_files(config: Mapping, *, best: bool = True) -> list[Path]:
    """Files of checkpoints that trainings have left, the newest first.

    Args:
        config: Has `work_dir`.
        best: The best and the published weights, too, which training cannot go on from.

    Returns:
        Paths, by falling number of epoch or iteration.
    """
    files = []
    for template in {*TEMPLATES, _hook(config).get('filename_tmpl') or TEMPLATES[0]}:
        numbers = {path: checkpoint_number(path.name, template, best=best) for path in folders_of(config)[1].glob('*')}
        files += [(number, path) for path, number in numbers.items() if number is not None and path.is_file()]
    return [path for _, path in sorted(files, reverse=True)]


def checkpoint_number(name: str, template: str, *, best: bool = True) -> int | None:
    """The epoch or iteration in the name of a checkpoint.

    Args:
        name: Of a file.
        template: What checkpoints are named by; `{}` stands for the number.
        best: Take the names of the best and the published weights, too.

    Returns:
        The number; None for another file.
    """
    stem, suffix = (re.escape(part).replace(re.escape('{}'), r'(\d+)') for part in os.path.splitext(template))
    match = re.fullmatch(f'(?:best_.+_)?{stem}(?:-[0-9a-f]{{8}})?{suffix}' if best else stem + suffix, name)
    return int(match[1]) if match else None


def _hook(config: Mapping) -> Mapping:
    """Settings of the checkpoint hook."""
    return (config.get('default_hooks') or {}).get('checkpoint') or {}


def checkpoint_to_resume(config: Mapping) -> Path | None:
    """The checkpoint that training goes on from: the one that `last_checkpoint` names, else the newest whole one.

    It is looked up by its name: the work directory may be a copy, or have been moved, and what lies elsewhere is not
    gone on from.

    Args:
        config: Has `work_dir`.

    Returns:
        A whole checkpoint with the state of the optimizer; None if there is none at all.

    Raises:
        ValueError: There are checkpoints, but not one to go on from.
    """
    work_dir, folder = folders_of(config)
    mark = work_dir / MARK
    named = folder / Path(mark.read_text(errors='replace').strip()).name if mark.is_file() else None
    paths = checkpoint_files(config, best=False)
    problems = []
    for path in sorted(paths, key=lambda path: path != named):
        problem = what_is_missing(path)
        if problem is None:
            return path
        problems.append(problem)
        print(f'Passed over: {problem}')
    if problems or checkpoint_files(config):
        left = problems[0] if problems else f'{checkpoint_files(config)[0]} holds weights alone'
        raise ValueError(
            f'{folder} holds no checkpoint that training can go on from: {left}. Start in another --work-dir, or with '
            '--overwrite in this one, which removes what is left of the old training.'
        )
    return None


def what_is_missing(path: Path) -> str | None:
    """Why training cannot go on from a checkpoint; None if it can."""
    try:
        checkpoint = load_from_file(path, map_location='cpu', mmap=True)
    except ValueError as error:
        return str(error)
    held = checkpoint if isinstance(checkpoint, dict) else {}
    missing = [key for key in ('state_dict', 'optimizer', 'message_hub', 'meta') if not isinstance(held.get(key), dict)]
    missing = missing or [f'meta.{key}' for key in ('epoch', 'iter') if not isinstance(held['meta'].get(key), int)]
    return f'{path} has no {" and no ".join(missing)}' if missing else None


def prepare_work_dir(config: Mapping, *, resume: bool, overwrite: bool) -> None:
    """Clears what interruptions have left in a work directory, and sees that no training is written over another.

    Args:
        config: Has `work_dir`.
        resume: Training is to go on.
        overwrite: Checkpoints there are to be removed.

    Raises:
        ValueError: A training is there that is neither to go on nor to be removed, or that cannot go on.
    """
    work_dir, folder = folders_of(config)
    for pattern in (f'.*.*{TEMPORARY}', '*.pth.tmp'):
        for path in {*work_dir.glob(pattern), *folder.glob(pattern)}:
            path.unlink()
    old = checkpoint_files(config)
    if overwrite:
        for path in [work_dir / MARK, *old, *work_dir.glob('pairs/epoch_*.png')]:
            path.unlink(missing_ok=True)
    elif resume:
        path = checkpoint_to_resume(config)
        if path is None:
            print(f'There is no checkpoint in {folder}: training starts from the beginning.')
        else:
            check_same_run(config, load_from_file(path, map_location='cpu', mmap=True)['meta'])
            name_checkpoint(work_dir, path)
    elif old:
        raise ValueError(
            f'{folder} holds the checkpoints of a training ({old[0].name}). Give --resume to go on with it, another '
            '--work-dir, or --overwrite to remove them first.'
        )


@contextmanager
def failures_named(work_dir: str | os.PathLike) -> Iterator[None]:
    """Has a write that failed, of a file that the error does not tell, be told with the work directory.

    Args:
        work_dir: Where all is written in the block.

    Raises:
        OSError: A write failed.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(work_dir)) from error


def name_checkpoint(work_dir: Path, path: Path) -> None:
    """Has `last_checkpoint` name a checkpoint, as other programs look for it: by its absolute path."""
    mark = work_dir / MARK
    if not mark.is_file() or mark.read_bytes() != str(path.absolute()).encode():
        write_atomically(mark, str(path.absolute()).encode())


def describe_result(config: Mapping) -> str:
    """Where the result of a training lies.

    Args:
        config: Has `work_dir`.

    Returns:
        A line or two.
    """
    mark, folder = folders_of(config)[0] / MARK, folders_of(config)[1]
    if not mark.is_file():
        return f'Done, without a checkpoint in {folder}.'
    lines = [f'Done. The last checkpoint is {folder / Path(mark.read_text()).name}']
    lines += [f'The best one is {path}' for path in checkpoint_files(config) if path.name.startswith('best_')]
    return '\n'.join(lines)
