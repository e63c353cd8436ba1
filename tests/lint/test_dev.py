# SPDX-License-Identifier: Apache-2.0
"""./dev itself, with stand-ins for what it would install, build and run with."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Whoever is run says so, and with which words; cmake builds as ninja tells it without a terminal.
STUB = """#!/bin/sh
echo "$(basename "$0") $*" >>"$RAN"
case "$(basename "$0") $*" in
    dpkg-query*) echo installed ;;
    "cmake --build"*) seq -f "[%g/500] Building C object x.o" 500; echo "warning: look here" ;;
esac
"""
STUBS = ("dpkg-query", "apt-get", "sudo", "cmake", "ctest", "ccache", "mvn", "python3", "pkg-config")


class Dev(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="berth-dev-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.ran = self.folder / "ran"
        for name in STUBS:
            path = self.folder / name
            path.write_text(STUB)
            path.chmod(0o755)

    def dev(self, *words: str) -> subprocess.CompletedProcess:
        self.ran.write_text("")
        paths = f"{self.folder}:{os.environ['PATH']}"
        return subprocess.run(
            [str(ROOT / "dev"), *words],
            env=dict(os.environ, PATH=paths, RAN=str(self.ran)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_a_slip_of_the_pen_fails_before_anything_is_installed_or_built(self) -> None:
        for words, advice in (
            (("test", "intgration"), "integration"),
            (("test", "unit", "e3e"), "e2e"),
            (("tsan", "lint"), "unit and integration"),
            (("demo", "relase"), "release"),
            (("build", "relase"), "release"),
            (("demo", "--kafak"), "--kafka"),
        ):
            with self.subTest(words=words):
                done = self.dev(*words)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(advice, done.stderr)
                self.assertEqual(self.ran.read_text(), "")

    def test_every_tier_is_one_that_tests_have(self) -> None:
        labels = set()
        for path in [*(ROOT / "tests").rglob("CMakeLists.txt"), *(ROOT / "cmake").glob("*.cmake")]:
            labels |= set(path.read_text().split())
        for tier in self.dev("test", "nothing").stderr.split("there are:")[1].split():
            self.assertIn(tier, labels)

    def test_without_a_terminal_a_build_shows_how_far_it_is_and_all_that_is_said(self) -> None:
        lines = self.dev("build").stdout.splitlines()
        self.assertIn("   10 % (50 of 500)", lines)
        self.assertIn("   100 % (500 of 500)", lines)
        self.assertIn("warning: look here", lines)
        self.assertLess(len(lines), 20)

    def test_the_demo_builds_only_what_it_runs(self) -> None:
        self.assertEqual(self.dev("demo").returncode, 0)
        built = [line for line in self.ran.read_text().splitlines() if "--build" in line]
        self.assertTrue(built[0].endswith("--target berthd berth berth-sandbox"), built)
        self.assertIn("demo.py --build build/release", self.ran.read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
