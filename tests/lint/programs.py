# SPDX-License-Identifier: Apache-2.0
"""What the programs themselves say of their commands, options and the words that these take: the
truth that manual pages and completion are compared with."""

import argparse
import re
import subprocess
import sys
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
USAGE = 2


@dataclass(frozen=True, order=True)
class Option:
    long: str  # Without its hyphens.
    short: str = ""
    argument: str = ""  # "FILE", "[SECONDS]" when it may be left out, or nothing.


# "  -c, --config=FILE          The configuration ..."
OPTION = re.compile(r"^  (?:-(\S), |    )--([a-z0-9-]+)(?:=(\S+)|\[=(\S+)\])?(?:\s|$)", re.M)


def said(build: Path, *words: str, status: int = 0) -> str:
    """What a program prints, on either stream."""
    command = [str(build / "bin" / words[0]), *words[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != status:
        raise AssertionError(f"{' '.join(words)}: status {done.returncode}\n{done.stderr}")
    return done.stdout + done.stderr


def options_of(build: Path, *words: str) -> set[Option]:
    """All that --help of a program or of one of its commands lists."""
    found = set()
    for short, name, argument, optional in OPTION.findall(said(build, *words, "--help")):
        found.add(Option(name, short, f"[{optional}]" if optional else argument))
    if not found:
        raise AssertionError(f"{' '.join(words)} --help lists no options")
    return found


def commands_of_berth(build: Path) -> list[str]:
    """In the order of `berth --help`."""
    _, _, listed = said(build, "berth", "--help").partition("Commands, each with a --help")
    found = re.findall(r"^  ([a-z-]+)  ", listed, re.M)
    if not found:
        raise AssertionError("berth --help lists no commands")
    return found


def choices_of(build: Path, *words: str) -> list[str]:
    """The words that are taken at a place, by what is said of one that isn't."""
    complaint = said(build, *words, status=USAGE)
    listed = re.search(r"must be (.+?)(?: \(|$)", complaint, re.M)
    if not listed:
        raise AssertionError(f"{' '.join(words)}: {complaint}")
    return re.split(r", | or ", listed[1])


def every_command(build: Path) -> list[tuple[str, ...]]:
    """Everything that has a --help of its own."""
    commands = [("berth", command) for command in commands_of_berth(build)]
    return [("berth",), *commands, ("berthd",), ("berth-sandbox",)]


def run_tests(case: Any) -> None:
    """Runs the tests of one file on the programs of one build folder: FILE --build DIR."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "dev", help="build folder")
    arguments, others = parser.parse_known_args()
    case.build = arguments.build
    unittest.main(module="__main__", argv=[sys.argv[0], *others])
