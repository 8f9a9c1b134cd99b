from mmseg_pfdiff.changes import changes, describe_changes


def test_changes_have_paths_and_both_values():
    before = dict(a=1, b=dict(c=[1, 2], d=3), e=[1], g=None)
    now = dict(b=dict(c=[1, 5], d=4), e=[1, 2], f=dict(x=1), a=1)
    expected = [('b.d', 3, 4), ('e', [1], [1, 2]), ('f', None, dict(x=1))]
    assert list(changes(before, now)) == [('b.c', [1, 2], [1, 5]), *expected]
    assert list(changes(before, now, lists=True)) == [('b.c.1', 2, 5), *expected]
    assert list(changes(before, before)) == []


def test_differences_in_words():
    there = dict(size=16, names=['a', 'b', 'c'], model='m' * 200, weights=dict(small='x', large='y'), order=[1, 2])
    here = dict(size=20, names=['a', 'c', 'd'], model='m' * 201, weights=dict(small='x', large='z'), order=[2, 1])
    assert describe_changes(there, here) == [
        'model differs',
        "names is ['b'] there and ['d'] here",
        'order differs',
        'size is 16 there and 20 here',
        "weights.large is 'y' there and 'z' here",
    ]
    assert describe_changes(there, there) == []
