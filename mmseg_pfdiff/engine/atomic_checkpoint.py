"""AtomicCheckpointHook: a whole checkpoint stands on disk whenever training is killed."""

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from ..files import write_atomically
from .work_dir import MARK, checkpoint_folder, checkpoint_number


class AtomicLocalBackend(LocalBackend):
    """A local file backend that writes to a temporary name and renames."""

    def put(self, obj: bytes | memoryview, filepath: str) -> None:
        """Writes a file; a reader sees the old one or the whole new one.

        Args:
            obj: Content.
            filepath: Path.

        Raises:
            OSError: Disk full, or no permission; it names the file. What stood there stays.
        """
        write_atomically(filepath, obj)


register_backend('atomic_local', AtomicLocalBackend, force=True)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """`CheckpointHook` that writes atomically, and removes old checkpoints only once the new one is whole.

    mmengine's own removes first and writes in place: killed in between, it leaves no checkpoint, or half of one. It
    also removes whatever file the checkpoint it resumed from names as the best one so far, wherever that lies; here
    files are known by their names in the folder of the checkpoints, so that a copied work directory leaves the
    original alone, and one that was moved goes on with its own.

    Args:
        **kwargs: Of `mmengine.hooks.CheckpointHook`.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self._outdated: list[str | None] = []  # files to be removed once the next checkpoint is whole

    def before_train(self, runner: Runner) -> None:
        """Puts the atomic backend in place, and finds the files of the training that is resumed."""
        local = self.file_client_args is None and '://' not in str(self.out_dir or '')
        if local and self.backend_args is None:
            self.backend_args = dict(backend='atomic_local')
        if local:
            self._find_files(runner)
        super().before_train(runner)
        # The removals in mmengine's part of the hook go through its file backend, as an attribute of this object alone.
        self._remove, self.file_backend.remove = self.file_backend.remove, self._outdated.append
        self._remove_outdated()

    def _find_files(self, runner: Runner) -> None:
        """Has the files that a checkpoint names be those of these names in the folder of this training."""
        hub, folder = runner.message_hub, checkpoint_folder(runner.work_dir, self.out_dir)
        info = dict(hub.runtime_info)
        for name in [name for name in info if name == 'last_ckpt' or name.startswith('best_ckpt')]:
            hub.update_info(name, self._checkpoint_inside(folder, info[name]))
        if 'keep_ckpt_ids' in info:
            hub.update_info('keep_ckpt_ids', [number for number in info['keep_ckpt_ids'] if isinstance(number, int)])
        # A training that is killed between the writing and the removing leaves files that are superseded.
        self.last_ckpt = self._checkpoint_inside(folder, info.get('last_ckpt'))
        self._outdated = [self._checkpoint_inside(folder, name) for name in info.get('outdated_ckpts', [])]
        for best in [hub.get_info(name) for name in info if name.startswith('best_ckpt')]:
            self._outdated += numbered_siblings(best) if best else []

    def _checkpoint_inside(self, folder: Path, path: object) -> str | None:
        """The checkpoint in a folder that has the name of another path; None if there is none."""
        inside = folder / os.path.basename(str(path or ''))
        known = checkpoint_number(inside.name, self.filename_tmpl) is not None
        return str(inside) if known and inside.is_file() else None

    def best_paths(self) -> list[str]:
        """The files of the best weights."""
        paths = [getattr(self, 'best_ckpt_path', None), *getattr(self, 'best_ckpt_path_dict', {}).values()]
        return [path for path in paths if path]

    def _remove_outdated(self) -> None:
        """Removes what the last checkpoint on disk supersedes."""
        current = {self.last_ckpt, *self.best_paths()}
        for path in self._outdated:
            if is_main_process() and path and path not in current and self.file_backend.isfile(path):
                self._remove(path)
        self._outdated.clear()

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        with interruption_later():
            super()._save_best_checkpoint(runner, metrics)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        with interruption_later():
            self._save(runner, step, meta)

    def _save(self, runner: Runner, step: int, meta: dict) -> None:
        """Writes a checkpoint, then the note which one it is; then removes what it supersedes."""
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                oldest = self.filename_tmpl.format(self.keep_ckpt_ids.popleft())
                self._outdated.append(self.file_backend.join_path(self.out_dir, oldest))
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        # For the next start, if this one is killed between the writing and the removing.
        runner.message_hub.update_info('outdated_ckpts', [os.path.basename(path) for path in self._outdated])
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            write_atomically(os.path.join(runner.work_dir, MARK), self.last_ckpt.encode())
        self._remove_outdated()


@contextmanager
def interruption_later() -> Iterator[None]:
    """Has Ctrl-C wait for the end of the block. torch, stopped within writing, would end the process by a crash."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting = []
    signal.signal(signal.SIGINT, lambda *signals: waiting.append(signals))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if waiting:
        handler(*waiting[0])


def numbered_siblings(path: str) -> list[str]:
    """The other files of a folder that are named like one but for the last number in the name."""
    head, number, tail = re.fullmatch(r'(.*?)(\d*)(\D*)', os.path.basename(path)).groups()
    pattern = re.escape(head) + r'\d+' + re.escape(tail)
    folder = os.path.dirname(path)
    others = [name for name in os.listdir(folder) if number and re.fullmatch(pattern, name)]
    return [os.path.join(folder, name) for name in others if name != os.path.basename(path)]
