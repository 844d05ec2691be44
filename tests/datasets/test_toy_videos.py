from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssvad.annotation_checks import check_annotations
from ssvad.datasets.toy_scene import (
    CLASSES,
    DIFFICULTIES,
    ToyOptions,
    motion_at,
    sample_scene,
)
from ssvad.datasets.toy_textures import PATCH, SHAPES, shape_alpha
from ssvad.datasets.toy_videos import render_scene, render_video, tubes_of

# Nothing moves but the actors.
STILL = ToyOptions(
    camera_shake=0,
    background_speed=0,
    sprite_drift=0,
    noise=0,
    untrimmed_share=1,
    multi_actor_share=0.5,
)


def is_actor(sprite):
    return sprite.stop > sprite.start


def test_same_arguments_same_video_whatever_came_before():
    first = render_video(3, 'train', 7)
    render_video(3, 'train', 6)
    again = render_video(3, 'train', 7)
    assert (first[0] == again[0]).all()
    assert first[1] == again[1]


def test_seed_split_and_index_matter():
    firsts = [
        render_video(*key)[0][0]
        for key in [(0, 'train', 0), (1, 'train', 0), (0, 'test', 0), (0, 'train', 5)]
    ]
    for i, a in enumerate(firsts):
        for b in firsts[:i]:
            assert abs(a.astype(int) - b).mean() > 5


@pytest.mark.parametrize('difficulty', DIFFICULTIES)
def test_videos_and_tubes_are_well_formed(difficulty):
    options = DIFFICULTIES[difficulty]
    videos = []
    for index in range(15):
        frames, tubes = render_video(5, 'test', index, options)
        assert frames.dtype == np.uint8
        assert frames.shape[1:] == (options.height, options.width, 3)
        assert options.num_frames[0] <= len(frames) <= options.num_frames[1]
        assert 1 <= len(tubes) <= 2
        # One class a video, the classes in turn.
        assert {tube['label'] for tube in tubes} == {index % len(CLASSES)}
        video = {'id': str(index), 'file': 'a.mp4', 'num_frames': len(frames)}
        size = {'width': options.width, 'height': options.height}
        videos.append({**video, **size, 'tubes': tubes})
    check_annotations(list(CLASSES), videos)


def test_box_is_where_the_sprite_can_be_seen():
    """Painting a sprite black, then white, changes exactly the pixels it shows."""
    offsets = []
    for index in range(10):
        scene = replace(sample_scene(2, 'train', index), noise=0.0)
        tubes = tubes_of(scene, render_scene(scene, ToyOptions())[1])
        actors = [i for i, sprite in enumerate(scene.sprites) if is_actor(sprite)]
        assert len(actors) == len(tubes)
        for number, tube in zip(actors, tubes):
            painted = []
            for grey in (0, 255):
                sprites = list(scene.sprites)
                texture = np.full_like(sprites[number].texture, grey)
                sprites[number] = replace(sprites[number], texture=texture)
                repainted = replace(scene, sprites=tuple(sprites))
                painted.append(render_scene(repainted, ToyOptions())[0].astype(int))
            seen = (painted[1] - painted[0])[..., 0] >= 127
            assert tube['start'] == scene.sprites[number].start
            assert len(tube['boxes']) == scene.sprites[number].stop - tube['start']
            for f, box in enumerate(tube['boxes'], tube['start']):
                ys, xs = np.nonzero(seen[f])
                tight = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
                offsets.append(np.subtract(box, tight))
    # Half covered pixels under another sprite's soft edge may be read either way.
    assert np.abs(offsets).max() <= 1
    assert (np.array(offsets) == 0).mean() > 0.99


def test_a_frame_changes_exactly_while_an_actor_acts():
    some_still = 0
    for index in range(10):
        scene = sample_scene(4, 'train', index, STILL)
        frames, _ = render_scene(scene, STILL)
        for f in range(1, len(frames)):
            acting = any(s.start < f < s.stop for s in scene.sprites if is_actor(s))
            assert (frames[f] != frames[f - 1]).any() == acting
            some_still += not acting
    assert some_still > 20


def test_distractors_are_seen_move_slowly_and_have_no_tube():
    options = replace(STILL, sprite_drift=0.2, untrimmed_share=0)
    spans = {True: [], False: []}
    for index in range(0, 60, len(CLASSES)):
        scene = sample_scene(6, 'train', index, options)
        assert CLASSES[scene.label] == 'bounce'
        _, owner = render_scene(scene, options)
        assert len(tubes_of(scene, owner)) == sum(map(is_actor, scene.sprites))
        for number, sprite in enumerate(scene.sprites):
            heights = [np.nonzero(mask)[0].mean() for mask in owner == number]
            spans[is_actor(sprite)].append(np.ptp(heights))
    assert len(spans[False]) > 5
    assert max(spans[False]) < 0.2 * 44 < 0.9 * max(spans[True])
    assert np.median(spans[False]) < 0.5 * np.median(spans[True])


