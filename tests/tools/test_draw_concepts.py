"""tools/draw_concepts.py and docs/concepts.md: the page's pictures are drawn by it."""

import re

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

import draw_concepts
from network_sketch import BOXES
from tests.docs_pages import blocks, commands, read, words
from tests.helpers import ROOT, TINY_DETECTOR, make_batch

PAGE = read('docs/concepts.md')
PICTURES = re.findall(r'!\[[^\]]*\]\((pictures/\w+\.png)\)', PAGE)
NAMES = {'two_views', 'attention', 'batch', 'ramp', 'network'}


@pytest.mark.slow
def test_the_command_of_the_page(tool, tmp_path):
    tool('make_toy_dataset.py', '--out-dir', 'data/toy', *small())
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile('configs/toy_semi_var.py').model)
    (tmp_path / 'work_dirs/toy_semi_var').mkdir(parents=True)
    path = 'work_dirs/toy_semi_var/epoch_16.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    (block,) = blocks('docs/concepts.md')
    command = commands(block)[-1]
    tool('draw_concepts.py', *words(command)[2:])
    drawn = {file.stem: file for file in (tmp_path / 'docs/pictures').iterdir()}
    assert set(drawn) == NAMES
    for name, file in drawn.items():
        picture = cv2.imread(str(file))
        assert picture.std() > 5
        # those of the page are made by the same code
        committed = cv2.imread(str(ROOT / f'docs/pictures/{name}.png'))
        assert np.abs(np.subtract(picture.shape, committed.shape)).max() < 12


def small():
    return ['--num-train', '24', '--num-test', '4', '--labeled-fraction', '0.5']


def test_the_page_shows_all_pictures_and_they_are_small():
    assert {name.split('/')[1][:-4] for name in PICTURES} == NAMES
    for file in (ROOT / 'docs/pictures').glob('*.png'):
        assert file.stat().st_size < 250_000, file


def masks(value):
    """Logits of both views that disagree in one pixel of one frame."""
    first = torch.full((1, 8, 6, 6), -4.0)
    second = first.clone()
    second[0, 3, 2, 1] = value
    return dict(base=first, flip=second.flip(-1), aligned=second)


PACKED = dict(inputs=torch.zeros(2, 3, 8, 6, 6, dtype=torch.uint8))


def panels(figure):
    return np.reshape(figure.axes, (-1, 8))


@pytest.mark.parametrize('value', [0.0, 3.0])
def test_the_difference_is_where_the_masks_disagree(value):
    *_, last = panels(draw_concepts.draw_views(PACKED, masks(value)))
    difference = np.stack([panel.images[0].get_array() for panel in last])
    assert np.argwhere(difference > 0.5).tolist() == [[3, 2, 1]]
    expected = (1 / (1 + np.exp(-value)) - 1 / (1 + np.exp(4))) ** 2
    assert f'(1 is {expected:.2f})' in last[0].get_ylabel()


def test_the_mirrored_mask_is_shown_as_it_was_seen():
    rows = panels(draw_concepts.draw_views(PACKED, masks(3.0)))
    seen, aligned = (rows[i][3].images[0].get_array() for i in (3, 4))
    assert seen[2, 4] > 0.9 and aligned[2, 1] > 0.9


def test_only_the_ring_sees_what_the_other_view_says():
    rows = panels(draw_concepts.draw_attention(PACKED, masks(3.0)))
    maps = {
        row[0].get_ylabel().split(':')[0]: np.stack(
            [panel.images[0].get_array() for panel in row]
        )
        for row in rows[2:]
    }
    assert list(maps) == ['V', 'VC', 'G']
    assert maps['V'].max() == maps['G'].max() == 0
    assert maps['VC'][3, 2, 1] > 0.9 and maps['VC'][:, 0].max() == 0


def test_masks_of_the_mirror_image_are_mirrored_back():
    init_default_scope('mmaction')
    model = MODELS.build(
        dict(
            type='SemiDetector',
            detector=TINY_DETECTOR,
            method=dict(type='SemiSupConsistency'),
            data_preprocessor=dict(type='ActionDataPreprocessor', format_shape='NCTHW'),
        )
    ).eval()
    inputs, (sample,) = make_batch([None])
    packed = dict(inputs=(inputs[0] * 255).byte(), data_samples=sample)
    found = draw_concepts.masks_of(model, packed)
    assert torch.equal(found['aligned'], found['flip'].flip(-1))
    assert not torch.equal(found['flip'], found['base'])


def test_labelled_clips_come_first_and_their_truth_is_mirrored():
    _, samples = make_batch([None, 1], size=6)
    samples[1].gt_mask[:] = 0
    samples[1].gt_mask[:, 2:4, :2] = 1
    clips = [dict(inputs=PACKED['inputs'], data_samples=s) for s in samples]
    figure = draw_concepts.draw_batch(clips, ['run', 'jump'])
    top, bottom = np.reshape(figure.axes, (2, 2))
    assert [panel.get_title() for panel in top] == ['jump', 'unlabelled']
    for panel, side in (top[0], slice(0, 3)), (bottom[0], slice(3, 6)):
        (outline,) = panel.collections
        columns = outline.get_paths()[0].vertices[:, 0]
        assert side.start - 0.5 <= columns.min() <= columns.max() < side.stop
    assert not top[1].collections and not bottom[1].collections


def test_the_sketch_has_the_sizes_of_the_network():
    init_default_scope('mmaction')
    cfg = Config.fromfile(ROOT / 'configs/ucf24_sup.py')
    with torch.device('meta'):
        model = MODELS.build(cfg.model).eval()
        taps = model.backbone(torch.rand(1, 3, 8, 224, 224))
        head = model.head
        # slices of time are pictures for the capsules and the first layer after them
        poses, activation = head.primary(taps[2][:, :, 0])
        capsules = activation.shape[1]
        values = head.num_classes * poses.shape[1] // capsules
        maps = [head.upsample1(torch.rand(1, values, *poses.shape[-2:]))[:, :, None]]
        for layer in (head.upsample2, head.upsample3):
            maps.append(layer(maps[-1].repeat(1, 2, 1, 1, 1)))

    def size(shape):
        return ' x '.join(map(str, shape))

    texts = {name: text for name, (_, _, text, _) in BOXES.items()}
    for number, (tap, upsampled) in enumerate(zip(taps, maps), 1):
        assert size(tap.shape[1:]) in texts[f'tap{number}']
        assert size(upsampled.shape[1:]) in texts[f'up{number}']
    assert f'{capsules} poses' in texts['primary']
    assert size(poses.shape[-2:]) in texts['primary']
    assert size(poses.shape[-2:]) in texts['routing']
    assert f'{head.num_classes} class' in texts['routing']
