from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmaction.structures import ActionDataSample
from mmengine.model import BaseDataPreprocessor

from ssvad.datasets.clip_sampling import whole_video_clips
from ssvad.geometry import ViewGeometry
from ssvad.visualization import ViewPictureHook, draw
from ssvad.visualization.browse import clip_sheet, describe, spread, video_sheet

CLASSES = ['jump', 'run']
BAR, SIDE = 18, 112


def sample_of(label=None, mask=None, **known):
    sample = ActionDataSample()
    sample.set_metainfo(dict(video_id='day 1/clip', **known))
    if label is not None:
        sample.set_gt_label(label)
    if mask is not None:
        sample.set_field(mask, 'gt_mask')
    return sample


def cell(sheet, row, column, side=SIDE):
    """The picture in a row and column of a sheet, without caption and gap."""
    top = BAR + row * (BAR + side) + BAR
    left = column * (side + 2)
    return sheet[top : top + side, left : left + side]


def tinted(picture):
    """Where the green of a mask is, on a grey frame."""
    return picture[..., 1] > picture[..., 0]


@pytest.mark.parametrize('geometry, columns', [
    (ViewGeometry(), (0, 28)),
    (ViewGeometry(hflip=True), (84, 112)),
    (ViewGeometry(crop=(0, 0, 0.5, 1)), (0, 56)),
    (ViewGeometry(crop=(0, 0, 0.5, 1), hflip=True), (56, 112)),
    (ViewGeometry(crop=(0.5, 0, 0.5, 1)), (0, 0)),
])  # fmt: skip
def test_the_truth_is_drawn_where_the_view_shows_it(geometry, columns):
    clips = torch.full((2, 3, 8, SIDE, SIDE), 100, dtype=torch.uint8)
    mask = torch.zeros(8, SIDE, SIDE, dtype=torch.uint8)
    mask[3:, :, :28] = 1
    views = dict(base=ViewGeometry(), other=geometry)
    sheet = clip_sheet(clips, sample_of(1, mask, views=views), CLASSES)
    expected = np.zeros((SIDE, SIDE), bool)
    expected[:, slice(*columns)] = True
    for column in range(8):
        found = tinted(cell(sheet, 1, column))
        assert (found == (expected & (column >= 3))).all()
        assert tinted(cell(sheet, 0, column)).sum() == 28 * SIDE * (column >= 3)


def test_unlabelled_clips_are_marked_and_show_no_truth():
    clips = torch.full((1, 3, 8, SIDE, SIDE), 100, dtype=torch.uint8)
    mask = torch.ones(8, SIDE, SIDE, dtype=torch.uint8)
    known = clip_sheet(clips, sample_of(0, mask), CLASSES)
    unknown = clip_sheet(clips, sample_of(), CLASSES)
    assert known.shape == unknown.shape == (2 * BAR + SIDE, 8 * SIDE + 14, 3)
    assert tuple(known[0, -1]) == draw.DARK_GREEN
    assert tuple(unknown[0, -1]) == draw.ORANGE
    assert (cell(unknown, 0, 3) == 100).all()
    # no words other than those above the pictures
    assert (unknown[:BAR] != draw.ORANGE).any()


@pytest.mark.parametrize('sample, expected', [
    (sample_of(), 'UNLABELLED'),
    (sample_of(1), 'labelled: run'),
    (sample_of(0, torch.ones(8, 4, 4)), 'labelled: jump, 100.0% of all pixels'),
    (sample_of(0, torch.zeros(8, 4, 4)), 'labelled: jump, NOT IN PICTURE'),
])  # fmt: skip
def test_a_sample_in_words(sample, expected):
    assert describe(sample, CLASSES) == expected


def test_maps_follow_below_the_views():
    clips = torch.full((2, 3, 8, SIDE, SIDE), 100, dtype=torch.uint8)
    views = dict(base=ViewGeometry(), flip=ViewGeometry(hflip=True))
    values = torch.zeros(8, SIDE, SIDE)
    values[5] = 1
    maps = dict(mask=values, attention=1 - values)
    sheet = clip_sheet(clips, sample_of(views=views), CLASSES, maps)
    assert len(sheet) == BAR + 4 * (BAR + SIDE)
    for row, hot in ((2, [5]), (3, [0, 1, 2, 3, 4, 6, 7])):
        for column in range(8):
            red, _, blue = cell(sheet, row, column).mean((0, 1))
            assert (red > blue) == (column in hot)


