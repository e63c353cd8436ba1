# SPDX-License-Identifier: Apache-2.0
"""The manual pages have every option and every command that the programs have, and no other."""

import re
import unittest
from pathlib import Path

from programs import ROOT, Option, choices_of, commands_of_berth, options_of, run_tests, said

PAGES = ROOT / "docs" / "man"
PAGE_OF = {"berth": "berth.1", "berthd": "berthd.8", "berth-sandbox": "berth-sandbox.1"}

# ".It Fl c , Fl -config Ns = Ns Ar FILE", as mdoc(7) has it; "Oo" and "Oc" are brackets.
ITEM = re.compile(r"^\.It (?:Fl (\S+) , )?Fl -(\S+)(?: Ns (= Ns Ar (\S+)|Oo = Ns Ar (\S+) Oc))?$")


def options_in(text: str) -> set[Option]:
    found = set()
    for line in text.splitlines():
        if line.startswith(".It Fl"):
            item = ITEM.match(line)
            if not item:
                raise AssertionError(f"not an option as the others are: {line}")
            short, name, _, argument, optional = item.groups(default="")
            shown = f"[{optional}]" if optional else argument
            found.add(Option(name, short.replace("\\&", ""), shown))
    return found


def parts_of_berth() -> dict[str, str]:
    """The text on each command; that on all of them is under ""."""
    text = (PAGES / "berth.1").read_text().split("\n.Sh ENVIRONMENT")[0]
    first, *others = re.split(r"^\.Ss berth ([a-z-]+)$", text, flags=re.M)
    return {"": first} | dict(zip(others[::2], others[1::2]))


class Manuals(unittest.TestCase):
    build: Path

    def test_every_program_has_a_page_with_its_options(self) -> None:
        for program in ("berthd", "berth-sandbox"):
            with self.subTest(program=program):
                text = (PAGES / PAGE_OF[program]).read_text()
                self.assertEqual(options_in(text), options_of(self.build, program))

    def test_every_command_of_berth_has_a_part_with_its_options(self) -> None:
        parts = parts_of_berth()
        common = options_of(self.build, "berth")
        self.assertEqual(options_in(parts.pop("")), common)
        self.assertEqual(sorted(parts), sorted(commands_of_berth(self.build)))
        for command, text in parts.items():
            with self.subTest(command=command):
                offered = options_of(self.build, "berth", command)
                self.assertLessEqual(common, offered, "each command takes what all take")
                self.assertEqual(options_in(text), offered - common)

    def test_every_word_that_a_command_takes_is_named(self) -> None:
        """The commands that are sent, the streams that are shown, the forms of a credential."""
        parts = parts_of_berth()
        for command, words in (
            ("send", ("no-command",)),
            ("tail", ("no-stream",)),
            ("pull-secret", ("--output", "no-form")),
        ):
            for choice in choices_of(self.build, "berth", command, *words):
                with self.subTest(command=command, choice=choice):
                    marked = rf"^(\.It |\.)?Cm (.* )?{re.escape(choice)}( |$)"
                    self.assertRegex(parts[command], re.compile(marked, re.M))

    def test_no_page_names_an_option_that_nobody_has(self) -> None:
        """In the text, the synopsis and the examples too, where a slip would be copied."""
        for program, page in PAGE_OF.items():
            known = options_of(self.build, program)
            if program == "berth":
                for command in commands_of_berth(self.build):
                    known |= options_of(self.build, program, command)
            names = {option.long for option in known}
            for name in re.findall(r"(?<![\w-])(?:Fl -|--)([a-z][a-z-]+)", self.text_of(page)):
                with self.subTest(page=page, name=name):
                    self.assertIn(name, names)

    def text_of(self, page: str) -> str:
        """Without what belongs to other programs: jq's options, and those named with berth(1)."""
        text = (PAGES / page).read_text()
        text = re.sub(r"\|\s+(jq|kubectl) .*", "", text)
        return text if page == "berth.1" else re.sub(r"^\.Cm topics --create$", "", text, flags=re.M)

    def test_help_of_berth_names_every_command_in_order(self) -> None:
        """The complaint about an unknown command names the same."""
        complaint = said(self.build, "berth", "no-command", status=2)
        listed = re.search(r"there is no command no-command: (.+?) \(see", complaint)
        self.assertIsNotNone(listed, complaint)
        assert listed
        self.assertEqual(re.split(r", | or ", listed[1]), commands_of_berth(self.build))


if __name__ == "__main__":
    run_tests(Manuals)
