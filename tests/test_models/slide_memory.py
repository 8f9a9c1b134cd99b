"""Runs `tools/test.py` with a network of one convolution, and prints how much memory that took.

    python tests/test_models/slide_memory.py FOLDER 1000 20000

tests mosaics of 1,000 x 1,000 and of 20,000 x 20,000 pixels in FOLDER, two of each size: loads, predicts, measures and
paints them. The last line is JSON: the peak of each size, in bytes.
"""

import argparse
import json
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from PIL import Image

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/small/unet_r18_128x128_real.py'
CROP = 256


@MODELS.register_module()
class ImageAsFeature(torch.nn.Module):
    """A backbone that gives the image back."""

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor]:
        """(N, C, H, W) of an image, as the only feature."""
        return (image,)


def write_mosaics(folder: Path, size: int) -> None:
    """Writes a noisy micrograph and its label map, size x size, twice as a data set's test part."""
    tile = np.random.default_rng(0).integers(0, 256, (CROP, CROP), np.uint8)
    repeats = -(-size // CROP)
    for kind, values in (('img_dir', tile), ('ann_dir', tile // 64)):
        path = folder / kind / 'test/mosaic.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.tile(values, (repeats, repeats))[:size, :size]).save(path, compress_level=1)
        path.with_name('same.png').symlink_to(path)


def options(folder: Path) -> dict:
    """Settings over the config: the data, and a network of one convolution in windows side by side."""
    return {
        'test_dataloader.dataset': dict(type='MetalDAMDataset', data_root=str(folder)),
        'model.backbone': dict(type='ImageAsFeature', _delete_=True),
        'model.decode_head': dict(
            type='FCNHead', in_channels=3, channels=3, num_convs=0, concat_input=False, num_classes=4, _delete_=True
        ),
        'model.test_cfg': dict(crop_size=(CROP, CROP), stride=(CROP, CROP)),
    }


def peak_of_test(folder: Path, size: int) -> int:
    """Tests two mosaics in an empty folder.

    Args:
        folder: For everything.
        size: Side of the mosaic in pixels.

    Returns:
        Bytes that this process held at most, libraries included.
    """
    write_mosaics(folder, size)
    config = Config.fromfile(CONFIG)
    config.merge_from_dict(options(folder))
    config.dump(folder / 'config.py')
    with DefaultScope.overwrite_default_scope('mmseg'):  # here only: the tool must find its components by itself
        network = MODELS.build(dict(config.model, train_cfg=None))
    torch.save(dict(state_dict=network.state_dict()), folder / 'weights.pth')
    command = [folder / 'config.py', folder / 'weights.pth', '--work-dir', folder / 'work', '--out', folder / 'out']
    sys.argv = ['test.py', *map(str, command)]
    Path('/proc/self/clear_refs').write_text('5')  # the peak is that from here on
    runpy.run_path(str(ROOT / 'tools/test.py'), run_name='__main__')
    return 1024 * int(re.search(r'VmHWM:\s+(\d+)', Path('/proc/self/status').read_text()).group(1))


def main() -> None:
    """Tests mosaics one after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument('folder', type=Path)
    parser.add_argument('sizes', type=int, nargs='+')
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(json.dumps([peak_of_test(args.folder / str(size), size) for size in args.sizes]))


if __name__ == '__main__':
    main()
