import numpy as np
import pytest
from PIL import Image

from mmseg_pfdiff.data.demo import write_demo_release
from mmseg_pfdiff.data.metaldam.release import MetalDAMRelease
from mmseg_pfdiff.data.metaldam.splits import read_split

HEIGHT, WIDTH = 128, 192  # of the `demo_release` fixture


@pytest.fixture(scope='module')
def micrographs(demo_release):
    release = MetalDAMRelease(demo_release)
    return {name: release.read(name) for name in release.names}


def test_layout_and_oddities_of_the_release(demo_release, micrographs):
    assert list(micrographs) == [f'micrograph{i}' for i in range(9)]
    assert MetalDAMRelease(demo_release).unlabelled == ['micrograph100']
    assert {path.suffix for path in (demo_release / 'images').iterdir()} == {'.jpg'}
    bar = 16
    for i, (image, label, cropped_rows) in enumerate(micrographs.values()):
        short = i == 2
        assert image.shape == label.shape == (HEIGHT - short, WIDTH)
        assert cropped_rows == (1 if short else bar)
    modes = [Image.open(demo_release / 'labels' / f'micrograph{i}.png').mode for i in range(9)]
    assert modes == ['L', 'RGB', *['L'] * 7]


def test_information_bar_is_dark_with_bright_writing(demo_release):
    bar = np.array(Image.open(demo_release / 'images' / 'micrograph0.jpg').convert('L'))[HEIGHT:]
    assert np.median(bar) < 30
    assert bar.max() > 150


def test_phases_can_be_told_apart_by_grey_level(micrographs):
    grey = {value: [] for value in range(5)}
    for image, label, _ in micrographs.values():
        for value in grey:
            grey[value].append(image[label == value])
    means = [np.concatenate(grey[value]).mean() for value in (4, 1, 0, 2)]  # defect, austenite, matrix, MA
    assert min(np.diff(means)) > 40


def test_shares_of_the_phases(micrographs):
    shares = np.array([np.bincount(m.label.ravel(), minlength=5) / m.label.size for m in micrographs.values()])
    assert ((shares[:, 0] > 0.1) & (shares[:, 1] > 0.3)).all()
    assert ((shares[:, 2] > 0.03) & (shares[:, 2] < 0.25)).all()
    assert (shares[:, 3] < 0.02).all()
    assert shares[:, 3].sum() > 0
    assert [bool(share) for share in shares[:, 4]] == [i % 3 == 0 for i in range(9)]
    assert np.ptp(shares[:, 0]) > 0.05  # they differ between micrographs


def test_split_covers_the_labelled_and_every_part_holds_a_defect(demo_release, micrographs):
    split = read_split(demo_release / 'split')
    assert {part: len(names) for part, names in split.parts.items()} == dict(train=7, val=1, test=1)
    assert set(split.micrographs) == set(micrographs)
    for names in split.parts.values():
        assert any((micrographs[name].label == 4).any() for name in names)


def test_same_seed_same_files_other_seed_others(tmp_path):
    contents = []
    for run, seed in enumerate((3, 3, 4)):
        write_demo_release(tmp_path / str(run), num_micrographs=6, size=(64, 80), seed=seed)
        contents.append([p.read_bytes() for p in sorted((tmp_path / str(run)).rglob('*.*')) if p.suffix != '.txt'])
    assert contents[0] == contents[1]
    assert all(a != b for a, b in zip(contents[0], contents[2], strict=True))


@pytest.mark.parametrize(('kwargs', 'reason'), [(dict(num_micrographs=5), 'must be 6'), (dict(size=(32, 80)), '64 or')])
def test_refuses_what_would_be_too_small(tmp_path, kwargs, reason):
    with pytest.raises(ValueError, match=reason):
        write_demo_release(tmp_path / 'new', **kwargs)
    assert not (tmp_path / 'new').exists()


def test_refuses_a_folder_that_holds_something(tmp_path):
    (tmp_path / 'notes.txt').write_text('mine')
    with pytest.raises(FileExistsError, match='new or empty'):
        write_demo_release(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['notes.txt']


def test_a_stopped_run_leaves_nothing_and_begins_anew(tmp_path):
    stopped = tmp_path / '.new.part/images'
    stopped.mkdir(parents=True)
    (stopped / 'micrograph77.jpg').write_bytes(b'of a run that was killed')
    write_demo_release(tmp_path / 'new', num_micrographs=6, size=(64, 80))
    assert sorted(path.name for path in tmp_path.iterdir()) == ['.new.lock', 'new']
    assert len(list((tmp_path / 'new/images').iterdir())) == 7
