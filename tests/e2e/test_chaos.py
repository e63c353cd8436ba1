# SPDX-License-Identifier: Apache-2.0
"""A short ./dev chaos: everything is killed, frozen and started again for half a minute, and then
everything is looked at. The plan is another one each time; the output says its seed."""

import subprocess
import unittest
from pathlib import Path
from typing import Any

from run import run_tests

CHAOS = Path(__file__).resolve().parents[1] / "chaos" / "run.py"
# The one that Debian's python3-... packages belong to; another may come first on the path.
PYTHON = "/usr/bin/python3"
KILLS = 8
TIMEOUT_S = 500


class Chaos(unittest.TestCase):
    build: Any = None

    def test_nothing_is_lost_doubled_or_out_of_order_while_everything_is_killed(self) -> None:
        words = ["--build", str(self.build), "--kills", str(KILLS), "--stalls", "0"]
        done = subprocess.run(
            [PYTHON, str(CHAOS), *words],
            capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        print(done.stdout)
        self.assertIn("all as it must be", done.stdout)


if __name__ == "__main__":
    run_tests(Chaos)
