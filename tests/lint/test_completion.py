# SPDX-License-Identifier: Apache-2.0
"""Completion for bash and zsh offers what the programs take, and nothing else. Both are asked as a
shell asks them: bash through the function that it registered, zsh at a prompt."""

import os
import pty
import re
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Sequence

from programs import ROOT, choices_of, commands_of_berth, every_command, options_of, run_tests

COMPLETION = ROOT / "completion"
HERE = Path(__file__).parent
TIMEOUT_S = 60

Line = Sequence[str]


def ask_bash(lines: Sequence[Line]) -> list[list[str]]:
    """What is offered for the last word of each line, in one shell."""
    command = ["bash", "--norc", str(HERE / "complete.bash"), str(COMPLETION / "berth.bash")]
    text = "".join("\t".join(line) + "\n" for line in lines)
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    )
    if done.stderr:
        raise AssertionError(done.stderr)
    return [answer.split("\t") if answer else [] for answer in done.stdout.split("\n")[:-1]]


def ask_zsh(lines: Sequence[Line]) -> list[list[str]]:
    with tempfile.TemporaryDirectory(prefix="berth-zsh-") as name:
        folder = Path(name)
        (folder / ".zshrc").write_text((HERE / "complete.zshrc").read_text())
        (folder / "lines").write_text("".join(" ".join(line) + "\n" for line in lines))
        (folder / "found").touch()
        environment = os.environ | {
            "ZDOTDIR": name,
            "TERM": "dumb",
            "BERTH_COMPLETION": str(COMPLETION),
            "BERTH_LINES": str(folder / "lines"),
            "BERTH_FOUND": str(folder / "found"),
        }
        run_at_terminal(["zsh", "-d", "-i"], environment)
        found = (folder / "found").read_text()
    answers: list[list[str]] = []
    for line in found.splitlines():
        if line.startswith("> "):
            answers.append([])
        else:
            answers[-1].append(line)
    if len(answers) != len(lines):
        raise AssertionError(f"{len(lines)} lines, {len(answers)} answers: {found}")
    return answers


def run_at_terminal(command: list[str], environment: dict[str, str]) -> None:
    """Runs a program that wants a terminal, and throws away what it shows there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        ["timeout", "-k", "1", str(TIMEOUT_S), *command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            while os.read(ours, 65536):
                pass
        except OSError:
            pass  # Linux says EIO when the last one has closed it.
        os.close(ours)
    if process.returncode != 0:
        raise AssertionError(f"{command[0]} ended with {process.returncode}")


def plain(words: Sequence[str]) -> list[str]:
    """Options without the "=" behind which the argument is typed."""
    return sorted(word.rstrip("=") if word.startswith("--") else word for word in words)


class Completion(unittest.TestCase):
    build: Path

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="berth-completion-")
        self.addCleanup(folder.cleanup)
        self.configuration = Path(folder.name) / "berth.conf"
        self.configuration.write_text("[kafka]\n[registry alpha]\n[registry beta-2]\n#[registry x]\n")
        self.shells = {"bash": ask_bash, "zsh": ask_zsh}

    def assert_offered(self, cases: Sequence[tuple[Line, Sequence[str]]]) -> None:
        """Each line, and what both shells offer for it, in any order."""
        for shell, ask in self.shells.items():
            answers = ask([line for line, _ in cases])
            self.assertEqual(len(answers), len(cases))
            for (line, expected), answer in zip(cases, answers):
                with self.subTest(shell=shell, line=" ".join(line)):
                    self.assertEqual(plain(answer), sorted(expected))

    def test_every_option_is_offered_and_no_other(self) -> None:
        cases = []
        for words in every_command(self.build):
            options = options_of(self.build, *words)
            longs = [f"--{option.long}" for option in options]
            shorts = [f"-{option.short}" for option in options if option.short]
            cases.append(((*words, "--"), longs))
            cases.append(((*words, "-"), longs + shorts))
        self.assert_offered(cases)

    def test_every_word_that_is_taken_is_offered_and_no_other(self) -> None:
        build = self.build
        forms = choices_of(build, "berth", "pull-secret", "--output", "no-form")
        self.assert_offered(
            [
                (("berth", ""), commands_of_berth(build)),
                (("berth", "t"), [one for one in commands_of_berth(build) if one[0] == "t"]),
                (("berth", "send", ""), choices_of(build, "berth", "send", "no-command")),
                (("berth", "send", "--json", "u"), ["unbind-workspace", "update-space"]),
                (("berth", "tail", ""), choices_of(build, "berth", "tail", "no-stream")),
                (("berth", "pull-secret", "-o", ""), forms),
                (("berth", "pull-secret", "--output", ""), forms),
                (("berth", "send", "--quota", ""), ["unlimited"]),
            ]
        )

    def test_registries_are_those_of_the_configuration(self) -> None:
        """Wherever it is named; and where it can't be read, nothing is offered and nothing said."""
        path = str(self.configuration)
        both = ["alpha", "beta-2"]
        self.assert_offered(
            [
                (("berth", "-c", path, "send", "create-space", "--registry", ""), both),
                (("berth", "send", "-c", path, "create-space", "-r", "b"), ["beta-2"]),
                (("berth", "bindings", "--config", path, "-r", ""), both),
                (("berth", "-c", "/nonexistent", "send", "-r", ""), []),
                (("berth-sandbox", "-r", ""), []),
            ]
        )
        self.addCleanup(os.environ.pop, "BERTH_CONFIG", None)
        os.environ["BERTH_CONFIG"] = path
        self.assert_offered([(("berth", "pull-secret", "-r", ""), both)])

    def test_an_argument_may_follow_an_equals_sign(self) -> None:
        """bash takes "--option=value" apart into three words, unless COMP_WORDBREAKS is changed."""
        path = str(self.configuration)
        glued = ask_bash(
            [
                ("berth", "-c", path, "send", "--registry", "=", "a"),
                ("berth", "--config", "=", path, "send", "--registry", "="),
                ("berth", f"--config={path}", "send", "--registry=a"),
                ("berth", "tail", "--config", "=", path, ""),
            ]
        )
        streams = choices_of(self.build, "berth", "tail", "no-stream")
        self.assertEqual(
            glued, [["alpha"], ["alpha", "beta-2"], ["--registry=alpha"], streams]
        )
        zsh = ask_zsh([("berth", f"--config={path}", "send", "--registry=a")])
        self.assertEqual(zsh, [["alpha"]])

    def test_the_argument_of_an_option_is_no_command(self) -> None:
        commands = choices_of(self.build, "berth", "send", "no-command")
        self.assert_offered(
            [
                (("berth", "send", "--actor", "bob", ""), commands),
                (("berth", "send", "--wait", ""), commands),
                (("berth", "send", "-w", "blue", "b"), ["bind-workspace"]),
            ]
        )

    def test_files_are_offered_where_a_file_is_wanted(self) -> None:
        folder = str(self.configuration.parent)
        for shell, ask in self.shells.items():
            for words in (("berthd", "-c"), ("berth", "send", "--raw"), ("berth", "send", "-b")):
                with self.subTest(shell=shell, words=words):
                    (offered,) = ask([(*words, f"{folder}/")])
                    self.assertIn("berth.conf", [re.sub(".*/", "", one) for one in offered])


if __name__ == "__main__":
    run_tests(Completion)
