import resource
from multiprocessing import get_context

import pytest

from mmseg_pfdiff.files import append_whole, remove_leftovers, temporary_files, write_atomically


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
    assert path.read_bytes() == b'old' and not list(temporary_files(tmp_path))


def write_too_much(path, found):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        write_atomically(path, bytes(2000))
    except OSError as error:
        found.put(str(error))


def test_a_write_that_fails_names_the_file_and_leaves_what_was_there(tmp_path):
    path = tmp_path / 'a.json'
    write_atomically(path, b'old')
    context = get_context('fork')
    found = context.Queue()
    # As on a full disk, but without one: this process may write short files only.
    writer = context.Process(target=write_too_much, args=(path, found))
    writer.start()
    assert found.get(timeout=30).endswith(f"File too large: '{path}'")
    writer.join()
    assert path.read_bytes() == b'old' and [file.name for file in tmp_path.iterdir()] == ['a.json']


def append_too_much(path, found):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        append_whole(path, bytes(2000))
    except OSError as error:
        found.put(str(error))


def test_an_addition_that_fails_names_the_file_and_leaves_its_length(tmp_path):
    path = tmp_path / 'a.csv'
    for content in (b'one,', b'two'):
        append_whole(path, content, first=b'head:')
    context = get_context('fork')
    found = context.Queue()
    writer = context.Process(target=append_too_much, args=(path, found))
    writer.start()
    assert found.get(timeout=30).endswith(f"File too large: '{path}'")
    writer.join()
    assert path.read_bytes() == b'head:one,two'


def test_leftovers_of_a_file_are_removed_and_those_of_others_are_not(tmp_path):
    names = ['.a.json.17.part', '.a.json.4711.part', '.b.json.17.part', '.a.jsonl.17.part', 'a.json']
    for name in names:
        (tmp_path / name).write_bytes(b'')
    remove_leftovers(tmp_path / 'a.json', tmp_path / 'not/there.json')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['.a.jsonl.17.part', '.b.json.17.part', 'a.json']
