import copy
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssvad.annotations import (
    load_annotations,
    load_masks,
    read_split,
    save_annotations,
    save_masks,
    split_by_class,
    write_split,
)

WIDTH, HEIGHT, FRAMES = 64, 48, 12
printable = st.text(min_size=1, max_size=12).filter(
    lambda text: text.isprintable() and text == text.strip() and text[0] != '#'
)


def side(limit):
    return st.lists(
        st.floats(0, limit) | st.integers(0, limit).map(float),
        min_size=2,
        max_size=2,
        unique=True,
    ).map(sorted)


@st.composite
def tubes(draw, classes):
    start = draw(st.integers(0, FRAMES - 1))
    xs = draw(st.lists(side(WIDTH), min_size=1, max_size=FRAMES - start))
    ys = [draw(side(HEIGHT)) for _ in xs]
    boxes = [[x1, y1, x2, y2] for (x1, x2), (y1, y2) in zip(xs, ys)]
    return {'label': draw(st.integers(0, classes - 1)), 'start': start, 'boxes': boxes}


@st.composite
def contents(draw):
    names = draw(st.lists(printable, min_size=1, max_size=3, unique=True))
    ids = draw(st.lists(printable, max_size=3, unique=True))
    videos = [
        {
            'id': video_id,
            'file': f'a b/é{index}.mp4',
            'width': WIDTH,
            'height': HEIGHT,
            'num_frames': FRAMES,
            'tubes': draw(st.lists(tubes(len(names)), max_size=2)),
        }
        for index, video_id in enumerate(ids)
    ]
    for with_masks in videos[::2]:
        with_masks['masks'] = 'é b/masks.npz'
    return names, videos


def video(video_id='Dive/v_1', label=1, num_tubes=2):
    boxes = [[1, 2, 11, 12.5], [2, 3, 12, 13], [3, 4, 13, 14]]
    return {
        'id': video_id,
        'file': f'{video_id}.mp4',
        'width': WIDTH,
        'height': HEIGHT,
        'num_frames': FRAMES,
        'tubes': [
            {'label': label, 'start': 4, 'boxes': copy.deepcopy(boxes)}
            for _ in range(num_tubes)
        ],
    }


@settings(max_examples=60, deadline=None)
@given(contents())
def test_what_is_saved_is_loaded(tmp_path_factory, content):
    path = tmp_path_factory.mktemp('ann') / 'a.json'
    save_annotations(path, *content)
    loaded = load_annotations(path)
    assert (loaded['classes'], loaded['videos']) == content
    first = path.read_bytes()
    save_annotations(path, loaded['classes'], loaded['videos'])
    assert path.read_bytes() == first


def test_boxes_may_be_arrays_and_each_video_has_a_line(tmp_path):
    videos = [video('a'), video('b')]
    plain = copy.deepcopy(videos)
    for tube in videos[0]['tubes']:
        tube['boxes'] = np.array(tube['boxes'], dtype=np.float32)
    save_annotations(tmp_path / 'deep/a.json', ('Bike', 'Dive'), videos)
    assert load_annotations(tmp_path / 'deep/a.json')['videos'] == plain
    lines = (tmp_path / 'deep/a.json').read_text().splitlines()
    assert [line.count('"id"') for line in lines] == [0, 0, 0, 1, 1, 0]


@pytest.mark.parametrize(
    'raw',
    [
        b'',
        b'\0\0\0',
        b'\xff\xfe',
        b'[1, 2',
        b'[' * 100_000,
        b'[]',
        b'{}',
        b'{"format": "ssvad-tubes-2"}',
        b'{"format": "ssvad-tubes-1", "classes": ["a"]}',
        b'{"format": "ssvad-tubes-1", "classes": ["a"], "videos": {}}',
        b'{"format": "ssvad-tubes-1", "classes": ["a"], "videos": [3]}',
    ],
)
def test_other_files_are_refused_by_name(tmp_path, raw):
    path = tmp_path / 'a.json'
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r'a\.json: '):
        load_annotations(path)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)),
    inds=st.lists(st.integers(0, 3), max_size=6),
    seed=st.integers(0, 99),
)
def test_saved_masks_are_loaded_in_the_order_asked_for(
    tmp_path_factory, shape, inds, seed
):
    masks = np.random.default_rng(seed).integers(-1, 3, shape)
    path = tmp_path_factory.mktemp('masks') / 'class/video.npz'
    save_masks(path, masks)
    inds = np.array(inds, int) % shape[0]
    loaded = load_masks(path, inds, shape)
    assert loaded.dtype == np.uint8
    assert np.array_equal(loaded, masks[inds] > 0)
    first = path.read_bytes()
    save_masks(path, masks.astype(np.float32))
    assert path.read_bytes() == first
    assert list(path.parent.iterdir()) == [path]


