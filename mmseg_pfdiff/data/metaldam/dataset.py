"""MetalDAMDataset: the names, colours and origin of MetalDAM's classes."""

from mmseg.registry import DATASETS

from ...phases.labels import IGNORE_INDEX
from ..dataset import MicrographDataset


@DATASETS.register_module()
class MetalDAMDataset(MicrographDataset):
    """MetalDAM, SEM micrographs of additively manufactured steel, as `tools/dataset_converters/metaldam.py` writes it.

    .. code-block:: none

        data/metaldam/
        ├── img_dir/{train,val,test}/micrograph0.png                  whole micrographs, 8-bit grey
        ├── ann_dir/{train,val,test}/micrograph0.png                  index PNG, 0..3, 255 = ignore
        ├── tiles/img_dir/train/micrograph0_y0000_x0256.png           tiles of the training micrographs
        ├── tiles/ann_dir/train/micrograph0_y0000_x0256.png
        └── dataset.json                                              source, split, positions of the tiles, shares

    Reference: Luengo et al., A tutorial on the segmentation of metallographic images, Information Fusion 78 (2022),
    https://doi.org/10.1016/j.inffus.2021.09.018. The producer states no licence for redistribution.

    The palette is Okabe and Ito's: its four colours stay apart for colour-blind readers and in grey print.
    """

    METAINFO = dict(
        classes=('matrix', 'austenite', 'martensite_austenite', 'defect'),
        palette=[[0, 114, 178], [240, 228, 66], [213, 94, 0], [0, 0, 0]],
    )

    # The release this data set is made from.
    url = 'https://github.com/ari-dasci/OD-MetalDAM/releases/download/1.0/MetalDAM_labeled.zip'
    filename = 'MetalDAM_labeled.zip'
    sha256 = 'ceb65afa2495edb2000e5b858beeaf6178c4a368d0c02ec56715402482b3197e'

    # Label value of the release -> its name, its class index here, its share (%) in Table 1 of the PF-DiffSeg paper.
    # Precipitate is ignored, as the original benchmark and the paper do.
    release_classes = ('matrix', 'austenite', 'martensite_austenite', 'precipitate', 'defect')
    release_to_class = (0, 1, 2, IGNORE_INDEX, 3)
    paper_shares = (31.86, 58.26, 8.96, 0.24, 0.68)
