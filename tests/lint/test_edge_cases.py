# SPDX-License-Identifier: Apache-2.0
"""docs/edge-cases.md promises a test, or a reason, for each case: the tests it names are there, and
none of those of test_spaces.py is missing from it."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "edge-cases.md"
TESTS = ROOT / "tests" / "e2e" / "test_spaces.py"
# Rows may be about other files: what they name is there, but those are not about cases alone.
OTHERS = sorted(set(TESTS.parent.glob("test_*.py")) - {TESTS})
REASON = "Not tested: "


def names_in(tests: str) -> set[str]:
    return set(re.findall(r"^    def (test_\w+)\(", tests, re.MULTILINE))


def findings(page: str, tests: str, others: str = "") -> list[str]:
    """What is wrong with the page, given the text of the tests; one finding an entry."""
    found = []
    there = names_in(tests)
    named: set[str] = set()
    rows = [line for line in page.splitlines() if line.startswith("| ")][2:]
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if len(cells) != 3 or not all(cells):
            found.append(f"not a row of three cells: {row}")
            continue
        names = set(re.findall(r"`(test_\w+)`", cells[2]))
        if not names and not cells[2].startswith(REASON):
            found.append(f"{cells[0]}: neither a test nor a reason")
        named |= names
    found += [f"{name} is named and isn't there" for name in sorted(named - there - names_in(others))]
    found += [f"{name} is there and isn't named" for name in sorted(there - named)]
    return found if rows else ["the page has no rows"]


class EdgeCases(unittest.TestCase):
    def test_each_case_has_its_test_or_a_reason(self) -> None:
        others = "\n".join(path.read_text() for path in OTHERS)
        self.assertEqual(findings(PAGE.read_text(), TESTS.read_text(), others), [])

    def test_what_is_wrong_with_the_page_is_found(self) -> None:
        head = "| case | what | test |\n| --- | --- | --- |\n"
        tests = "class T:\n    def test_one(self) -> None:\n"
        good = head + "| One | Done. | `test_one` |\n| Two | Not done. | Not tested: later. |\n"
        self.assertEqual(findings(good, tests), [])
        cases = {
            "| One | Done. | `test_one`, `test_two` |\n": "test_two is named and isn't there",
            "| Two | Not done. | Not tested: later. |\n": "test_one is there and isn't named",
            "| One | Done. | somewhere |\n": "One: neither a test nor a reason",
            "| One | `test_one` |\n": "not a row of three cells: | One | `test_one` |",
            "": "the page has no rows",
        }
        for rows, finding in cases.items():
            self.assertIn(finding, findings(head + rows, tests))


if __name__ == "__main__":
    unittest.main()
