import json

import pytest
import torch
from mmengine.config import Config

from mmseg_pfdiff.checkpoints.load import load_cascade
from mmseg_pfdiff.checkpoints.open import open_generator
from mmseg_pfdiff.pairs.folder import PairFolder
from mmseg_pfdiff.requests.base import number_of_pairs

from ..generators import opening
from ..running import ROOT, run_tool

CONFIGS = ROOT / 'configs/small'


def export(*arguments):
    run_tool('export_generator.py', *arguments)


@pytest.fixture(scope='module')
def exported(random_generators, tmp_path_factory):
    out = tmp_path_factory.mktemp('exported') / 'steel'
    config, checkpoint, sr_config, sr_checkpoint = random_generators
    export(
        config, checkpoint, out, '--sr-config', sr_config, '--sr-checkpoint', sr_checkpoint,
        '--licence', 'Drawn for tests, CC0.', '--description', 'Drawn micrographs.',
    )  # fmt: skip
    return out


def test_the_folder_draws_what_config_and_checkpoint_draw(random_generators, exported):
    opened = open_generator(**opening(random_generators))
    fractions = torch.tensor([[0.4, 0.3, 0.2, 0.1]])
    pairs = opened.cascade().draw(fractions, 0, [5])
    others = load_cascade(exported).draw(fractions, 0, [5])
    for first, second in zip(pairs, others, strict=True):
        assert torch.equal(first, second)
    assert pairs.images.shape == (1, 64, 64)


def test_the_folder_asks_for_the_same_fractions_without_the_data(random_generators, exported):
    card, again = open_generator(**opening(random_generators)).card, open_generator(exported).card
    assert torch.equal(card.vectors, again.vectors) and len(card.vectors) > 10
    assert again.licence == 'Drawn for tests, CC0.' and again.data == 'Drawn micrographs.'
    assert card.data == f'{len(card.vectors)} tiles of a MicrographDataset.'
    samplers = [c.fraction_sampler() for c in (card, again)]
    assert samplers[1].names == ['uniform', 'rich_martensite_austenite', 'rich_defect']
    for index in range(10):
        assert torch.equal(*(sampler(3, index).target for sampler in samplers))


def test_parts_are_identified(random_generators, exported, tmp_path):
    opened = open_generator(exported)
    part = opened.identity['generator']
    assert part['type'] == 'PFDiffSeg' and len(part['tensors_sha256']) == 64
    assert part['settings']['unet']['block_out_channels'] == [8, 16] and part['sampler']['steps'] == 3
    other = open_generator(exported, sampler='unipc', steps=5)
    assert other.identity['generator'] == dict(part, sampler=other.identity['generator']['sampler'])
    assert other.identity['super_resolution']['sampler']['type'] == 'UniPCMultistepScheduler'
    assert [model.sampler.steps for model in other.models.values()] == [5, 5]
    small = open_generator(*map(str, random_generators[:2]), cfg_options={'model.sampler.steps': 2})
    assert small.identity['super_resolution'] is None and small.models['generator'].sampler.steps == 2
    assert set(small.identity['generator']) == set(part)


def test_the_tool_tells_what_it_wrote_and_what_is_wrong(random_generators, exported, tmp_path, capsys):
    export(*random_generators[:2], tmp_path / 'small')
    text = capsys.readouterr().out
    assert 'matrix, austenite, martensite_austenite, defect' in text and 'states no licence' in text
    assert 'Not stated.' in (tmp_path / 'small/README.md').read_text()
    for arguments, message in (
        ((*random_generators[:2], exported), 'is not an empty folder'),
        ((random_generators[0], random_generators[3], tmp_path / 'x'), 'is the config|does not fit the network'),
        (
            (random_generators[2], random_generators[3], tmp_path / 'x'),
            'config of a PairSuperResolution, not of a PFDiffSeg',
        ),
        ((random_generators[0], tmp_path / 'no.pth', tmp_path / 'x'), 'can not be found'),
    ):
        with pytest.raises(SystemExit, match=message):
            export(*arguments)
    assert not (tmp_path / 'x').exists()


