"""Print a config with everything that it inherits.

    python tools/print_config.py configs/toy_semi_var.py
    python tools/print_config.py configs/toy_semi_var.py --cfg-options randomness.seed=1

What is printed is itself a config: ``python tools/print_config.py ... > my_config.py``
gives one that inherits from none. Variables of the environment (SSVAD_TOY, ...) are
filled in.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, DictAction

import ssvad  # noqa: F401  (first: mends and registers)
from cli import Parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    parser = Parser(description='Print a config with everything that it inherits.')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--cfg-options',
        '--options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings that override the config, as of tools/train.py',
    )
    args = parser.parse_args(argv)
    if not Path(args.config).is_file():
        parser.error(f"config '{args.config}' not found")
    # mmengine says on standard output which variables it has filled in
    logging.disable(logging.INFO)
    try:
        cfg = Config.fromfile(args.config)
    finally:
        logging.disable(logging.NOTSET)
    cfg.merge_from_dict(args.cfg_options)
    print(cfg.pretty_text, end='')


if __name__ == '__main__':
    main()
