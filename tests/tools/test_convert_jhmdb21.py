import importlib
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import DATASETS
from mmengine.registry import DefaultScope
from scipy.io import savemat

from ssvad.annotations import (
    load_annotations,
    load_masks,
    read_split,
    split_by_class,
)
from ssvad.datasets.tube_masks import boxes_to_masks
from ssvad.video_io import write_video
from tests.helpers import ROOT

FRAMES, HEIGHT, WIDTH = 12, 36, 48
# names as the dataset has them
NAMES = {
    'golf': ['Golf_Swing_@6Iron_golf_f_cm_np1_fr_med_1', 'golf_0', 'golf_1'],
    'pick': ['#122_Cleaning_Up_pick_f_nm_np1_fr_bad_0', 'THE_TRICK!!!_pick_f_2'],
    'wave': ['(_sterreich)_wave_f_nm_np1_le_med_1', 'wave_v1.2_0'],
}


@pytest.fixture(scope='module')
def jhmdb():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / 'tools')
        return importlib.import_module('convert_jhmdb21')


def disc(seed, frames=FRAMES):
    """An actor (F, h, w) that walks to the right."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    left = 10 + seed + np.arange(frames)[:, None, None]
    return ((x - left) ** 2 / 36 + (y - 15 - seed) ** 2 / 121 <= 1).astype(np.uint8)


def write_masks(root, video_id, masks, **kwargs):
    path = root / 'puppet_mask' / video_id / 'puppet_mask.mat'
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {'part_mask': np.moveaxis(masks, 0, 2), 'extra': 'a text'}
    savemat(path, content, do_compression=True, **kwargs)


def write_frames(root, video_id, masks):
    frames = np.repeat(masks[..., None] * 255, 3, axis=3)
    write_video(root / 'ReCompress_Videos' / f'{video_id}.avi', frames, crf=4)


@pytest.fixture
def root(tmp_path):
    """Seven videos in the layout of the dataset's site, the first of a class tested."""
    for name, videos in NAMES.items():
        lines = []
        for index, video in enumerate(videos):
            write_masks(tmp_path, f'{name}/{video}', disc(index))
            write_frames(tmp_path, f'{name}/{video}', disc(index))
            lines.append(f'{video}.avi {1 if index else 2} \n')
        (tmp_path / 'splits').mkdir(exist_ok=True)
        (tmp_path / f'splits/{name}_test_split1.txt').write_text(''.join(lines))
        (tmp_path / f'splits/{name}_test_split2.txt').write_text('not read')
    (tmp_path / 'puppet_mask/.AppleDouble').mkdir()
    return tmp_path


def converted(jhmdb, root, capsys):
    """Videos by id, and what was printed."""
    jhmdb.main([str(root)])
    videos = load_annotations(root / 'annotations.json')['videos']
    return {video['id']: video for video in videos}, capsys.readouterr().out


def outputs(folder):
    files = [folder / 'annotations.json', *folder.glob('splits/t*.txt')]
    files += (folder / 'masks').rglob('*.*')
    return {path.relative_to(folder): path.read_bytes() for path in files}


def test_masks_boxes_and_lists(root, tool, capsys):
    tool('convert_jhmdb21.py', root)
    printed = capsys.readouterr().out
    assert 'nothing irregular' in printed and 'videos: 7, WARNING: not 928' in printed
    annotations = load_annotations(root / 'annotations.json')
    assert annotations['classes'] == ['golf', 'pick', 'wave']
    expected = {f'{c}/{v}': i for c in NAMES for i, v in enumerate(NAMES[c])}
    for video in annotations['videos']:
        masks = disc(expected[video['id']])
        shape = video['num_frames'], video['height'], video['width']
        assert shape == masks.shape and video['file'] == video['id'] + '.avi'
        loaded = load_masks(root / 'masks' / video['masks'], np.arange(FRAMES), shape)
        assert np.array_equal(loaded, masks)
        (tube,) = video['tubes']
        assert tube['start'] == 0 and len(tube['boxes']) == FRAMES
        name = annotations['classes'][tube['label']]
        assert video['id'].startswith(f'{name}/')
    test = [f'{name}/{videos[0]}' for name, videos in NAMES.items()]
    assert read_split(root / 'splits/test.txt') == test
    train = read_split(root / 'splits/train.txt')
    assert sorted(train + test) == sorted(expected)


