import numpy as np
import pytest
import torch

from mmseg_pfdiff.requests.table import RequestedFractions

CLASSES = ('matrix', 'austenite', 'martensite_austenite', 'defect')
HEADER = 'austenite,matrix,defect,martensite_austenite\n'


def write(tmp_path, text):
    path = tmp_path / 'asked.csv'
    path.write_text(text)
    return path


def test_row_i_serves_pair_i_in_the_order_of_the_classes(tmp_path):
    path = write(tmp_path, HEADER + '0.5,0.3,0.05,0.15\n\n 0.2, 0.8,0,0\n')
    requests = RequestedFractions.from_argument(str(path), CLASSES)
    assert requests.num == 2 and requests.classes == CLASSES
    assert requests.vectors.dtype == torch.float64
    first, second = requests(7, 0), requests(8, 1)
    assert first.target.tolist() == pytest.approx([0.3, 0.5, 0.15, 0.05], abs=1e-15)
    assert second.target.tolist() == pytest.approx([0.8, 0.2, 0, 0], abs=1e-15)
    assert first.group == second.group == 'requested'
    assert torch.equal(requests(0, 1).target, second.target), 'whatever the seed'
    with pytest.raises(ValueError, match=r'for 2 pairs \(0..1\), pair 2 was asked for'):
        requests(0, 2)


def test_sums_that_are_nearly_1_are_normalised(tmp_path):
    path = write(tmp_path, HEADER + '0.333,0.333,0.333,0.0\n')
    [vector] = RequestedFractions.from_csv(path, CLASSES).vectors
    assert vector.sum() == 1
    assert vector.tolist() == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3], abs=1e-12)


@pytest.mark.parametrize(
    'content',
    [
        b'\xef\xbb\xbfmatrix,austenite,martensite_austenite,defect\r\n0.25,0.25,0.25,0.25\r\n',
        b'"matrix";"austenite";"martensite_austenite";"defect";\r\n0,25;0,25;0,25;0,25;\r\n;;;;\r\n',
        b'matrix, austenite ,martensite_austenite,defect\n0.25 , 0.25,0.25,"0.25"',
    ],
)
def test_a_table_of_a_spreadsheet(tmp_path, content):
    path = tmp_path / 'spread.csv'
    path.write_bytes(content)
    assert RequestedFractions.from_csv(path, CLASSES).vectors.tolist() == [[0.25] * 4]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', "line 1: the column 'matrix' is missing"),
        (HEADER, 'has a header but no row'),
        ('matrix,austenite,defect\n1,0,0\n', "asked.csv, line 1: the column 'martensite_austenite' is missing"),
        (HEADER[:-1] + ',ferrite\n1,0,0,0,0\n', "line 1: 'ferrite' is no class"),
        (HEADER[:-1] + ',matrix\n1,0,0,0,0\n', "line 1: the column 'matrix' stands there twice"),
        (HEADER.replace(',', '|') + '1|0|0|0\n', 'separated by commas'),
        (
            HEADER + '1,0,0,0\n0.5,0.5,0\n',
            "line 3, column 'martensite_austenite': the line ends before it, after 3 cells",
        ),
        (HEADER + '0,5,0,5,0,0\n', 'line 2: .* in no column, after 4 cells.*decimals are written with a point'),
        (
            HEADER + '1,0,0,0\n1.1,0,-0.1,0\n',
            "line 3, column 'defect': expected a share, a number.* got '-0.1'",
        ),
        (HEADER + '0.5,half,0,0\n', "line 2, column 'matrix': expected a number, got 'half'"),
        (HEADER + '1,0,nan,0\n', "line 2, column 'defect': expected a share, a number from 0 to 1, got 'nan'"),
        (HEADER + '1,0,inf,0\n', "line 2, column 'defect': expected a share, a number from 0 to 1, got 'inf'"),
        (HEADER + '1,0,,0\n', "line 2, column 'defect': expected a number, got ''"),
        (HEADER + f'1,0,{"0" * 131_073},0\n', "line 2, column 'defect': 131073 characters in a cell"),
        (HEADER + '0.5,0.3,0.1,0\n', 'line 2: the shares of .* must sum to 1, got 0.9'),
        (HEADER + '50,30,5,15\n', 'must sum to 1, got 100. Write shares of 1, not percent'),
    ],
)
def test_errors_of_a_table_name_file_line_and_column(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as error:
        RequestedFractions.from_csv(write(tmp_path, text), CLASSES)
    assert str(tmp_path / 'asked.csv') in str(error.value)


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / 'asked.csv'
    path.write_bytes(np.arange(256, dtype=np.uint8).tobytes())
    with pytest.raises(ValueError, match='no text in UTF-8'):
        RequestedFractions.from_csv(path, CLASSES)
    with pytest.raises(FileNotFoundError, match=r'There is no file absent\.csv'):
        RequestedFractions.from_argument('absent.csv', CLASSES)


def test_one_vector_serves_every_pair():
    text = 'defect=0.05, matrix=0.3,austenite=0.5,martensite_austenite=0.15'
    requests = RequestedFractions.from_argument(text, CLASSES)
    assert requests.num is None
    for seed, index in ((0, 0), (3, 10**6)):
        assert requests(seed, index).target.tolist() == pytest.approx([0.3, 0.5, 0.15, 0.05], abs=1e-15)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('matrix=0.5,austenite=0.5', "share 'martensite_austenite' is missing; share 'defect' is missing"),
        ('matrix=0.5,austenite=0.5,martensite_austenite=0,defect=0,ferrite=0', "'ferrite' is no class"),
        ('matrix=0.5,austenite=0.6,martensite_austenite=0,defect=0', 'must sum to 1, got 1.1'),
        ('matrix=1,austenite=0,martensite_austenite=0,defect=-0', None),
        ('matrix=1.1,austenite=0,martensite_austenite=0,defect=-0.1', r"defect: a share must be .* got '-0.1'"),
        ('matrix=1,matrix=0', 'gives matrix twice'),
        ('matrix=1,,defect=0', "'' is not name=share"),
        ('matrix=', "'matrix=' is not name=share"),
    ],
)
def test_errors_of_a_text_name_the_class(text, message):
    if message is None:
        assert RequestedFractions.from_text(text, CLASSES).vectors.tolist() == [[1, 0, 0, 0]]
        return
    with pytest.raises(ValueError, match=message):
        RequestedFractions.from_text(text, CLASSES)


def test_vectors_are_checked_too():
    with pytest.raises(ValueError, match=r'must be \(R, 4\)'):
        RequestedFractions(torch.eye(3), CLASSES)
    with pytest.raises(ValueError, match=r'must be \(1, 4\).*got \(4, 4\)'):
        RequestedFractions(torch.eye(4), CLASSES, repeat=True)
    with pytest.raises(ValueError, match='vector 1: the share of defect must be in'):
        RequestedFractions(torch.tensor([[1, 0, 0, 0], [0.6, 0.6, 0, -0.2]]), CLASSES)


def test_the_description_tells_requests_apart(tmp_path):
    first = RequestedFractions.from_csv(write(tmp_path, HEADER + '0.5,0.5,0,0\n'), CLASSES)
    other = RequestedFractions.from_csv(write(tmp_path, HEADER + '0.4,0.6,0,0\n'), CLASSES)
    text = RequestedFractions.from_text('austenite=0.5,matrix=0.5,defect=0,martensite_austenite=0', CLASSES)
    assert first.describe() == dict(first.describe(), type='RequestedFractions', vectors=1, num=1)
    assert first.describe() != other.describe()
    assert first.describe() != text.describe()
