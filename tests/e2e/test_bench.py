# SPDX-License-Identifier: Apache-2.0
"""./dev bench still runs: every measure, once, with a few commands. What it measures is looked at
by people; here only that it measures at all, so that no figure is checked."""

import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

from run import run_tests

BENCH = Path(__file__).resolve().parents[1] / "bench" / "bench.py"
TIMEOUT_S = 300
# One figure of each measure.
FIGURES = [
    "CPU a command",
    "of the bound limit/latency",
    "commands of one hot space",
    "record to result at 100/s, p99",
    "memory idle",
    "restart to first result",
    "Harbor calls: create with a quota",
    "ratio, session to Basic",
]

LONG_FIGURES = [
    "ratio over the whole time",
    "memory beside",
]


class BenchSmoke(unittest.TestCase):
    build: Any = None

    def run_bench(self, *words: str) -> subprocess.CompletedProcess:
        command = [sys.executable, str(BENCH), "--build", str(self.build), *words]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )

    def assert_figures(self, done: subprocess.CompletedProcess, figures: list[str]) -> None:
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        rows = [line.split("|") for line in done.stdout.splitlines() if line.startswith("|")]
        got = {row[1].strip(): row[2].strip() for row in rows}
        for figure in figures:
            found = [value for what, value in got.items() if what.startswith(figure)]
            self.assertEqual(len(found), 1, f"{figure}\n{done.stdout}")
            self.assertGreater(float(found[0].replace(",", "")), 0, figure)

    def test_every_measure_gives_its_figures(self) -> None:
        self.assert_figures(self.run_bench("--runs", "1", "--scale", "1"), FIGURES)

    def test_the_long_measures_may_be_short_and_give_their_figures(self) -> None:
        for measure in ("sick", "failing"):
            with self.subTest(measure):
                done = self.run_bench("--scale", "5", "--minutes", "0.15", measure)
                self.assert_figures(done, LONG_FIGURES)

    def test_an_unknown_measure_is_refused_and_the_known_ones_are_named(self) -> None:
        done = self.run_bench("speed")
        self.assertEqual(done.returncode, 2)
        self.assertIn("throughput", done.stderr)


if __name__ == "__main__":
    run_tests(BenchSmoke)