def test_the_dataset_reads_what_was_written(root, jhmdb, capsys):
    converted(jhmdb, root, capsys)
    cfg = dict(
        type='TubeDataset',
        data_root=str(root),
        ann_file='annotations.json',
        split_file='splits/test.txt',
        data_prefix=dict(video='ReCompress_Videos', mask='masks'),
        pipeline=[
            dict(type='SampleWholeVideo', clip_len=8, frame_interval=2),
            dict(type='OpenVideo'),
            dict(type='DecordDecode'),
            dict(type='TubesToMask'),
        ],
    )
    with DefaultScope.overwrite_default_scope('mmaction'):
        results = DATASETS.build(cfg)[1]
    assert results['label'] == 1
    valid = results['frame_valid']
    seen = np.stack(results['imgs']).mean(-1) > 127
    assert valid.sum() == FRAMES
    assert (seen == results['gt_mask'])[valid].mean() > 0.99


def test_equal_input_gives_equal_bytes(root, jhmdb, tmp_path_factory):
    jhmdb.main([str(root)])
    first = outputs(root)
    assert len(first) == 1 + 2 + 7
    jhmdb.main([str(root)])
    assert outputs(root) == first
    other = tmp_path_factory.mktemp('other')
    jhmdb.main([str(root), '--out-dir', str(other)])
    assert outputs(other) == first


def test_masks_and_videos_of_different_length(root, jhmdb, capsys):
    write_masks(root, 'golf/golf_0', disc(1, FRAMES - 3))
    write_masks(root, 'golf/golf_1', disc(2, FRAMES + 2))
    videos, printed = converted(jhmdb, root, capsys)
    assert '3 frames behind the last mask, left out: golf/golf_0 x3' in printed
    assert '2 masks behind the last frame, left out: golf/golf_1 x2' in printed
    for video_id, frames in (('golf/golf_0', FRAMES - 3), ('golf/golf_1', FRAMES)):
        video = videos[video_id]
        assert video['num_frames'] == len(video['tubes'][0]['boxes']) == frames
        shape = frames, HEIGHT, WIDTH
        load_masks(root / 'masks' / video['masks'], np.arange(frames), shape)


def test_empty_masks_end_a_tube(root, jhmdb, capsys):
    masks = disc(1)
    masks[[0, 5, 6]] = 0
    write_masks(root, 'golf/golf_0', masks)
    write_masks(root, 'golf/golf_1', np.zeros_like(masks))
    videos, printed = converted(jhmdb, root, capsys)
    tubes = videos['golf/golf_0']['tubes']
    assert [(t['start'], len(t['boxes'])) for t in tubes] == [(1, 4), (7, 5)]
    assert videos['golf/golf_0']['num_frames'] == FRAMES
    assert '3 frames with an empty mask: golf/golf_0 x3' in printed
    assert '1 tubes split at empty masks: golf/golf_0' in printed
    assert '1 videos without any mask, dropped: golf/golf_1' in printed
    assert 'golf/golf_1' not in videos
    assert 'golf/golf_1' not in read_split(root / 'splits/train.txt')


def outer_lines(masks, axis):
    """First and last row or column in which each of the masks (F, h, w) has a pixel."""
    lines = [mask.any(axis - 1).nonzero()[0] for mask in masks if mask.any()]
    return [(line[0], line[-1]) for line in lines]


@settings(max_examples=80, deadline=None)
@given(frames=st.integers(1, 5), seed=st.integers(0, 9999), share=st.floats(0, 0.3))
def test_boxes_are_tight_and_half_open(jhmdb, frames, seed, share):
    masks = np.random.default_rng(seed).random((frames, 5, 7)) < share
    tubes = jhmdb.tubes_around(masks, 4)
    dense = np.full((1, frames, 4), np.nan)
    for tube in tubes:
        assert tube['label'] == 4 and np.isnan(dense[0, max(tube['start'] - 1, 0), 0])
        dense[0, tube['start'] : tube['start'] + len(tube['boxes'])] = tube['boxes']
    drawn = boxes_to_masks(dense, 5, 7).astype(bool)
    for axis in (1, 2):
        # sides of a box that touches its mask on all four
        assert np.array_equal(*(outer_lines(part, axis) for part in (masks, drawn)))
    assert not (masks & ~drawn).any()


@pytest.mark.parametrize('dtype', [bool, np.uint8, np.int16, np.float64])
def test_any_kind_of_number_and_a_single_frame(root, jhmdb, capsys, dtype):
    masks = disc(1)[:1].astype(dtype)
    write_masks(root, 'golf/golf_0', masks)
    videos, printed = converted(jhmdb, root, capsys)
    assert videos['golf/golf_0']['num_frames'] == 1 and 'other values' not in printed
    if dtype is not bool:
        write_masks(root, 'golf/golf_0', disc(1).astype(dtype) * 7)
        again, printed = converted(jhmdb, root, capsys)
        assert 'other values than 0 and 1 in a mask: golf/golf_0' in printed
        assert len(again['golf/golf_0']['tubes'][0]['boxes']) == FRAMES


