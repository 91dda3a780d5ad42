"""The argparse tree: settings as flags of every verb, from the one table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pastebox.settings import options


def parse_serve(argv):
    raise NotImplementedError


def main(argv):
    raise NotImplementedError
