# SPDX-License-Identifier: Apache-2.0
"""The bench's table: one row a figure, with the median, the spread, its floor and the aim."""

import statistics
from dataclasses import dataclass
from typing import Optional, Sequence


@dataclass
class Row:
    """One figure, measured several times. at_most or at_least is the aim, if there is one. floor and
    beside: the same of the floor and of another build's berthd in the same run, if they have it."""

    what: str
    unit: str
    values: Sequence[float]
    at_most: Optional[float] = None
    at_least: Optional[float] = None
    floor: Sequence[float] = ()
    beside: Sequence[float] = ()

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


def spread_of(values: Sequence[float]) -> str:
    low, high = min(values, default=0), max(values, default=0)
    return "" if low == high else f"{text_of(low)} to {text_of(high)}"


def median_of(values: Sequence[float]) -> str:
    return text_of(statistics.median(values)) if values else ""


def ratio_of(values: Sequence[float], others: Sequence[float]) -> str:
    """Of the medians; nothing where there is nothing to compare with."""
    if not values or not others or statistics.median(others) == 0:
        return ""
    return f"{statistics.median(values) / statistics.median(others):.2f}"


def text_of(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 1 else f"{value:.1f}"


def print_table(rows: Sequence[Row]) -> None:
    """What was measured."""
    beside = any(row.beside for row in rows)
    head = ["what", "got", "spread", "unit", "floor", "to floor"]
    head += ["beside", "its spread", "to beside"] if beside else []
    cells = [[*head, "aim", ""]]
    for row in rows:
        line = [row.what, median_of(row.values), spread_of(row.values), row.unit]
        line += [median_of(row.floor), ratio_of(row.values, row.floor)]
        if beside:
            line += [median_of(row.beside), spread_of(row.beside)]
            line += [ratio_of(row.values, row.beside)]
        cells.append([*line, row.aim(), row.verdict()])
    print_cells(cells)


def print_cells(cells: list[list[str]]) -> None:
    """As Markdown, so that it can go into docs/performance.md as it is. The first line is the head."""
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    rule = ["-" * max(width, 3) for width in widths]
    for line in [cells[0], rule, *cells[1:]]:
        print("| " + " | ".join(text.ljust(width) for text, width in zip(line, widths)) + " |")
