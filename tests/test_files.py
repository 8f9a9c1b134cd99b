import resource
from multiprocessing import get_context

import pytest

from mmseg_pfdiff.files import (
    append_whole,
    make_folder,
    name_is_too_long,
    remove_leftovers,
    temporary_files,
    write_atomically,
)


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


def write_too_much(path, result):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        write_atomically(path, bytes(2000))
    except OSError as error:
        result.put(str(error))


def test_a_write_that_fails_names_the_file_and_leaves_what_was_there(tmp_path):
    path = tmp_path / 'a.json'
    write_atomically(path, b'old')
    context = get_context('fork')
    result = context.Queue()
    # As on a full disk, but without one: this process may write short files only.
    writer = context.Process(target=write_too_much, args=(path, result))
    writer.start()
    assert result.get(timeout=30).endswith(f"File too large: '{path}'")
    writer.join()
    assert path.read_bytes() == b'old' and [file.name for file in tmp_path.iterdir()] == ['a.json']


def append_too_much(path, result):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        append_whole(path, bytes(2000))
    except OSError as error:
        result.put(str(error))


def test_an_addition_that_fails_names_the_file_and_leaves_its_length(tmp_path):
    path = tmp_path / 'a.csv'
    for content in (b'one,', b'two'):
        append_whole(path, content, first=b'head:')
    context = get_context('fork')
    result = context.Queue()
    writer = context.Process(target=append_too_much, args=(path, result))
    writer.start()
    assert result.get(timeout=30).endswith(f"File too large: '{path}'")
    writer.join()
    assert path.read_bytes() == b'head:one,two'


def test_leftovers_of_a_file_are_removed_and_those_of_others_are_not(tmp_path):
    names = ['.a.json.17.part', '.a.json.4711.part', '.b.json.17.part', '.a.jsonl.17.part', 'a.json']
    for name in names:
        (tmp_path / name).write_bytes(b'')
    remove_leftovers(tmp_path / 'a.json', tmp_path / 'not/there.json')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['.a.jsonl.17.part', '.b.json.17.part', 'a.json']


def test_a_file_or_a_broken_link_in_the_place_of_a_folder_is_named(tmp_path):
    (tmp_path / 'file').write_bytes(b'kept')
    (tmp_path / 'broken').symlink_to('unplugged')
    for name, kind in (('file', 'a file'), ('broken', 'a link that leads nowhere')):
        for folder in (tmp_path / name, tmp_path / name / 'below/it'):
            with pytest.raises(FileExistsError, match=f'{name} is {kind}, where a folder is needed: remove it'):
                make_folder(folder)
            with pytest.raises(FileExistsError, match=f'{name} is {kind}'):
                write_atomically(folder / 'a.json', b'')
    make_folder(tmp_path / 'new/one')
    make_folder(tmp_path / 'new/one')
    assert (tmp_path / 'file').read_bytes() == b'kept' and (tmp_path / 'new/one').is_dir()


def test_names_that_fit_only_without_that_of_writing_are_too_long(tmp_path):
    for name in ('x' * 241, 'ä' * 120 + 'x'):
        write_atomically(tmp_path / name, b'')
        assert not name_is_too_long(name) and name_is_too_long(f'{name}x')
