"""What a folder of predictions lets in."""

import json

import pytest

from mmseg_pfdiff.metrics.predictions import PredictionFolder, refuse_over_data


def test_a_new_or_empty_folder_and_that_of_the_same_test(tmp_path):
    (tmp_path / 'empty').mkdir()
    for root in (tmp_path / 'new/one', tmp_path / 'empty'):
        folder = PredictionFolder(root, dict(weights='a'))
        folder.begin()
        assert json.loads((root / 'predictions.json').read_text()) == dict(finished=False, test=dict(weights='a'))
        (root / 'm0.png').touch()
        (root / '.m1.png.7.part').touch()  # what a killed test leaves
        PredictionFolder(root, dict(weights='a')).begin()
        assert sorted(path.name for path in root.iterdir()) == ['m0.png', 'predictions.json']
        folder.finish()
        assert json.loads((root / 'predictions.json').read_text())['finished'] is True


@pytest.mark.parametrize(
    ('identity', 'message'),
    [
        (
            dict(weights='b', model='m'),
            r"another test: weights is 'a' there and 'b' here\. Give another",
        ),
        (dict(weights='a', model='m' * 300), "another test: model is 'm' there and 'mmm"),
        (dict(weights='a', model='m', views='3'), "another test: views is None there and '3' here"),
    ],
)
def test_another_test_is_refused(tmp_path, identity, message):
    PredictionFolder(tmp_path, dict(weights='a', model='m')).begin()
    with pytest.raises(ValueError, match=message):
        PredictionFolder(tmp_path, identity)


@pytest.mark.parametrize('content', ['{', '[]', '{"test": 1}', '[' * 100_000])
def test_a_damaged_record_is_named(tmp_path, content):
    (tmp_path / 'predictions.json').write_text(content)
    with pytest.raises(ValueError, match=r'predictions\.json is not the record of a test'):
        PredictionFolder(tmp_path, {})


def test_files_of_others_and_files_in_place_of_the_folder(tmp_path):
    (tmp_path / 'm0.png').touch()
    with pytest.raises(ValueError, match=r'holds files that no test wrote \(m0\.png\)'):
        PredictionFolder(tmp_path, {})
    with pytest.raises(NotADirectoryError, match='is a file'):
        PredictionFolder(tmp_path / 'm0.png', {})


def test_links_are_followed_both_ways(tmp_path):
    data, pool = tmp_path / 'data', tmp_path / 'pool'
    for folder in (data, pool):
        folder.mkdir()
    (pool / 'm0.png').touch()
    (data / 'm0.png').symlink_to(pool / 'm0.png')
    (tmp_path / 'link').symlink_to(data)
    for out in (data, tmp_path / 'link', tmp_path / 'link/new', data / 'new'):
        for folder in (data, tmp_path / 'link'):
            with pytest.raises(ValueError, match='whose files it would replace'):
                refuse_over_data(out, ['m0'], [folder], [data / 'm0.png'])
    with pytest.raises(ValueError, match=r'm0\.png is a file of the data set'):
        refuse_over_data(pool, ['m0'], [data], [data / 'm0.png'])
    refuse_over_data(pool, ['m1'], [data], [data / 'm0.png'])
    refuse_over_data(tmp_path / 'out', ['m0'], [data], [data / 'm0.png'])
