"""What a conversion met and resolved, and the table it prints at the end."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np


class Findings(defaultdict):
    """Kind of irregularity -> where it was met."""

    def __init__(self) -> None:
        super().__init__(list)

    def add(self, kind: str, place: str, times: int = 1) -> None:
        """Note ``times`` irregularities at one place."""
        if times:
            self[kind] += [place] * times

    def lines(self, named: int = 5) -> list[str]:
        """One line a kind, naming the first few places."""
        lines = []
        for kind, places in sorted(self.items()):
            counts = Counter(places)
            names = [f'{place} x{n}' if n > 1 else place for place, n in counts.items()]
            more = ', ...' if names[named:] else ''
            lines.append(f'{len(places)} {kind}: {", ".join(names[:named])}{more}')
        return lines


def class_table(videos: Sequence[dict]) -> np.ndarray:
    """Videos, tubes, boxes and frames (of the whole videos) per label, (K, 4) int.

    A video counts for the label of its first tube.
    """
    labels = [tube['label'] for video in videos for tube in video['tubes']]
    table = np.zeros((max(labels, default=-1) + 1, 4), int)
    for video in videos:
        if video['tubes']:
            boxes = sum(len(tube['boxes']) for tube in video['tubes'])
            row = (1, len(video['tubes']), boxes, video['num_frames'])
            table[video['tubes'][0]['label']] += row
    return table


def print_table(title: str, classes: Sequence[str], videos: Sequence[dict]) -> None:
    """Print :func:`class_table` with names, classes without a video left out."""
    print(f'{title:18s} videos  tubes   boxes  frames')
    for name, row in zip(classes, class_table(videos)):
        if row.any():
            print(f'{name:18s} {row[0]:6d} {row[1]:6d} {row[2]:7d} {row[3]:7d}')


def print_end(findings: Findings, videos: Sequence[dict], out: Path) -> None:
    """Print what was irregular and what was written."""
    print('\n'.join(findings.lines()) or 'nothing irregular')
    tubes = sum(len(video['tubes']) for video in videos)
    print(f'{len(videos)} videos, {tubes} tubes -> {out}')
