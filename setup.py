"""Metadata and dependencies; everything else is in pyproject.toml."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
VERSION = re.search(r"__version__ = '(.+)'", (HERE / 'ssvad/__init__.py').read_text())
README = HERE / 'README.md'


class BuildWithMim(build_py):
    """Puts configs and tools into the package, where mim looks for them."""

    def run(self):
        """Build; an editable installation has them beside the package."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, 'ssvad/.mim')
        ignore = shutil.ignore_patterns('__pycache__')
        for name in ('configs', 'tools'):
            shutil.copytree(
                HERE / name, target / name, ignore=ignore, dirs_exist_ok=True
            )
        shutil.copy(HERE / 'model-index.yml', target)


setup(
    name='ssvad',
    version=VERSION[1],
    description='Semi-supervised spatio-temporal action detection for MMAction2',
    long_description=README.read_text('utf-8') if README.is_file() else '',
    long_description_content_type='text/markdown',
    author='The ssvad authors',
    license='Apache-2.0',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    cmdclass={'build_py': BuildWithMim},
    packages=find_packages(include=['ssvad', 'ssvad.*']),
    package_data={'ssvad.visualization': ['report.html.j2', 'report.css']},
    python_requires='>=3.10',
    install_requires=[
        'av>=17.1',
        'decord>=0.6',
        # mmaction2 1.2 imports it and does not declare it
        'importlib_metadata',
        # tools/report.py
        'jinja2',
        'matplotlib>=3.8',
        'mmaction2>=1.2,<2',
        'mmengine>=0.10.3,<1',
        'numpy',
        'rich',
        'scipy',
        'torch>=2.6,<3',
    ],
    # one of `lite` and `full`, never both: they install the same module
    extras_require={
        'lite': ['mmcv-lite>=2.0.1,<2.2'],
        'full': ['mmcv>=2.0.1,<2.2'],
        # tools/export.py
        'export': ['onnx', 'onnxruntime', 'onnxscript'],
        'docs': ['mkdocs-material', 'mkdocstrings[python]'],
        'dev': [
            'hypothesis',
            'pytest',
            'pytest-xdist',
            'ruff',
            'selenium',
            'tensorboard',
        ],
    },
)
