"""Running the tools as from a command line."""

import runpy
import sys
from pathlib import Path

import yapf.yapflib.yapf_api
from mmengine.logging import MessageHub, MMLogger
from mmengine.visualization import Visualizer
from mmseg.visualization import SegLocalVisualizer

ROOT = Path(__file__).resolve().parents[1]
# Over a config of a U-Net: a network whose checkpoint is small.
SMALL_SEGMENTOR = {
    'model.backbone.name': 'mobilenet_v2',
    'model.backbone.depth': 3,
    'model.decode_head.in_channels': [3, 16, 24, 32],
    'model.decode_head.decoder_cfg.decoder_channels': (16, 8, 8),
}


def laid_out_plainly(text, style_config=None, **kwargs):
    """Config files as mmengine lays them out: yapf moves their line breaks, half a second for every checkpoint."""
    compile(text, 'config', 'exec')  # what yapf refuses is still refused
    return text, False


yapf.yapflib.yapf_api.FormatCode = laid_out_plainly


def forget_last_run():
    """Forgets what one Runner leaves for the next of its process, which a tool does not find: its folder of figures."""
    for kind in (MessageHub, MMLogger, Visualizer, SegLocalVisualizer):
        kind._instance_dict.clear()


def run_tool(name, *arguments):
    """Runs a tool in this process, as `python tools/name arguments`."""
    forget_last_run()
    before = sys.argv
    sys.argv = [name, *map(str, arguments)]
    try:
        runpy.run_path(str(ROOT / 'tools' / name), run_name='__main__')
    finally:
        sys.argv = before
