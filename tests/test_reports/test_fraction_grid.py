import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_pfdiff.checkpoints.open import open_generator
from mmseg_pfdiff.pairs.grid import write_picture
from mmseg_pfdiff.reports.fraction_grid import fraction_grid, rising_fractions

from ..running import run_tool


def test_the_phase_rises_over_real_vectors():
    vectors = torch.rand(200, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    vectors /= vectors.sum(1, keepdim=True)
    for phase in range(4):
        chosen = rising_fractions(vectors, phase, 5)
        assert (chosen[1:, phase] > chosen[:-1, phase]).all()
        assert all(any(torch.equal(row, real) for real in vectors) for row in chosen)
        steps = chosen[1:, phase] - chosen[:-1, phase]
        assert steps.max() < 1.5 * steps.min()


def test_the_tool_draws_a_row_for_each_phase(random_generators, tmp_path):
    run_tool('fraction_grid.py', *random_generators[:2], '--out', tmp_path / 'a/grid.png', '--number', 3)
    picture = np.array(Image.open(tmp_path / 'a/grid.png'))
    assert picture.shape == (4 * (20 + 14 + 2 * 36), 3 * 36, 3)
    # Masks: the four colours of the palette in every second panel.
    panel = picture[20 + 14 + 36 :][:32, :32].reshape(-1, 3)
    assert set(map(tuple, panel.tolist())) <= {(0, 114, 178), (240, 228, 66), (213, 94, 0), (0, 0, 0)}


def test_a_folder_draws_the_same_picture_as_its_config(random_generators, tmp_path):
    run_tool('export_generator.py', *random_generators[:2], tmp_path / 'steel')
    run_tool('fraction_grid.py', tmp_path / 'steel', '--out', tmp_path / 'a.png', '--number', 2)
    opened = open_generator(*map(str, random_generators[:2]))
    picture = fraction_grid(opened.cascade(), opened.card, 2)
    assert (np.array(Image.open(tmp_path / 'a.png')) == picture).all()


def test_where_no_picture_can_be_written_is_said(random_generators, tmp_path, capsys):
    for out in (tmp_path / 'a.jpg', tmp_path / 'a', tmp_path):
        with pytest.raises(SystemExit):
            run_tool('fraction_grid.py', *random_generators[:2], '--out', out)
        assert f'--out must be a file whose name ends with .png, got {out}' in capsys.readouterr().err
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(OSError, match='file'):
        write_picture(tmp_path / 'file/a.png', np.zeros((2, 2, 3), np.uint8))
