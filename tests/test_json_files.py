import json

import pytest

from mmseg_pfdiff.json_files import MAX_BYTES, read_json_object


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'{"a": ' + b'[' * 10**5 + b']' * 10**5 + b'}', 'is nested too deeply'),
        (b'{"a": ' * 10**5, 'is nested too deeply'),
        (b'{"a": NaN}', 'NaN stands for no number'),
        (b'{"a": -Infinity}', '-Infinity stands for no number'),
        (b'{"a": 1e999}', '1e999 is too large a number'),
        (b'{"a": ' + b'9' * 5000 + b'}', 'is no JSON: Exceeds the limit'),
        (b'{"a": "\xff"}', 'is no JSON'),
        (b'{"a": 1', 'is no JSON'),
        (b'', 'is no JSON'),
        (b'[1]', 'must hold a JSON object, got a list'),
    ],
)
def test_what_is_no_object_of_plain_data_is_refused_in_a_line(tmp_path, content, message):
    (tmp_path / 'a.json').write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_json_object(tmp_path / 'a.json')
    text = str(error.value)
    assert text.startswith(str(tmp_path / 'a.json')) and '\n' not in text and len(text) < 300


def test_plain_data_comes_back(tmp_path):
    content = dict(a=[1, 0.1, None, True, 'ü'], b=dict(c=-1e-300))
    (tmp_path / 'a.json').write_text(json.dumps(content))
    assert read_json_object(tmp_path / 'a.json') == content


def test_a_file_too_large_is_not_read(tmp_path):
    with (tmp_path / 'a.json').open('wb') as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ValueError, match=r'a\.json has 64 MiB; at most 64'):
        read_json_object(tmp_path / 'a.json')
    with pytest.raises(FileNotFoundError):
        read_json_object(tmp_path / 'b.json')
