from multiprocessing import get_context

import pytest

from mmseg_pfdiff.files import temporary_files, write_atomically


def write_often(path, content):
    for _ in range(50):
        write_atomically(path, content)


def test_two_processes_that_write_the_same_file_leave_it_whole(tmp_path):
    path = tmp_path / 'folder/report.json'
    contents = [letter * 5000 for letter in (b'a', b'b')]
    writers = [get_context('fork').Process(target=write_often, args=(path, content)) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert path.read_bytes() in contents and not list(temporary_files(tmp_path))


def test_what_was_there_stays_when_a_write_fails(tmp_path):
    path = tmp_path / 'a.json'
    write_atomically(path, b'old')
    with pytest.raises(TypeError):
        write_atomically(path, 'no bytes')
    assert path.read_bytes() == b'old'
    assert [left.name.split('.')[1] for left in temporary_files(tmp_path)] == ['a']
