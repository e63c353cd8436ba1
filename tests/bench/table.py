# SPDX-License-Identifier: Apache-2.0
"""The bench's table: one row a figure, with the median, the spread and the aim."""

import os
import re
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence


@dataclass
class Row:
    """One figure, measured several times. at_most or at_least is the aim, if there is one."""

    what: str
    unit: str
    values: Sequence[float]
    at_most: Optional[float] = None
    at_least: Optional[float] = None

    def median(self) -> float:
        return statistics.median(self.values)

    def aim(self) -> str:
        if self.at_most is not None:
            return f"<= {text_of(self.at_most)}"
        if self.at_least is not None:
            return f">= {text_of(self.at_least)}"
        return ""

    def verdict(self) -> str:
        if self.at_most is not None:
            return "met" if self.median() <= self.at_most else "missed"
        if self.at_least is not None:
            return "met" if self.median() >= self.at_least else "missed"
        return ""

    def spread(self) -> str:
        low, high = min(self.values), max(self.values)
        return "" if low == high else f"{text_of(low)} to {text_of(high)}"


def text_of(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 1 else f"{value:.1f}"


def print_table(rows: Sequence[Row]) -> None:
    """As Markdown, so that it can go into docs/performance.md as it is."""
    cells = [("what", "got", "spread", "unit", "aim", "")]
    for row in rows:
        cells.append(
            (row.what, text_of(row.median()), row.spread(), row.unit, row.aim(), row.verdict())
        )
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    cells.insert(1, tuple("-" * max(width, 3) for width in widths))
    for line in cells:
        print("| " + " | ".join(text.ljust(width) for text, width in zip(line, widths)) + " |")


def print_machine(build: Path, runs: int, scale_percent: float) -> None:
    """What a figure means nothing without."""
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    memory_gib = int(memory.group(1)) / 1024 / 1024 if memory else 0
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    print(
        f"\n{when}; {os.cpu_count()} cores, {memory_gib:.0f} GiB; load average {load}; "
        f"build {build.name}; medians of {runs} runs"
        + (f" at {scale_percent:g} % of the usual size" if scale_percent != 100 else "")
        + "\n"
    )
