# SPDX-License-Identifier: Apache-2.0
"""./dev bench still runs: every measure, once, with a few commands. What it measures is looked at
by people; here only that it measures at all, so that no figure is checked."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

from run import run_tests

BENCH = Path(__file__).resolve().parents[1] / "bench" / "bench.py"
TIMEOUT_S = 400
# One figure of each measure; throughput and latency are in SHARED_FIGURES.
MEASURES = ["bound", "hot", "light", "memory", "start", "calls", "sessions"]
FIGURES = [
    "of the bound limit/latency",
    "commands of one hot space",
    "CPU a command, at 10/s",
    "wake-ups idle",
    "memory idle",
    "restart to first result",
    "Harbor calls: create with a quota",
    "ratio, session to Basic",
]

# Those that the floor and another build have, too.
SHARED_FIGURES = [
    "new spaces",
    "CPU a command, all at once",
    "Redis' CPU a command, all at once",
    "Kafka's CPU a command, all at once",
    "record to result at 100/s, p50",
    "CPU a command, at 100/s",
    "wake-ups at 100/s",
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

    def table(self, done: subprocess.CompletedProcess) -> dict[str, dict[str, str]]:
        """By figure, and then by the head of the column."""
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = [line for line in done.stdout.splitlines() if line.startswith("|")]
        head, _rule, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
        return {row[0]: dict(zip(head, row)) for row in rows}

    def assert_figures(
        self, done: subprocess.CompletedProcess, figures: list[str], column: str = "got"
    ) -> None:
        table = self.table(done)
        for figure in figures:
            found = [row[column] for what, row in table.items() if what.startswith(figure)]
            self.assertEqual(len(found), 1, f"{figure}\n{done.stdout}")
            self.assertGreater(float(found[0].replace(",", "")), 0, f"{figure}: {column}")

    def test_every_measure_gives_its_figures(self) -> None:
        self.assert_figures(self.run_bench("--runs", "1", "--scale", "1", *MEASURES), FIGURES)

    def test_another_build_and_the_floor_do_the_same_in_the_same_run(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "results.json"
            done = self.run_bench(
                *("--runs", "1", "--scale", "1", "--json", str(file)),
                *("--beside", str(self.build / "bin"), "throughput", "latency"),
            )
            for column in ("got", "floor", "to floor", "beside", "to beside"):
                self.assert_figures(done, SHARED_FIGURES, column)
            self.assert_kept(file)
            compared = self.run_bench("--compare", str(file), str(file))
            for column in ("A", "B", "A to floor", "B to floor"):
                self.assert_figures(compared, SHARED_FIGURES, column)
            for figure in SHARED_FIGURES:
                self.assertEqual(self.table(compared)[figure]["B to A"], "1.00", figure)

    def assert_kept(self, file: Path) -> None:
        """Whoever reads the file later knows what was measured, on what, and with what."""
        kept = json.loads(file.read_text())
        self.assertLessEqual(
            {"date", "cores", "memory_gib", "load", "versions"}, set(kept["machine"])
        )
        self.assertLessEqual(
            {"librdkafka", "hiredis", "kafka", "redis-server"}, set(kept["machine"]["versions"])
        )
        rows = {row["what"]: row for row in kept["rows"]}
        for figure in SHARED_FIGURES:
            for side in ("values", "floor", "beside"):
                self.assertEqual(len(rows[figure][side]), 1, f"{figure}: {side}")

    def test_results_that_cannot_be_compared_are_refused_with_a_remedy(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "results.json"
            for text in (None, "no JSON", '{"form": 0}'):
                with self.subTest(text):
                    if text is not None:
                        file.write_text(text)
                    done = self.run_bench("--compare", str(file), str(file))
                    self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                    self.assertIn("--json", done.stderr)

    def test_a_build_that_is_not_there_is_refused(self) -> None:
        done = self.run_bench("--beside", str(self.build / "lib"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("--beside", done.stderr)

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
