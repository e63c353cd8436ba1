#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts one defect after the other into a copy of the tree, and says which test notices it.

    mutants.py [NAME...] [--list]

The mutants are in the .toml files beside this one: a name, a file, a piece of its text, what is put
in its place, and the tests that are tried first. A NAME is a part of a mutant's name, or the name of
a file without its .toml. The copy is build/mutants/tree, built without sanitizers; it is kept, so that the next run builds little.

Tests are run in the order of their cost until one fails: those that the mutant names, all unit
tests, the simulation, then what the mutant names under "also". A mutant that no test notices has
survived: then a test is missing, and the run fails. It fails, too, when a mutant's text isn't in its
file exactly once (the code has changed: write the mutant anew, or delete it if the rule that it
broke is gone), or when it can't be built.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
import tomllib
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
TREE = ROOT / "build/mutants/tree"
BUILD = TREE / "build/mutants"
PRESET = "mutants"
KEYS = {"name", "file", "old", "new", "edits", "tests", "also"}


class Wrong(Exception):
    """The run can't go on, or can't say anything; the text says what to do."""


@dataclass
class Edit:
    file: str
    old: str
    new: str


@dataclass
class Mutant:
    name: str
    edits: list[Edit]
    tests: list[str]  # Tried first.
    also: list[str]  # Tried when neither unit tests nor the simulation noticed anything.
    list: str  # The file that it is in, without .toml.

    def is_called(self, name: str) -> bool:
        return name in self.name or name == self.list


@dataclass
class Result:
    mutant: Mutant
    seconds: float
    test: str = ""  # Empty: it survived.
    sentence: str = ""
    trouble: str = ""


@dataclass
class Test:
    name: str
    tier: str
    programs: list[str]  # Below BUILD, what it needs; empty: all of them.


@dataclass
class Verdict:
    passed: bool
    test: str = ""
    sentence: str = ""


# ---- The mutants ----


def read_edit(table: dict, where: str) -> Edit:
    edit = Edit(table.get("file", ""), table.get("old", ""), table.get("new", ""))
    if not edit.file or not edit.old or edit.old == edit.new:
        raise Wrong(f"{where}: a file, an old text and another new one are needed")
    return edit


def read_mutant(table: dict, path: Path) -> Mutant:
    where = path.name
    unknown = set(table) - KEYS
    if unknown or "name" not in table:
        raise Wrong(f"{where}: no name, or an unknown key: {', '.join(sorted(unknown))}")
    where = f"{where}: {table['name']}"
    edits = [read_edit(edit, where) for edit in table.get("edits", [table])]
    return Mutant(table["name"], edits, table.get("tests", []), table.get("also", []), path.stem)


def read_mutants() -> list[Mutant]:
    mutants = []
    for path in sorted(HERE.glob("*.toml")):
        for table in tomllib.loads(path.read_text()).get("mutant", []):
            mutants.append(read_mutant(table, path))
    names = [mutant.name for mutant in mutants]
    for name in names:
        if names.count(name) > 1:
            raise Wrong(f"two mutants are called \"{name}\"")
    return mutants


def mutated(text: str, edit: Edit, name: str) -> str:
    count = text.count(edit.old)
    if count != 1:
        raise Wrong(
            f"\"{name}\": its text is {count} times in {edit.file}, not once: write the mutant anew "
            f"in tests/mutants, or delete it if its rule is gone"
        )
    return text.replace(edit.old, edit.new)


def check_texts(mutants: list[Mutant]) -> None:
    """All are checked before anything is built: a mutant must not rot unseen."""
    wrong = []
    for mutant in mutants:
        for edit in mutant.edits:
            path = ROOT / edit.file
            try:
                mutated(path.read_text() if path.exists() else "", edit, mutant.name)
            except Wrong as error:
                wrong.append(str(error))
    if wrong:
        raise Wrong("\n".join(wrong))


# ---- The copy of the tree ----


def say(text: str) -> None:
    print(text, flush=True)


