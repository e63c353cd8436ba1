# SPDX-License-Identifier: Apache-2.0
"""What a run measured, and on what machine: printed, kept in a file, and two of those compared."""

import ctypes
import json
import os
import re
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Optional, Sequence

from services import KAFKA_HOME, find_java, java_version
from table import Row, median_of, print_cells, print_table, ratio_of, spread_of

# Of a file's form: changed when an older file can't be compared any more.
FORM = 1


@dataclass
class Run:
    """How it was run, which a figure means nothing without."""

    build: Path
    runs: int
    scale_percent: float
    beside: Optional[Path]


class ResultsError(Exception):
    """A file of results can't be used; the text says why."""


def machine_facts(run: Run) -> dict[str, Any]:
    """Taken at the end, so that the load average is that of the run."""
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "cores": os.cpu_count(),
        "memory_gib": round(int(memory.group(1)) / 1024 / 1024, 1) if memory else 0,
        "load": [round(value, 1) for value in os.getloadavg()],
        "kernel": os.uname().release,
        "build": run.build.name,
        "runs": run.runs,
        "scale_percent": run.scale_percent,
        "beside": str(run.beside) if run.beside else None,
        "versions": versions(run),
    }


def versions(run: Run) -> dict[str, str]:
    """Of the libraries that this build runs with, and of the services."""
    found = json.loads(said_by(run.build / "bin" / "bench_floor", "--versions"))
    redis = re.search(r"v=(\S+)", said_by(Path("redis-server"), "--version"))
    kafka = [jar.stem for jar in (KAFKA_HOME / "lib").glob("kafka-clients-*.jar")]
    found["redis-server"] = redis.group(1) if redis else ""
    found["kafka"] = kafka[0].removeprefix("kafka-clients-") if kafka else ""
    found["java"] = str(java_version(find_java()))
    if run.beside:
        found["librdkafka beside"] = librdkafka_of(run.beside)
    return found


def librdkafka_of(program: Path) -> str:
    """The version that a program runs with."""
    library = re.search(r"librdkafka\S* => (/\S+)", said_by(Path("ldd"), str(program)))
    if library is None:
        return "unknown"
    version = ctypes.CDLL(library.group(1)).rd_kafka_version_str
    version.restype = ctypes.c_char_p
    return version().decode()


def said_by(program: Path, *words: str) -> str:
    done = subprocess.run([str(program), *words], capture_output=True, text=True, check=True)
    return done.stdout


def print_machine(facts: dict[str, Any]) -> None:
    load = ", ".join(str(value) for value in facts["load"])
    full = facts["scale_percent"] == 100
    size = "" if full else f" at {facts['scale_percent']:g} % of the usual size"
    print(
        f"{facts['date']}; {facts['cores']} cores, {facts['memory_gib']:.0f} GiB; load average "
        f"{load}; build {facts['build']}; medians of {facts['runs']} runs{size}"
    )
    print("; ".join(f"{name} {version}" for name, version in facts["versions"].items()) + "\n")


def show(rows: Sequence[tuple[str, Row]], run: Run, file: Optional[Path]) -> None:
    """Each row with the measure that it is of."""
    facts = machine_facts(run)
    print()
    print_machine(facts)
    print_table([row for _, row in rows])
    if file is not None:
        kept = [{"measure": measure, **asdict(row)} for measure, row in rows]
        file.write_text(json.dumps({"form": FORM, "machine": facts, "rows": kept}, indent=1) + "\n")
        print(f"\nwritten to {file}")


def read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ResultsError(f"{file}: {error}; --json FILE writes such a file") from None
    if not isinstance(found, dict) or found.get("form") != FORM:
        raise ResultsError(f"{file} is not of this bench (form {FORM}): measure anew with --json")
    return found


def compare(one: Path, other: Path) -> None:
    """Figure by figure, with the ratio of the second to the first; also of how far each is from its
    own floor, which says more when the machine or its load differed."""
    first, second = read(one), read(other)
    for name, found in (("A", first), ("B", second)):
        print(f"{name}: ", end="")
        print_machine(found["machine"])
    before = {(row["measure"], row["what"]): row for row in first["rows"]}
    after = {(row["measure"], row["what"]): row for row in second["rows"]}
    cells = [["what", "unit", "A", "spread", "B", "spread", "B to A", "A to floor", "B to floor"]]
    for name in [*before, *(name for name in after if name not in before)]:
        a, b = (rows.get(name, {}) for rows in (before, after))
        cells.append(
            [
                name[1],
                (a or b)["unit"],
                *(text_of_side(a)),
                *(text_of_side(b)),
                ratio_of(b.get("values", []), a.get("values", [])),
                ratio_of(a.get("values", []), a.get("floor", [])),
                ratio_of(b.get("values", []), b.get("floor", [])),
            ]
        )
    print_cells(cells)


def text_of_side(row: dict[str, Any]) -> tuple[str, str]:
    values = row.get("values", [])
    return median_of(values), spread_of(values)