def test_a_mask_file_is_one_bit_a_pixel_and_needs_no_pickle(tmp_path):
    masks = np.random.default_rng(0).integers(0, 2, (40, 121, 161))
    save_masks(tmp_path / 'a.npz', masks)
    with np.load(tmp_path / 'a.npz', allow_pickle=False) as arrays:
        assert arrays['shape'].tolist() == [40, 121, 161]
        assert arrays['bits'].dtype == np.uint8
        assert arrays['bits'].shape == (40, 121 * 161 // 8 + 1)


def test_masks_of_another_video_are_refused(tmp_path):
    path = tmp_path / 'a.npz'
    save_masks(path, np.ones((3, 4, 6)))
    wanted = r'a\.npz: .*\(frames, height, width\) = \(3, 6, 4\).*got \(3, 4, 6\)'
    with pytest.raises(ValueError, match=wanted):
        load_masks(path, np.array([0]), (3, 6, 4))
    bits, shape = np.zeros((3, 2), np.uint8), np.array([3, 4, 6])
    np.savez(path, bits=bits, shape=shape)
    with pytest.raises(ValueError, match=r'a\.npz: .*\(3, 3\) uint8.*got \(3, 2\)'):
        load_masks(path, np.array([0]), (3, 4, 6))
    with pytest.raises(FileNotFoundError, match=r'none\.npz'):
        load_masks(tmp_path / 'none.npz', np.array([0]), (3, 4, 6))
    with pytest.raises(ValueError, match=r'b\.npz: .*\(F, h, w\), got \(4, 6\)'):
        save_masks(tmp_path / 'b.npz', np.ones((4, 6)))
    assert not (tmp_path / 'b.npz').exists()


def test_what_is_no_mask_file_is_refused_by_name(tmp_path):
    path = tmp_path / 'a.npz'

    def refused():
        with pytest.raises(ValueError, match=r'a\.npz: not an npz mask file'):
            load_masks(path, np.array([0]), (3, 4, 6))

    save_masks(path, np.ones((3, 4, 6)))
    whole = path.read_bytes()
    for raw in (b'', b'text', whole[:-30], whole[: len(whole) // 2]):
        path.write_bytes(raw)
        refused()
    np.savez(path, masks=np.ones((3, 4, 6)))
    refused()
    with open(path, 'wb') as file:
        np.save(file, np.ones((3, 4, 6)))
    refused()
    # an array of objects would be a pickle
    np.savez(path, bits=np.array([[1], None], object), shape=np.array([3, 4, 6]))
    refused()


@settings(max_examples=50, deadline=None)
@given(ids=st.lists(printable, min_size=1, unique=True), comment=printable)
def test_split_list_round_trip(tmp_path_factory, ids, comment):
    path = tmp_path_factory.mktemp('split') / 'new/list.txt'
    write_split(path, ids, comment)
    assert read_split(path) == ids


def test_split_list_comments_and_line_ends(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_bytes(b'\xef\xbb\xbf# head\r\n\r\n a/b c \r\n  # no\r\nv#2')
    assert read_split(path) == ['a/b c', 'v#2']


def test_split_list_mistakes(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('a\n\nb\na\n')
    with pytest.raises(ValueError, match=r"list\.txt: line 4: 'a' .* line 1"):
        read_split(path)
    path.write_text('# nothing\n')
    with pytest.raises(ValueError, match=r'list\.txt: .* found none'):
        read_split(path)


def collection(sizes):
    return [
        video(f'{label}/{index}', label, 1)
        for label, size in enumerate(sizes)
        for index in range(size)
    ]


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    percent=st.integers(1, 99),
    seed=st.integers(0, 9),
)
def test_floor_of_every_class_is_labelled(sizes, percent, seed):
    videos = collection(sizes)
    counts = [int(Decimal(percent) * size / 100) for size in sizes]
    if not any(counts):
        with pytest.raises(ValueError, match='labels no video'):
            split_by_class(videos, percent / 100, seed)
        return
    labeled, unlabeled = split_by_class(videos, percent / 100, seed)
    for label, count in enumerate(counts):
        assert sum(name.startswith(f'{label}/') for name in labeled) == count
    assert sorted(labeled + unlabeled) == sorted(v['id'] for v in videos)
    assert split_by_class(videos[::-1], percent / 100, seed) == (labeled, unlabeled)


def test_fraction_is_the_decimal_it_prints_as():
    assert 0.29 * 100 < 29
    assert len(split_by_class(collection([100]), 0.29, 0)[0]) == 29


def test_larger_fraction_contains_the_smaller():
    videos = collection([30, 50])
    parts = [set(split_by_class(videos, f, 3)[0]) for f in (0.1, 0.2, 0.5)]
    assert parts[0] < parts[1] < parts[2]


def test_seed_chooses_and_every_video_can_be_chosen():
    videos = collection([10])
    draws = [split_by_class(videos, 0.2, seed)[0] for seed in range(40)]
    assert len({tuple(draw) for draw in draws}) > 20
    assert {name for draw in draws for name in draw} == {v['id'] for v in videos}


def test_split_is_the_same_for_ever():
    # Published splits must not change with a release.
    labeled, _ = split_by_class(collection([10, 5]), 0.4, 47)
    assert labeled == ['0/5', '0/7', '0/8', '0/9', '1/1', '1/3']


def test_video_without_tubes_is_never_labelled():
    videos = [*collection([4]), video('empty', num_tubes=0)]
    labeled, unlabeled = split_by_class(videos, 0.9, 0)
    assert len(labeled) == 3
    assert 'empty' in unlabeled


@pytest.mark.parametrize('fraction', [0, 1, -0.1, 1.5, float('nan')])
def test_fraction_out_of_range(fraction):
    with pytest.raises(ValueError, match='between 0 and 1'):
        split_by_class(collection([4]), fraction, 0)