def test_videos_that_are_missing_of_another_size_or_in_no_list(root, jhmdb, capsys):
    folder = root / 'ReCompress_Videos'
    (folder / 'golf/golf_0.avi').unlink()
    write_frames(root, 'golf/golf_1', np.zeros((FRAMES, 48, 48), np.uint8))
    (folder / 'wave/wave_v1.2_0.avi').write_bytes(b'RIFF and nothing else')
    (root / 'splits/pick_test_split1.txt').write_text('a.avi 1\n')
    videos, printed = converted(jhmdb, root, capsys)
    assert '1 videos missing, dropped: golf_0.avi' in printed
    assert '1 videos of another size, dropped: golf_1.avi' in printed
    assert ' dropped: wave_v1.2_0.avi' in printed
    assert '2 videos that the split file does not name: pick/#122_' in printed
    assert '1 videos of the split file without a mask file: pick/a' in printed
    left = [f'golf/{NAMES["golf"][0]}', *(f'pick/{name}' for name in NAMES['pick'])]
    assert sorted(videos) == sorted([*left, f'wave/{NAMES["wave"][0]}'])
    assert len(read_split(root / 'splits/test.txt')) == 2
    assert not (root / 'splits/train.txt').exists()


def test_without_videos_nothing_is_checked_against_them(root, jhmdb, capsys):
    (root / 'ReCompress_Videos').rename(root / 'videos')
    videos, printed = converted(jhmdb, root, capsys)
    assert 'lengths and sizes are not checked' in printed and len(videos) == 7


def test_numbers_are_compared_with_the_published_ones(root, jhmdb, capsys, monkeypatch):
    for index in range(2, 8):
        write_masks(root, f'golf/golf_{index}', disc(1))
        write_frames(root, f'golf/golf_{index}', disc(1))
        with open(root / 'splits/golf_test_split1.txt', 'a') as file:
            file.write(f'golf_{index}.avi {1 if index < 7 else 0}\n')
    own = dict(zip(jhmdb.PUBLISHED, (3, 13, 9, 3, 1, 2)))
    monkeypatch.setattr(jhmdb, 'PUBLISHED', own)
    videos, printed = converted(jhmdb, root, capsys)
    assert printed.count('as published') == 6 and 'WARNING' not in printed
    train = [videos[name] for name in read_split(root / 'splits/train.txt')]
    for percent, number in ((20, 1), (30, 2)):
        assert len(split_by_class(train, percent / 100, 47)[0]) == number


@pytest.mark.parametrize('line', ['golf_0.avi', 'x.avi 3', '.avi 1', 'golf_0.avi 2'])
def test_lines_of_another_form_are_named(root, jhmdb, line):
    path = root / 'splits/golf_test_split1.txt'
    path.write_text(f'golf_0.avi 1\n\n{line}\n')
    with pytest.raises(ValueError, match=r"golf_test_split1\.txt: line 3: .*got '"):
        jhmdb.main([str(root)])


def test_damaged_masks_are_named(root, jhmdb):
    path = root / 'puppet_mask/golf/golf_1/puppet_mask.mat'
    whole = path.read_bytes()
    for raw in (b'', b'text', whole[: len(whole) // 2]):
        path.write_bytes(raw)
        with pytest.raises(ValueError, match=r'golf_1.puppet_mask\.mat: '):
            jhmdb.main([str(root)])
    savemat(path, {'mask': np.zeros((4, 4, 2))})
    with pytest.raises(ValueError, match=r'golf_1.puppet_mask\.mat: .*part_mask'):
        jhmdb.main([str(root)])
    savemat(path, {'part_mask': np.zeros((4, 4, 2, 2))})
    with pytest.raises(ValueError, match=r'golf_1.*\(h, w, frames\).*got \(4, 4, 2, 2'):
        jhmdb.main([str(root)])
    assert not (root / 'annotations.json').exists()


def test_missing_folders_and_scipy(root, jhmdb, tmp_path_factory, monkeypatch):
    empty = tmp_path_factory.mktemp('empty')
    with pytest.raises(SystemExit, match='no puppet_mask/<class>/<video>/puppet_mask'):
        jhmdb.main([str(empty)])
    (root / 'splits/wave_test_split1.txt').unlink()
    with pytest.raises(FileNotFoundError, match='wave_test_split1'):
        jhmdb.main([str(root)])
    monkeypatch.setitem(sys.modules, 'scipy.io', None)
    with pytest.raises(ImportError, match='pip install scipy'):
        jhmdb.main([str(root)])
