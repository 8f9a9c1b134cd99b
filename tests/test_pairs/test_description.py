"""Descriptions of pairs, honest and from strangers."""

import json
import re

import pytest

from mmseg_pfdiff.pairs.description import new_description, other_settings, read_description

SETTINGS = dict(classes=['a', 'b'], palette=[[0, 0, 0], [255, 255, 255]], size=(64, 32), seed=0)
WHOLE = new_description(SETTINGS)


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'pair_folder.json'


def test_what_is_written_is_read(path):
    path.write_text(json.dumps(WHOLE))
    assert read_description(path) == WHOLE == {**SETTINGS, 'size': [64, 32], 'format_version': 1}
    path.write_bytes(b'\xef\xbb\xbf' + json.dumps(WHOLE).encode())  # an editor's byte-order mark
    assert read_description(path) == WHOLE


@pytest.mark.parametrize(
    ('changed', 'told'),
    [
        (
            dict(palette=[[0, 0, 0]] * 300),
            'palette must have three whole numbers from 0 to 255 for each of the 2',
        ),
        (dict(palette=[[0, 0, 0], [0, 0, 256]]), 'palette must have'),
        (dict(palette=[[0, 0, 0], [0, 0, -1]]), 'palette must have'),
        (dict(palette=[[0, 0, 0], [0, 0, 1.5]]), 'palette must have'),
        (dict(palette=[[0, 0, 0], [0, 0]]), 'palette must have'),
        (dict(palette=[[0, 0, 0], 'red']), 'palette must have'),
        (dict(palette='red'), "it needs 'palette', a list, got 'red'"),
        (dict(palette=None), "it needs 'palette', a list, got None"),
        (dict(classes=['a']), 'palette must have three whole numbers from 0 to 255 for each of the 1'),
        (dict(classes=['a', 'a']), 'classes must be 1 to 255 different names'),
        (dict(classes=['a', 7]), 'classes must be 1 to 255 different names'),
        (dict(classes=['a', ' ']), 'classes must be 1 to 255 different names'),
        (dict(classes=['a', '\ud800']), 'classes must be 1 to 255 different names'),
        (dict(classes=[]), 'classes must be 1 to 255 different names'),
        (dict(classes=[str(n) for n in range(300)], palette=[[0, 0, 0]] * 300), 'classes must be 1 to 255'),
        (dict(classes={'a': 1}), "it needs 'classes', a list"),
        (dict(size=[1e10, 1e10]), 'size must be height and width'),
        (dict(size=[10**10, 10**10]), 'size must be height and width'),
        (dict(size=[0, 64]), 'size must be height and width'),
        (dict(size=[True, 64]), 'size must be height and width'),
        (dict(size=64), 'size must be height and width'),
        (dict(format_version='1'), "it needs 'format_version', a int, got '1'"),
        (dict(format_version=True), "it needs 'format_version'"),
    ],
)
def test_absurd_values_are_told_in_one_line(path, changed, told):
    path.write_text(json.dumps({**WHOLE, **changed}))
    with pytest.raises(ValueError, match=rf'^{re.escape(str(path))} is damaged: {re.escape(told)}') as error:
        read_description(path)
    assert '\n' not in str(error.value) and len(str(error.value)) < 500


@pytest.mark.parametrize(
    'content',
    [
        b'', b'{', b'null', b'[]', b'7', b'"text"', b'\xff\xfe', b'{"format_version": 1}', b'[' * 100_000,
        b'{"a":' * 100_000, b'[' * 500 + b']' * 500,
        json.dumps({**WHOLE, 'seed': float('nan')}).encode(), b'{"format_version": ' + b'9' * 5000 + b'}',
        json.dumps({**WHOLE, 'settings': 0}).encode().replace(b'0}', b'[' * 600 + b']' * 600 + b'}'),
        json.dumps({**WHOLE, 'classes': 0}).encode().replace(b'"classes": 0', b'"classes": ' + b'[' * 600 + b']' * 600),
    ],
)  # fmt: skip
def test_other_files_are_told_in_one_line(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf'^{re.escape(str(path))} is damaged: .* Restore it from') as error:
        read_description(path)
    assert '\n' not in str(error.value) and len(str(error.value)) < 500


def test_other_versions_of_the_format_are_told(path):
    path.write_text('{"format_version": 99}')
    with pytest.raises(ValueError, match='has format version 99, this version of mmseg_pfdiff reads 1'):
        read_description(path)


def test_settings_that_could_not_be_read_back_are_not_written():
    with pytest.raises(ValueError, match='palette must have'):
        new_description({**SETTINGS, 'palette': [[0, 0, 0]]})
    for value in ('nan', 'inf'):
        with pytest.raises(ValueError, match='not JSON compliant'):
            new_description({**SETTINGS, 'sampler': dict(eta=float(value))})


def test_other_settings_are_named_and_versions_are_not():
    other = {**WHOLE, 'seed': 1, 'sampler': dict(steps=5), 'versions': dict(torch='2')}
    assert other_settings({**WHOLE, 'sampler': dict(steps=6, eta=0)}, other) == [
        'sampler.eta is 0 there and None here', 'sampler.steps is 6 there and 5 here', 'seed is 0 there and 1 here',
    ]  # fmt: skip
