# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of one file on the programs of one build folder: FILE --build DIR [NAME...]."""

import argparse
import sys
import unittest
from pathlib import Path
from typing import Any

from service import exit_on_sigterm


def run_tests(case: Any) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, required=True, help="build folder with bin/berthd")
    arguments, others = parser.parse_known_args()
    case.build = arguments.build
    exit_on_sigterm()
    unittest.main(module="__main__", argv=[sys.argv[0], *others], verbosity=2)