def write_if_other(path: Path, content: bytes, mode: int) -> None:
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def copy_tree() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")
    files = {name for name in listed if name and (ROOT / name).is_file()}
    for name in files:
        source = ROOT / name
        write_if_other(TREE / name, source.read_bytes(), source.stat().st_mode)
    for path in TREE.rglob("*"):
        name = str(path.relative_to(TREE))
        if path.is_file() and not name.startswith("build/") and name not in files:
            path.unlink()
    (TREE / "build").mkdir(parents=True, exist_ok=True)
    for name in ("build/kafka", "build/libraries"):
        if (ROOT / name).exists() and not (TREE / name).exists():
            (TREE / name).symlink_to(ROOT / name)


def run(words: list[str]) -> tuple[int, str]:
    done = subprocess.run(
        words, cwd=TREE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
        env={**os.environ, "CI": "true"},  # What notices a mutant isn't left to luck.
    )
    return done.returncode, done.stdout


def configure() -> None:
    rc, text = run(["cmake", "--preset", PRESET, "--log-level=WARNING"])
    if rc != 0:
        raise Wrong(f"the copy can't be configured:\n{text}")


def list_tests() -> dict[str, Test]:
    rc, text = run(["ctest", "--test-dir", str(BUILD), "--show-only=json-v1"])
    if rc != 0:
        raise Wrong(f"the tests can't be listed:\n{text}")
    tests = {}
    for entry in json.loads(text)["tests"]:
        tier = entry["name"].split(".")[0]
        programs = [
            str(Path(word).relative_to(BUILD))
            for word in entry.get("command", [])
            if word.startswith(f"{BUILD}/")
        ]
        if "sandbox" in entry.get("command", []):
            programs.append("bin/berth-sandbox")
        tests[entry["name"]] = Test(entry["name"], tier, programs)
    return tests


def build(tests: list[Test]) -> str:
    """What is wrong with it; empty: it is built."""
    words = ["cmake", "--build", str(BUILD), "-j", str(os.cpu_count() or 1)]
    if all(test.programs for test in tests):
        words += ["--target", *sorted({program for test in tests for program in test.programs})]
    rc, text = run([*words, "--", "--quiet"])
    errors = [line for line in text.splitlines() if "error" in line.lower()]
    return "" if rc == 0 else "\n".join(errors[:5] or text.splitlines()[-5:])


# ---- Tests ----

FAILED = re.compile(r"^\[  FAILED  \] test_(\w+)", re.MULTILINE)
BEGUN = re.compile(r"^\[ RUN      \] test_(\w+)", re.MULTILINE)
ASSERTION = re.compile(r"assertion failed: .*")
PYTHON = re.compile(r"^(?:FAIL|ERROR): test_(\w+)", re.MULTILINE)
CHECKER = re.compile(r"^.*\b(?:checker|violated|seed)\b.*$", re.MULTILINE)


def sentence_of(output: str) -> str:
    """What a failed test says, as a sentence."""
    for pattern in (FAILED, PYTHON):
        if found := pattern.findall(output):
            return found[0].replace("_", " ")
    begun = BEGUN.findall(output)
    assertion = ASSERTION.search(output)
    if begun:
        return begun[-1].replace("_", " ") + (f" ({assertion[0]})" if assertion else "")
    if found := CHECKER.search(output):
        return found[0].strip()
    return assertion[0] if assertion else "it doesn't end, or dies"


def run_tests(tests: list[Test], stop: bool) -> Verdict:
    report = BUILD / "report.xml"
    report.unlink(missing_ok=True)
    names = "|".join(re.escape(test.name) for test in tests)
    words = ["ctest", "--test-dir", str(BUILD), "-R", f"^({names})$", "--output-on-failure"]
    words += ["--output-junit", str(report), "--no-tests=error"]
    words += ["-j", str(os.cpu_count() or 1)]
    if any(test.tier == "integration" for test in tests):
        words += ["--repeat", "until-pass:2"]  # Real services may be slow on a busy machine.
    rc, _ = run(words + (["--stop-on-failure"] if stop else []))
    verdict = Verdict(passed=rc == 0)
    for case in ElementTree.parse(report).iter("testcase"):
        if case.get("status") == "fail" and not verdict.test:
            verdict.test = case.get("name", "")
            verdict.sentence = sentence_of(case.findtext("system-out") or "")
    return verdict


