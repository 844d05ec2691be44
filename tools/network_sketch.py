"""Sketch of the detector with the sizes of UCF101-24: clips of 8 x 224 x 224."""

from __future__ import annotations

from matplotlib.figure import Figure

# name -> x, y of the centre, text, colour; light colours of Okabe and Ito
BLUE, GREEN, YELLOW, GREY = '#cfe5f3', '#cdebe1', '#f9ecc2', '#ececec'
BOXES = {
    'clip': (0.7, 3.0, 'clip\n3 x 8 x 224 x 224', GREY),
    'tap1': (2.7, 3.0, 'I3D: first conv.\n64 x 4 x 112 x 112', BLUE),
    'tap2': (4.7, 3.0, 'I3D: second conv.\n192 x 2 x 56 x 56', BLUE),
    'tap3': (6.7, 3.0, 'I3D: Mixed_4f\n832 x 1 x 28 x 28', BLUE),
    'primary': (8.9, 3.0, 'primary capsules\n32 poses + activations\n20 x 20', GREEN),
    'routing': (8.9, 1.6, 'EM routing\n24 class capsules\n20 x 20', GREEN),
    'scores': (10.9, 1.6, '24 class scores\n(mean activation)', GREY),
    'gate': (8.9, 0.2, 'poses of one class:\nthe true or the best', GREEN),
    'up1': (6.7, 0.2, 'decoder\n64 x 1 x 28 x 28', YELLOW),
    'up2': (4.7, 0.2, 'decoder\n64 x 2 x 56 x 56', YELLOW),
    'up3': (2.7, 0.2, 'decoder\n64 x 4 x 112 x 112', YELLOW),
    'mask': (0.7, 0.2, 'mask\n8 x 224 x 224', GREY),
}
ARROWS = [
    ('clip', 'tap1'),
    ('tap1', 'tap2'),
    ('tap2', 'tap3'),
    ('tap3', 'primary'),
    ('primary', 'routing'),
    ('routing', 'scores'),
    ('routing', 'gate'),
    ('gate', 'up1'),
    ('up1', 'up2'),
    ('up2', 'up3'),
    ('up3', 'mask'),
]
SKIPS = [('tap1', 'up3'), ('tap2', 'up2'), ('tap3', 'up1')]


def draw_network() -> Figure:
    """Draw boxes, arrows and, dashed, skip connections."""
    figure = Figure((11.6, 3.7), layout='constrained')
    panel = figure.subplots()
    rims = {}
    for name, (x, y, text, colour) in BOXES.items():
        frame = dict(boxstyle='round,pad=0.5', facecolor=colour, edgecolor='#777777')
        label = panel.text(x, y, text, ha='center', va='center', fontsize=8, bbox=frame)
        rims[name] = label.get_bbox_patch()
    for pairs, style in ((ARROWS, '-'), (SKIPS, '--')):
        for start, end in pairs:
            line = dict(arrowstyle='->', linestyle=style, color='#555555')
            ends = dict(patchA=rims[start], patchB=rims[end])
            panel.annotate(
                '', xy=BOXES[end][:2], xytext=BOXES[start][:2], arrowprops=line | ends
            )
    panel.set(xlim=(-0.3, 11.9), ylim=(-0.4, 3.6))
    panel.set_axis_off()
    return figure
