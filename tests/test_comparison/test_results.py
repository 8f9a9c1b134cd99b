import json

import pytest

from mmseg_pfdiff.comparison.choice import best_ratio
from mmseg_pfdiff.comparison.results import best_weights, last_checkpoint, read_test, validation_curve


def write_scores(folder, scores, name='20260101'):
    path = folder / name / 'vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    lines = [json.dumps(dict(loss=1.0, step=1))] + [
        json.dumps(dict(mIoU=score, step=n)) for n, score in enumerate(scores)
    ]
    path.write_text('\n'.join(lines) + '\n{"mIoU": 9')


def test_the_curve_of_a_run_that_was_killed(tmp_path):
    write_scores(tmp_path, [10.0, 30.0])
    write_scores(tmp_path, [float('nan'), 20.0], '20260102')
    assert validation_curve(tmp_path) == {0: 10, 1: 20}


def test_weights_of_a_lower_score_are_passed_over(tmp_path):
    write_scores(tmp_path, [0.0] * 9 + [40.0, 10.0, 50.0])
    for epoch in (9, 11):
        (tmp_path / f'best_mIoU_epoch_{epoch}.pth').touch()
    assert best_weights(tmp_path) == (tmp_path / 'best_mIoU_epoch_11.pth', 50)
    (tmp_path / 'best_mIoU_epoch_11.pth').unlink()
    assert best_weights(tmp_path) == (tmp_path / 'best_mIoU_epoch_9.pth', 40)
    (tmp_path / 'best_mIoU_epoch_9.pth').unlink()
    with pytest.raises(ValueError, match=r'holds no best_mIoU_epoch'):
        best_weights(tmp_path)


def test_the_ratio_with_the_best_mean_over_seeds():
    scores = {1: (50, 10), 2: (40, 30), 4: (30, 40)}
    assert best_ratio(scores) == 2, 'of equal ones the smallest'
    assert best_ratio({1: scores[1]}) == 1


def test_reports_without_their_sum(tmp_path):
    rows = [
        dict(micrograph=name, pixels=dict(intersection=[n, 1], predicted=[n, 2], labelled=[n, 3]))
        for n, name in enumerate(('a', 'b', 'all'))
    ]
    (tmp_path / 'test.json').write_text(json.dumps(rows))
    found = read_test(tmp_path / 'test.json')
    assert found.micrographs == ('a', 'b') and found.intersection.tolist() == [[0, 1], [1, 1]]
    assert found.labelled.tolist() == [[0, 3], [1, 3]]


def test_the_last_checkpoint_of_a_folder_that_was_moved(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('/somewhere/else/epoch_3.pth')
    assert last_checkpoint(tmp_path) == str(tmp_path / 'epoch_3.pth')
    with pytest.raises(FileNotFoundError, match='has left no checkpoint'):
        last_checkpoint(tmp_path / 'nowhere')
