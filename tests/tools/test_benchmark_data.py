import importlib.util

import numpy as np
import pytest

from ssvad.annotations import load_annotations
from ssvad.datasets.frame_reader import iter_frames
from tests.helpers import ROOT

path = ROOT / 'tools/benchmark_data.py'
spec = importlib.util.spec_from_file_location(path.stem, path)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp('made')
    rng = np.random.default_rng(0)
    return tool.make_videos(str(folder), [20, 30], rng)


def test_made_videos_fit_their_annotation(made):
    ann_file, video_dir = made
    videos = load_annotations(ann_file)['videos']
    assert [video['num_frames'] for video in videos] == [20, 30]
    frames = np.stack(list(iter_frames(f'{video_dir}/1.mp4')))
    assert frames.shape == (30, 240, 320, 3)
    # the box is darker in texture than what it moves over
    x1, y1, x2, y2 = videos[1]['tubes'][0]['boxes'][17]
    inside = frames[17, y1 + 8 : y2 - 8, x1 + 8 : x2 - 8]
    assert inside.std() < 0.7 * frames[17, :40].std()


def test_plain_and_configured_samples_hold_the_same_things(made, tmp_path):
    datasets = tool.build_datasets(*made, str(tmp_path))
    readers = {
        name: type(dataset.pipeline.transforms[1]).__name__
        for name, dataset in datasets.items()
    }
    assert readers == dict(decoded='OpenVideo', cached='OpenFrameCache')
    variants = tool.loading_variants(datasets)
    assert list(variants) == ['plain', 'decoded', 'cached']
    plain = variants['plain'](1)
    assert plain['clip'].shape == (3, 8, 224, 224) and plain['clip'].dtype == float
    assert np.array_equal(plain['flipped'], plain['clip'][..., ::-1])
    assert 0.5 < plain['clip'].max() <= 1 and plain['clip'].min() >= 0
    samples = []
    for name in ('decoded', 'cached'):
        np.random.seed(1)
        samples.append(variants[name](1))
    for sample in samples:
        assert sample['inputs'].shape == (2, 3, 8, 224, 224)
        assert (sample['inputs'][1] == sample['inputs'][0].flip(-1)).all()
    assert (samples[0]['inputs'] == samples[1]['inputs']).all()
    mask = samples[0]['data_samples'].gt_mask
    assert mask.shape == plain['mask'].shape
    # a whole box is 140 x 100 and in every frame, cropped by 96 columns at most
    assert 8 * 140 * 4 <= plain['mask'].sum() <= 8 * 140 * 100


def test_masks_of_all_frames_and_interpolated_boxes():
    boxes = np.full((1, 5, 4), np.nan, np.float32)
    boxes[0, 1], boxes[0, 3] = (2, 0, 4, 3), (4, 0, 8, 5)
    masks = tool._draw(boxes, (5, 6, 9, 3))
    assert masks.sum((1, 2)).tolist() == [0, 6, 0, 20, 0]
    filled = tool._interpolate(boxes)
    assert filled[0, 2].tolist() == [3, 0, 6, 4]
    assert np.isnan(filled[0, [0, 4]]).all() and np.isnan(boxes[0, 2]).all()


def test_variants_take_turns():
    calls = []
    variants = {name: lambda i, name=name: calls.append((name, i)) for name in 'ab'}
    seconds = tool.measure(variants, num_videos=2, rounds=3)
    assert calls == [(name, i) for _ in range(4) for i in (0, 1) for name in 'ab']
    assert set(seconds) == {'a', 'b'} and all(value >= 0 for value in seconds.values())


def test_a_table_is_printed(capsys):
    tool.main(['--lengths', '20', '--rounds', '1', '--workers'])
    lines = capsys.readouterr().out.splitlines()[-3:]
    assert [line.split()[0] for line in lines] == ['plain', 'decoded', 'cached']
    assert lines[0].split()[-1] == '1.0x'


@pytest.mark.slow
def test_a_loader_delivers_what_it_is_asked_for(made, tmp_path):
    dataset = tool.build_datasets(*made, str(tmp_path))['cached']
    assert tool.loader_rate(dataset, num_workers=1, num_samples=24) > 0
