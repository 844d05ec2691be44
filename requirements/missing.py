"""Print the pins of the packages that this environment does not have yet.

An environment keeps whatever it has: an own build of torch is not replaced, and
mmcv-lite never lands on top of a full mmcv.
"""

import re
import sys
from importlib.metadata import distributions
from pathlib import Path


def normalise(name):
    """Return the one spelling of a distribution's name."""
    return re.sub(r'[-_.]+', '-', name).lower()


def find_missing(pins, installed):
    """Select the pins of what is not installed.

    Args:
        pins: Lines ``name==version``; blank lines and comments are skipped.
        installed: Names of installed distributions.

    Returns:
        The lines to install.
    """
    have = {normalise(name) for name in installed}
    if 'mmcv' in have:
        have.add('mmcv-lite')
    lines = (line.split('#')[0].strip() for line in pins)
    return [
        line for line in lines if line and normalise(line.split('==')[0]) not in have
    ]


if __name__ == '__main__':
    names = [dist.metadata['Name'] for dist in distributions()]
    pins = Path(__file__).with_name('pinned.txt').read_text().splitlines()
    sys.stdout.writelines(f'{line}\n' for line in find_missing(pins, names))
