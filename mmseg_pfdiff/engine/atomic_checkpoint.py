"""AtomicCheckpointHook: whenever training is killed, a whole checkpoint stands on disk."""

import os

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from ..files import write_atomically


class AtomicLocalBackend(LocalBackend):
    """A local file backend that writes to a temporary name and renames."""

    def put(self, obj: bytes | memoryview, filepath: str) -> None:
        """Writes a file; a reader sees the old one or the whole new one.

        Args:
            obj: Content.
            filepath: Path.
        """
        temporary = f'{filepath}.tmp'
        super().put(obj, temporary)
        with open(temporary, 'rb') as file:
            os.fsync(file.fileno())
        os.replace(temporary, filepath)


register_backend('atomic_local', AtomicLocalBackend, force=True)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """`CheckpointHook` that writes atomically and removes old checkpoints only once the new one is whole.

    mmengine's own removes first and writes in place: killed in between, it leaves no checkpoint, or half of one.

    Args:
        **kwargs: Of `mmengine.hooks.CheckpointHook`.
    """

    def before_train(self, runner: Runner) -> None:
        """Puts the atomic backend in place."""
        if self.backend_args is None and self.file_client_args is None:
            self.backend_args = dict(backend='atomic_local')
        super().before_train(runner)
        self._outdated: list[str] = []
        # The hook's removals go through its file backend, as an attribute of this object alone.
        self.file_backend.remove = self._outdated.append

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        super()._save_checkpoint_with_step(runner, step, meta)
        if is_main_process():
            # mmengine wrote it in place; a kill in between would leave it empty.
            write_atomically(os.path.join(runner.work_dir, 'last_checkpoint'), self.last_ckpt.encode())
        current = {self.last_ckpt, getattr(self, 'best_ckpt_path', None)}
        current |= set(getattr(self, 'best_ckpt_path_dict', {}).values())
        for path in self._outdated:
            if path not in current and os.path.exists(path):
                os.remove(path)
        self._outdated.clear()