def test_fractions_are_asked_for_in_three_ways(random_generators, exported, tmp_path):
    for opened in (open_generator(**opening(random_generators)), open_generator(exported)):
        own = opened.choose_requests()
        described = own.describe()
        assert own is opened.requests and own(0, 4).group in own.names
        assert described['groups'][1]['phase'] == 'martensite_austenite' and described['sigma'] == 0.02
        table = tmp_path / 'asked.csv'
        table.write_text('defect,matrix,austenite,martensite_austenite\n0.1,0.2,0.3,0.4\n')
        asked = opened.choose_requests(fractions=str(table))
        assert asked(0, 0).target.tolist() == pytest.approx([0.2, 0.3, 0.4, 0.1])
        assert asked.describe()['type'] == 'RequestedFractions' and asked.num == 1
        planned = opened.choose_requests(target_mean='defect=0.03')
        described = planned.describe()
        mean = torch.stack([planned(0, index).target for index in range(500)]).mean(0)
        assert mean[3].item() == pytest.approx(0.03, abs=1e-3)
        assert described['target_mean'] == dict(defect=0.03) and described['epsilon'] == 0.01
        json.dumps(described)
        with pytest.raises(ValueError, match='exclude each other'):
            opened.choose_requests(fractions=str(table), target_mean='defect=0.03')
        assert number_of_pairs(asked) == number_of_pairs(asked, 1) == 1 and number_of_pairs(planned, 7) == 7
        for source, num, message in ((asked, 2, 'at most 1, the rows'), (own, 0, 'at least 1'), (own, None, '--num')):
            with pytest.raises(ValueError, match=message):
                number_of_pairs(source, num)


def test_a_planner_in_the_config_is_exported(random_generators, tmp_path):
    config = Config.fromfile(random_generators[0])
    config.fraction_sampler = dict(type='FractionPlanner', target_mean=dict(defect=0.02))
    config.dump(tmp_path / 'planned.py')
    export(tmp_path / 'planned.py', random_generators[1], tmp_path / 'out')
    sources = [
        open_generator(str(tmp_path / 'planned.py'), str(random_generators[1])),
        open_generator(tmp_path / 'out'),
    ]
    assert all(type(opened.requests).__name__ == 'FractionPlanner' for opened in sources)
    assert torch.equal(*(opened.requests(1, 6).target for opened in sources))
    assert len({json.dumps(opened.requests.describe(), sort_keys=True) for opened in sources}) == 1


def test_arguments_that_do_not_go_together(random_generators, exported):
    with pytest.raises(ValueError, match='complete in itself: leave out checkpoint, sr_config'):
        open_generator(exported, 'a.pth', sr_config='b.py')
    with pytest.raises(ValueError, match='with a config, give its checkpoint'):
        open_generator(str(random_generators[0]))
    with pytest.raises(ValueError, match='go together'):
        open_generator(str(random_generators[0]), str(random_generators[1]), sr_config=str(random_generators[2]))
    with pytest.raises(FileNotFoundError, match=r'model_index\.json is missing'):
        open_generator(exported / 'generator')


def test_pairs_from_the_folder_as_its_card_says(exported, tmp_path):
    run_tool('generate_pairs.py', exported, '--out', tmp_path / 'pairs', '--num', 3, '--max-moved', 1)
    folder = PairFolder(tmp_path / 'pairs')
    rows = folder.rows()
    assert len(rows) == 3
    cascade = load_cascade(exported)
    fractions = torch.tensor([row.target for row in rows], dtype=torch.float64)
    images, labels = cascade(fractions, seed=0)
    for n in range(3):
        image, label = folder.read(n)
        assert (images[n].numpy() == image).all() and (labels[n].numpy() == label).all()
    with pytest.raises(SystemExit, match='give its checkpoint as well'):
        run_tool('generate_pairs.py', CONFIGS / 'pf-diffseg_tiny-64x64.py', '--out', tmp_path / 'x', '--num', 1)
