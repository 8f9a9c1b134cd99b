import csv

import pytest
import torch

from mmseg_pfdiff.folder_lock import locked_folder
from mmseg_pfdiff.metrics.sampling_benchmark import DrawnPairs, draw_timed, fraction_columns, network_evaluations
from mmseg_pfdiff.models.cascade import PairCascade
from mmseg_pfdiff.requests.sampler import FractionSampler

from ..generators import make_generator, make_super_resolution
from ..running import run_tool

CLASSES = ('matrix', 'austenite', 'martensite_austenite', 'defect')


def test_the_pairs_are_those_of_the_cascade():
    vectors = torch.tensor([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]], dtype=torch.float64)
    requests = FractionSampler(vectors, CLASSES, groups=[dict(name='all', share=1)])
    cascade = PairCascade(make_generator())
    drawn = draw_timed(cascade, requests, 5, seed=3, batch_size=2)
    targets = torch.stack([requests(3, index).target for index in range(5)])
    assert torch.equal(drawn.targets, targets) and drawn.seconds > 0
    # The last batch of five holds one pair: drawn alone here too, so that kernels round alike.
    alone = cascade.draw(targets[4:], 3, [4])
    assert torch.equal(drawn.images[4:], alone.images) and torch.equal(drawn.plain[4:], alone.plain)


def test_fraction_columns_by_hand():
    plain = torch.zeros(2, 10, 10, dtype=torch.uint8)
    plain[1, :, :5] = 1
    labels = plain.clone()
    labels[1, 0, :] = 0  # five pixels moved
    targets = torch.tensor([[1.0, 0, 0, 0], [0.7, 0.3, 0, 0]]).double()
    result = fraction_columns(DrawnPairs(plain, labels, plain, targets, 1.0), CLASSES)
    assert result['error'] == pytest.approx((0 + 10) / 2) and result['error se'] == pytest.approx(5.0)
    assert result['error matrix'] == result['error austenite'] == pytest.approx(10) and result['error defect'] == 0
    assert result['moved %'] == pytest.approx(2.5) and result['kept %'] == 50


def test_guidance_counts_twice():
    assert network_evaluations(PairCascade(make_generator())) == 3
    guided = make_generator(guidance_scale=2.0)
    assert network_evaluations(PairCascade(guided, make_super_resolution())) == 6 + 3


def test_the_tool_goes_on_with_its_table(few_tiles, random_generators, tmp_path, capsys):
    command = ['benchmark_sampling.py', *random_generators[:2], '--out', tmp_path, '--num', 4, '--real-root', few_tiles]
    command += ['--vary', 'model.fraction_guidance=0,1', '--steps', 2, '--samplers', 'ddim']
    run_tool(*command)
    run_tool(*command, 'unipc')
    rows = list(csv.DictReader((tmp_path / 'sampling.csv').open()))
    assert [(row['sampler'], row['model.fraction_guidance'], row['evaluations']) for row in rows] == [
        ('ddim', '0', '2'),
        ('ddim', '1', '2'),
        ('unipc', '0', '2'),
        ('unipc', '1', '2'),
    ]
    assert float(rows[0]['error']) > float(rows[1]['error']) and float(rows[0]['KID mask']) > 0
    assert (tmp_path / 'unipc_2_model.fraction_guidance=1.png').stat().st_size > 1000
    assert 'Tiles of the validation micrographs: KID image' in (tmp_path / 'sampling.md').read_text()
    with pytest.raises(SystemExit, match='made with other num'):
        run_tool(*command, '--num', 5)
    with locked_folder(tmp_path), pytest.raises(SystemExit, match='is being written by another process'):
        run_tool(*command, 'unipc')


@pytest.mark.parametrize(
    'varied', ['model.guidance_scale', '=1', 'model.a=', 'model.a=x', 'model.a=1,,2', 'model.a=1 model.a=2']
)
def test_what_is_varied_is_numbers_by_their_keys(random_generators, tmp_path, capsys, varied):
    with pytest.raises(SystemExit):
        run_tool('benchmark_sampling.py', *random_generators[:2], '--out', tmp_path / 'x', '--vary', *varied.split())
    assert '--vary takes each setting once, with numbers' in capsys.readouterr().err


def test_settings_of_a_folder_are_varied(random_generators, tmp_path):
    run_tool('export_generator.py', *random_generators[:2], tmp_path / 'steel')
    run_tool(
        'benchmark_sampling.py', tmp_path / 'steel', '--out', tmp_path / 'table', '--num', 2, '--steps', 1,
        '--samplers', 'ddim', '--vary', 'model.guidance_scale=1,2', 'fraction_sampler.sigma=0,0.1',
    )  # fmt: skip
    rows = list(csv.DictReader((tmp_path / 'table/sampling.csv').open()))
    assert [(row['model.guidance_scale'], row['fraction_sampler.sigma'], row['evaluations']) for row in rows] == [
        ('1', '0', '1'),
        ('1', '0.1', '1'),
        ('2', '0', '2'),
        ('2', '0.1', '2'),
    ]
