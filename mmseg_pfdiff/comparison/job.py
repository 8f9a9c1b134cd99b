"""A task of a comparison as a process of its own: `python -m mmseg_pfdiff.comparison.job TASKS.json NAME`."""

import json
import os
import runpy
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..command_line import run_main
from ..compat import package_versions
from ..files import file_sha256, make_folder
from ..pairs.folder import PairFolder
from .commands import RATIO, WEIGHTS
from .fingerprints import fingerprint
from .records import Records
from .results import best_weights, last_checkpoint
from .tasks import run_name
from .workbench import other_origins

MINUTE = 60.0


class Job:
    """Does a task unless that was done before, from where it was stopped.

    Args:
        content: Of the file of tasks, see :func:`mmseg_pfdiff.comparison.scheduling.write_tasks`.
        name: Of the task.
    """

    def __init__(self, content: dict, name: str) -> None:
        self.name, self.task, self.tools = name, content['tasks'][name], Path(content['tools'])
        self.work_dir = Path(content['work_dir'])
        self.records = Records(self.work_dir)
        self.commands, self.needs, self.place = self.task['commands'], self.task['needs'], name
        if self.task['kind'] == 'test':
            # A test rests on the training with the ratio that was chosen, not on all that were compared.
            [choice] = self.needs
            ratio = json.loads(self.records.mark(choice).read_text())['ratio']
            self.commands = [[word.replace(RATIO, str(ratio)) for word in words] for words in self.commands]
            self.needs, self.place = [run_name(**self.task['case'], ratio=ratio)], f'{name}/x{ratio}'

    def run(self) -> None:
        """Does the task, records what came out, and marks it as done.

        Raises:
            ValueError: It was begun with other settings, or from other results.
        """
        made_from = {name: self.records.made(name) for name in self.needs}
        record = self.records.read(self.place)
        if record and (others := other_origins(record, self.task['made_with'], made_from)):
            if self.task['kind'] != 'test':
                raise ValueError(f'{self.name} was begun with other {others}: tools/compare.py tells what to do then.')
            record = None
        record = record or dict(made_with=self.task['made_with'], made_from=made_from, seconds=0.0)
        if 'made' not in record or record.get('kept', self.task['units']) < self.task['units']:
            with timed(self.records, self.place, record):
                result = getattr(self, f'_do_{self.task["kind"]}')()
            record.update(case=self.task['case'], versions=package_versions(), **result)
            self.records.write(self.place, record)
        if self.task['kind'] == 'segmentor':
            self._tidy()
        self.records.set_mark(self.name, record)

    def _do_generator(self) -> dict:
        self._run_tools()
        checkpoint = Path(last_checkpoint(self.work_dir / self.name))
        return dict(made=file_sha256(checkpoint), weights=checkpoint.name)

    def _do_pairs(self) -> dict:
        # Further pairs leave the first ones, and what was trained on them, as they were.
        origin = dict(
            made_with=self.task['made_with'], made_from={name: self.records.made(name) for name in self.needs}
        )
        while True:
            self._run_tools()
            rows = PairFolder(self.work_dir / self.name).rows()
            kept = sum(row.kept for row in rows)
            # A check of the pairs may have left some out.
            if kept >= self.task['units']:
                return dict(made=fingerprint(origin, {}), pairs=len(rows), kept=kept)

    def _do_segmentor(self) -> dict:
        self._run_tools()
        weights, score = best_weights(self.work_dir / self.name)
        ratio = self.task['case']['ratio']
        return dict(made=file_sha256(weights), weights=weights.name, validation=score, ratio=ratio)

    def _do_test(self) -> dict:
        self._run_tools()
        return dict(made=file_sha256(self.work_dir / self.place / 'test.json'))

    def _run_tools(self) -> None:
        for tool, *words in self.commands:
            sys.argv = [str(self.tools / tool), *map(self._word, words)]
            print('$ python', *sys.argv, flush=True)
            runpy.run_path(sys.argv[0], run_name='__main__')

    def _word(self, word: str) -> str:
        name = word.removeprefix(WEIGHTS)
        return word if name == word else str(self.work_dir / name / self.records.read(name)['weights'])

    def _tidy(self) -> None:
        """Removes what only served to resume; the best weights of the validation part are left."""
        folder = self.work_dir / self.name
        for path in (folder / 'last_checkpoint', *folder.glob('epoch_*.pth')):
            path.unlink(missing_ok=True)


@contextmanager
def timed(records: Records, name: str, record: dict) -> Iterator[None]:
    """Counts the seconds of a task in its record, over all interruptions; each minute, as it may be killed."""
    before, start, ended = record['seconds'], time.monotonic(), threading.Event()

    def note() -> None:
        record['seconds'] = before + time.monotonic() - start
        records.write(name, record)

    def watch() -> None:
        while not ended.wait(MINUTE):
            note()

    note()
    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()
        note()


@contextmanager
def own_gpu(folder: Path, gpus: Sequence[str]) -> Iterator[None]:
    """Has this process see one of a machine's GPUs that no other job of the comparison has; waits for one.

    Args:
        folder: Where the locks lie.
        gpus: Numbers or names of all GPUs that may be taken; with fewer than two, nothing is done.
    """
    with ExitStack() as stack:
        while len(gpus) > 1:
            if gpu := next((gpu for gpu in gpus if _take(stack, folder / f'{gpu}.lock')), None):
                os.environ['CUDA_VISIBLE_DEVICES'] = gpu
                break
            time.sleep(1)
        yield


def _take(stack: ExitStack, path: Path) -> bool:
    make_folder(path.parent)
    try:
        stack.enter_context(FileLock(path, timeout=0))
    except Timeout:
        return False
    return True


def main(arguments: Sequence[str]) -> None:
    """Does a task.

    Args:
        arguments: The file of tasks, and the name of one.
    """
    content = json.loads(Path(arguments[0]).read_text())
    os.chdir(content['folder'])  # where the paths of the plan are from
    # A cluster's scheduler gives each job GPUs of its own.
    gpus = [] if 'SLURM_JOB_ID' in os.environ else content['gpus']
    with own_gpu(Path(content['work_dir'], 'state/gpus'), gpus):
        Job(content, arguments[1]).run()


if __name__ == '__main__':
    run_main(lambda: main(sys.argv[1:]), 'The same comparison goes on from here.', also=(RuntimeError,))
