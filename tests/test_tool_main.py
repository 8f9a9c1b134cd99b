"""How tools end."""

import errno

import pytest

from mmseg_pfdiff.progress import progress
from mmseg_pfdiff.tool_main import describe_error, run_main


def raising(error):
    def main():
        raise error

    return main


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