def test_small_frames_are_enlarged_and_long_clips_shown_in_part():
    clips = torch.zeros(1, 3, 16, 24, 48, dtype=torch.uint8)
    clips[:] = torch.arange(16, dtype=torch.uint8).view(16, 1, 1)
    sheet = clip_sheet(clips, sample_of(), CLASSES, min_width=100)
    assert sheet.shape == (2 * BAR + 72, 8 * 144 + 14, 3)
    middle = sheet[-30, 72::146, 0]
    assert middle.tolist() == spread(16, 8) == [0, 2, 4, 6, 9, 11, 13, 15]


@given(st.integers(1, 500), st.integers(1, 12))
def test_spread_goes_from_end_to_end(total, count):
    chosen = spread(total, count)
    assert chosen == sorted(set(chosen)) and len(chosen) == min(total, count)
    assert chosen[0] == 0
    assert chosen[-1] == (total - 1 if count > 1 else 0)
    steps = np.diff(chosen)
    assert not len(steps) or steps.max() - steps.min() <= 1


@pytest.mark.parametrize('total', [37, 5])
def test_videos_are_shown_in_the_order_of_their_frames(total):
    inds, valid = whole_video_clips(total, 8, 2)
    clips = torch.from_numpy(inds.reshape(-1, 1, 8, 1, 1).astype(np.uint8) * 3)
    clips = clips.expand(-1, 3, 8, SIDE, SIDE)
    mask = torch.zeros(len(inds), SIDE, SIDE, dtype=torch.uint8)
    mask[torch.from_numpy((inds % 3 == 0) & valid)] = 1
    known = dict(frame_inds=inds, frame_valid=valid)
    plain = video_sheet(clips, sample_of(0, **known), CLASSES)
    chosen = spread(total, 8)
    for column, frame in enumerate(chosen):
        assert (cell(plain, 0, column) == 3 * frame).all()
    sheet = video_sheet(clips, sample_of(0, mask, **known), CLASSES)
    marked = [tinted(cell(sheet, 0, column)).all() for column in range(len(chosen))]
    assert marked == [frame % 3 == 0 for frame in chosen]


def test_crops_of_a_video_are_put_together():
    inds, valid = whole_video_clips(16, 8, 2)
    clips = torch.zeros(4, 3, 8, SIDE, SIDE, dtype=torch.uint8)
    clips[2:] = 200  # the second crop lies to the right
    crops = np.array([[0, 0, 0.5, 1], [0.5, 0, 0.5, 1]])
    known = dict(frame_inds=inds, frame_valid=valid)
    known.update(crop_quadruple=np.array([0, 0, 1, 1]), crop_quadruples=crops)
    sheet = video_sheet(clips, sample_of(**known), CLASSES)
    first = sheet[2 * BAR :, : 2 * SIDE]
    assert (first[:, :SIDE] == 0).all() and (first[:, SIDE:] == 200).all()


def test_hook_draws_the_first_clip_of_each_kind(tmp_path):
    class Model(torch.nn.Module):
        data_preprocessor = BaseDataPreprocessor()

        def method_maps(self, inputs, samples):
            assert not self.training and not torch.is_grad_enabled()
            rows = torch.linspace(0, 1, len(samples)).view(-1, 1, 1, 1)
            return dict(rows=rows.expand(-1, 8, SIDE, SIDE))

    model = Model()
    loader = SimpleNamespace(dataset=SimpleNamespace(metainfo=dict(classes=CLASSES)))
    runner = SimpleNamespace(
        model=model,
        epoch=1,
        work_dir=str(tmp_path),
        train_dataloader=loader,
        visualizer=SimpleNamespace(_vis_backends={}),
    )
    mask = torch.ones(8, SIDE, SIDE, dtype=torch.uint8)
    batch = dict(
        inputs=[torch.full((1, 3, 8, SIDE, SIDE), 100, dtype=torch.uint8)] * 3,
        data_samples=[sample_of(0, mask), sample_of(1, mask), sample_of()],
    )
    hook = ViewPictureHook(interval=2)
    hook.after_train_iter(runner, 1, batch, {})
    assert not (tmp_path / 'pictures').exists()
    hook.after_train_iter(runner, 0, batch, {})
    assert model.training
    sheets = {p.name: cv2.imread(str(p))[..., ::-1] for p in tmp_path.rglob('*.png')}
    known, unknown = (
        sheets.pop(f'views_epoch_2_{kind}.png') for kind in ('labelled', 'unlabelled')
    )
    assert not sheets
    assert tinted(cell(known, 0, 4)).all() and not tinted(cell(unknown, 0, 4)).any()
    # each with its own maps: those of the first and of the last clip
    assert cell(known, 1, 4)[..., 2].mean() > cell(known, 1, 4)[..., 0].mean()
    assert cell(unknown, 1, 4)[..., 0].mean() > cell(unknown, 1, 4)[..., 2].mean()
