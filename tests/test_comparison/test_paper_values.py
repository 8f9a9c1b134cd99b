from mmseg_pfdiff.comparison.paper_values import BASIC, PF_DIFFSEG, table_3


def test_cells_of_table_3():
    assert table_3(PF_DIFFSEG, 'linknet') == (70.47, 86.39)
    assert table_3(BASIC, 'unet_r18') == (66.18, 85.01) and table_3(BASIC, 'unetplusplus_r50') == (66.77, 84.79)
    assert table_3(None, 'unet') is None and table_3(BASIC, 'segformer') is None