def test_camera_shake_moves_the_boxes_with_the_picture():
    scene = sample_scene(1, 'train', CLASSES.index('spin'), STILL)
    jumped = scene.shake.copy()
    frame = next(s.start for s in scene.sprites if is_actor(s))
    jumped[frame] = (3, -2)
    travel = scene.travel + 4  # leave room on the canvas
    canvas = np.pad(scene.canvas, ((4, 8), (4, 8), (0, 0)), mode='edge')
    room = replace(scene, travel=travel, canvas=canvas)
    shaken = replace(room, shake=jumped)
    plain_frames, plain_owner = render_scene(room, STILL)
    frames, owner = render_scene(shaken, STILL)
    inner = np.s_[5:-5, 5:-5]
    moved = np.roll(plain_frames[frame], (-2, 3), (0, 1))[inner]
    assert (frames[frame][inner] == moved).mean() > 0.99
    moved = np.roll(plain_owner[frame], (-2, 3), (0, 1))[inner]
    assert (owner[frame][inner] == moved).all()


def test_actors_and_distractors_come_from_one_distribution():
    groups = {True: [], False: []}
    for index in range(400):
        scene = sample_scene(8, 'train', index)
        for depth, s in enumerate(scene.sprites):
            depth = depth / max(len(scene.sprites) - 1, 1) if depth else 0
            looks = [s.size, s.amplitude, np.cos(s.turn), np.cos(s.phase), s.speed > 0]
            looks += [*s.home, s.alpha.mean(), s.texture.mean(), s.texture.std()]
            # A lone sprite is always an actor, and says nothing about depth.
            looks.append(depth if len(scene.sprites) > 1 else 0.5)
            groups[is_actor(s)].append(looks)
    actors, others = (np.array(groups[key], float) for key in (True, False))
    assert len(others) > 150
    spread = np.sqrt(actors.var(0) / len(actors) + others.var(0) / len(others))
    assert (abs(actors.mean(0) - others.mean(0)) < 4 * spread).all()


def test_shares_follow_the_options():
    options = ToyOptions(untrimmed_share=0.3, multi_actor_share=0.3, period=(10, 16))
    scenes = [sample_scene(9, 'train', index, options) for index in range(300)]
    actors = [[s for s in scene.sprites if is_actor(s)] for scene in scenes]
    several = [group for group in actors if len(group) == 2]
    assert 0.2 < len(several) / len(scenes) < 0.4
    trimmed = [
        group[0].start == 0 and group[0].stop == scene.num_frames
        for group, scene in zip(actors, scenes)
    ]
    assert 0.6 < np.mean(trimmed) < 0.8
    assert any(a.start != b.start and a.stop != b.stop for a, b in several)
    periods = [2 * np.pi / abs(group[0].speed) for group in actors]
    assert 10 <= min(periods) < 11 < 15 < max(periods) <= 16


# Class -> phase of the mirrored motion, and whether it runs the other way round.
MIRRORED = {
    'bounce': (lambda phase: phase, 1),
    'pulse': (lambda phase: phase, 1),
    'spin': (lambda phase: -phase, -1),
    'sway': (lambda phase: phase + np.pi, 1),
}


@given(
    name=st.sampled_from(CLASSES),
    phase=st.floats(0, 6.3),
    speed=st.sampled_from([-0.5, 0.4, 0.6]),
    amplitude=st.floats(0.2, 0.6),
)
def test_a_mirrored_action_is_an_action_of_its_class(name, phase, speed, amplitude):
    mirror, direction = MIRRORED[name]
    for step in range(16):
        seen = motion_at(name, phase + step * speed, amplitude)
        mirrored = (-seen.dx, seen.dy, seen.scale, -seen.turn)
        other = mirror(phase) + step * speed * direction
        np.testing.assert_allclose(
            motion_at(name, other, amplitude), mirrored, atol=1e-9
        )


def test_actions_differ_pairwise_and_repeat():
    steps = np.linspace(0, 2 * np.pi, 17)
    paths = {
        name: np.array([motion_at(name, p, 0.4) for p in steps]) for name in CLASSES
    }
    for name, path in paths.items():
        moving = np.ptp(path, axis=0) > 1e-6
        assert moving.any()
        turn = 2 * np.pi if name == 'spin' else 0
        np.testing.assert_allclose(path[-1] - path[0], [0, 0, 0, turn], atol=1e-9)
    kinds = {tuple(np.ptp(path, axis=0) > 1e-6) for path in paths.values()}
    assert len(kinds) == len(CLASSES)


@pytest.mark.parametrize('name', SHAPES)
def test_shapes_fit_the_patch_whatever_their_turn(name):
    alpha = shape_alpha(name)
    assert alpha.shape == (PATCH, PATCH)
    assert 0 <= alpha.min() < 0.01 < 0.99 < alpha.max() <= 1
    assert 0.2 < alpha.mean() < 0.7
    border = np.concatenate([alpha[[0, -1]].ravel(), alpha[:, [0, -1]].ravel()])
    assert border.max() < 0.5


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="'val'"):
        sample_scene(0, 'val', 0)
    with pytest.raises(ValueError, match='-1'):
        sample_scene(-1, 'train', 0)
    with pytest.raises(ValueError, match="'jump'"):
        motion_at('jump', 0, 1)
    with pytest.raises(ValueError, match="'ring'"):
        shape_alpha('ring')
    with pytest.raises(ValueError, match='unseen in frame'):
        render_video(0, 'train', 0, ToyOptions(sprite_drift=20))
