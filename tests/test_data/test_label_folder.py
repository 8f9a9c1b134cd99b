"""Folders of label maps: what is read, and what is refused with the file and the way on."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_pfdiff.data.label_folder import read_label_folder
from mmseg_pfdiff.data.layout import DataError


def write(folder, **maps):
    folder.mkdir(exist_ok=True)
    for name, label in maps.items():
        Image.fromarray(np.asarray(label, np.uint8)).save(folder / f'{name}.png')
    return folder


def test_maps_come_in_the_order_that_people_count_in(tmp_path):
    folder = write(tmp_path / 'maps', m10=np.full((4, 4), 1), m2=np.full((4, 4), 2), m1=np.eye(4) * 255)
    (folder / 'notes.txt').write_text('no label map')
    labels = read_label_folder(folder, 3)
    assert labels.dtype == torch.uint8 and labels.shape == (3, 4, 4)
    assert labels[:, 0, 0].tolist() == [255, 2, 1]


@pytest.mark.parametrize(
    ('maps', 'message'),
    [
        (dict(a=np.full((4, 4), 3)), r'a\.png has the values 3; the model knows classes 0 to 2, and 255'),
        (dict(a=np.full((4, 4), 255)), r'a\.png has ignored pixels alone: leave it out'),
        (dict(a=np.zeros((4, 6))), r'squares of one size, got a\.png 4x6\. Give those of tiles'),
        (dict(a=np.zeros((4, 4)), b=np.zeros((8, 8))), r'squares of one size, got a\.png 4x4, b\.png 8x8'),
        ({}, r'holds no label maps \(\.png'),
    ],
)
def test_what_cannot_be_drawn_for_is_refused(tmp_path, maps, message):
    with pytest.raises(DataError, match=message):
        read_label_folder(write(tmp_path / 'maps', **maps), 3)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'There is no folder .*nowhere\. Give one with label maps'):
        read_label_folder(tmp_path / 'nowhere', 3)
