"""How tools end."""

import errno
import os
import signal
import subprocess
import sys

import pytest
import torch
from mmseg.registry import DATA_SAMPLERS

from mmseg_pfdiff.command_line import describe_error, run_main, seed_number
from mmseg_pfdiff.progress import progress

from .running import ROOT


def raising(error):
    def main():
        raise error

    return main


def test_a_setting_that_a_component_does_not_take_is_named():
    def build():
        DATA_SAMPLERS.build(dict(type='SpacedSampler', dataset=range(3), nmu=2))

    with pytest.raises(SystemExit, match=r"error: SpacedSampler takes no setting 'nmu': it is misspelt, or belongs"):
        run_main(build, '')
    # Of other code it is a fault of the program.
    with pytest.raises(TypeError, match="unexpected keyword argument 'nmu'"):
        run_main(lambda: seed_number(nmu=1), '')


def test_what_a_user_can_mend_is_one_line(capsys):
    with pytest.raises(SystemExit, match=r'^error: no such thing$'):
        run_main(raising(ValueError('no such thing')), '')
    with pytest.raises(SystemExit, match=r'^error: failed$'):
        run_main(raising(RuntimeError('failed')), '', also=(RuntimeError,))
    with pytest.raises(KeyError):  # a fault of ours keeps its traceback
        run_main(raising(KeyError('a')), '')


def test_ctrl_c_says_how_to_go_on(capsys):
    def renamed():
        try:
            raise KeyboardInterrupt
        except:  # noqa: E722 as a library does
            raise SyntaxError('failed to format')  # noqa: B904

    for main in (raising(KeyboardInterrupt()), renamed):
        with pytest.raises(SystemExit) as end:
            run_main(main, 'The same command goes on.')
        assert end.value.code == 130
        assert capsys.readouterr().err == '\nStopped. The same command goes on.\n'


def test_what_ends_a_batch_job_counts_as_ctrl_c(capsys):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as end:
        run_main(lambda: os.kill(os.getpid(), signal.SIGTERM), 'The same command goes on.')
    assert end.value.code == 130 and 'Stopped. The same command goes on.' in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_full_memory_is_told():
    with pytest.raises(SystemExit, match=r'^error: There is not enough memory .*smaller batches'):
        run_main(lambda: torch.empty(2**60, dtype=torch.uint8), '')
    with pytest.raises(RuntimeError, match='mat1 and mat2'):
        run_main(lambda: torch.ones(2, 3) @ torch.ones(2, 3), '')


# Without what the package registers for configs, which takes most of the time that importing it does.
PRINTS = """
import sys, types
sys.modules['mmseg_pfdiff'] = package = types.ModuleType('mmseg_pfdiff')
package.__path__ = [sys.argv[1]]
from mmseg_pfdiff.command_line import run_main
def main():
    for _ in range(100000):
        print('λ', flush=True)
run_main(main, 'The same command goes on.')
"""


def test_output_that_nobody_reads_and_letters_that_a_terminal_lacks():
    environment = {**os.environ, 'PYTHONIOENCODING': 'ascii', 'PYTHONWARNINGS': 'ignore'}
    process = subprocess.Popen(
        [sys.executable, '-c', PRINTS, str(ROOT / 'mmseg_pfdiff')],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    while (line := process.stdout.readline()) != '\\u03bb\n':  # what libraries print comes first
        assert line, process.stderr.read()
    process.stdout.close()
    told = process.stderr.read()
    assert process.wait() == 130 and told.endswith('\nStopped. The same command goes on.\n'), told
    assert 'Traceback' not in told and 'BrokenPipe' not in told


def test_a_full_disk_is_told_with_file_and_space(tmp_path):
    path = tmp_path / 'not/there/a.png'
    text = describe_error(OSError(errno.ENOSPC, 'No space left on device', str(path)))
    assert text.startswith(f'{path} could not be written: No space left on device. ') and ' MiB are free there' in text
    assert describe_error(OSError(errno.ENOSPC, 'No space')).startswith('A file could not be written: No space. ')
    assert describe_error(OSError(errno.ENOENT, 'No such file or directory', 'a')).endswith("directory: 'a'")


def test_a_log_file_gets_two_lines_of_a_short_loop(capsys):
    assert list(progress(range(1000), desc='pairs')) == list(range(1000))
    lines = [line.strip('\r ') for line in capsys.readouterr().err.splitlines() if line.strip('\r ')]
    assert [line.partition(' [')[0] for line in lines] == ['pairs: 0/1000', 'pairs: 1000/1000']