def named(tests: dict[str, Test], names: list[str], mutant: str) -> list[Test]:
    for name in names:
        if name not in tests:
            raise Wrong(f"\"{mutant}\": there is no test {name}; see ctest -N")
    return [tests[name] for name in names]


def stages(mutant: Mutant, tests: dict[str, Test]) -> list[list[Test]]:
    """Groups of tests, the cheap ones first; no test twice."""
    first = named(tests, mutant.tests, mutant.name)
    also = named(tests, mutant.also, mutant.name)
    tiers = [[test for test in tests.values() if test.tier == tier] for tier in ("unit", "simulation")]
    groups, seen = [], set()
    for group in [*([test] for test in first), *tiers, *([test] for test in also)]:
        group = [test for test in group if test.name not in seen]
        seen.update(test.name for test in group)
        if group:
            groups.append(group)
    return groups


# ---- One mutant ----


def try_mutant(mutant: Mutant, tests: dict[str, Test]) -> Result:
    began = time.monotonic()
    result = Result(mutant, 0)
    for group in stages(mutant, tests):
        result.trouble = build(group)
        if result.trouble:
            break
        verdict = run_tests(group, stop=True)
        if not verdict.passed:
            result.test, result.sentence = verdict.test, verdict.sentence
            break
    result.seconds = time.monotonic() - began
    return result


def apply(mutant: Mutant) -> dict[Path, bytes]:
    """Changes the copy; returns what was there."""
    before: dict[Path, bytes] = {}
    for edit in mutant.edits:
        path = TREE / edit.file
        before.setdefault(path, path.read_bytes())
        path.write_text(mutated(path.read_text(), edit, mutant.name))
    return before


def check_whole(wanted: list[Test]) -> None:
    """Without a mutant each of these must pass, else its failure says nothing."""
    if not wanted:
        return
    say(f"== without a mutant: {len(wanted)} tests")
    if trouble := build(wanted):
        raise Wrong(f"the tree can't be built:\n{trouble}")
    verdict = run_tests(wanted, stop=False)
    if not verdict.passed:
        raise Wrong(f"without a mutant {verdict.test} fails: {verdict.sentence}")


def show(result: Result) -> None:
    if result.trouble:
        caught = f"**can't be built**: {result.trouble}"
    elif not result.test:
        caught = "**survived**: a test is missing"
    else:
        caught = f"{result.test}: {result.sentence}"
    say(f"| {result.mutant.name} | {caught} | {result.seconds:.1f} |")


def run_all(mutants: list[Mutant]) -> int:
    check_texts(read_mutants())
    copy_tree()
    configure()
    tests = list_tests()
    first = {name: None for mutant in mutants for name in mutant.tests}
    check_whole(named(tests, list(first), "the list"))
    say("\n| mutant | caught by | seconds |\n| --- | --- | --- |")
    results = []
    for mutant in mutants:
        before = apply(mutant)
        try:
            results.append(try_mutant(mutant, tests))
        finally:
            for path, content in before.items():
                path.write_bytes(content)
        show(results[-1])
    others = {result.test for result in results if result.test and result.test not in first}
    check_whole([tests[name] for name in sorted(others)])
    caught = sum(1 for result in results if result.test)
    seconds = sum(result.seconds for result in results)
    say(f"\n{caught} of {len(results)} mutants caught, in {seconds:.0f} s")
    return 0 if caught == len(results) else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="part of a mutant's name, or a list's")
    parser.add_argument("--list", action="store_true", help="names only")
    arguments = parser.parse_args()
    try:
        mutants = read_mutants()
        for name in arguments.names:
            if not any(mutant.is_called(name) for mutant in mutants):
                raise Wrong(f"no mutant is called \"{name}\"; --list shows them")
        if arguments.names:
            mutants = [m for m in mutants if any(m.is_called(name) for name in arguments.names)]
        if arguments.list:
            for mutant in mutants:
                say(f"{mutant.name}  ({', '.join(edit.file for edit in mutant.edits)})")
            return 0
        return run_all(mutants)
    except Wrong as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
