#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench: what berth costs and how quick it is, on a real Kafka, a real Redis and the Harbor
stand-in. docs/performance.md says what each line means and how it is measured.

    bench.py --build DIR [--runs N] [--scale PERCENT] [--minutes N] [--json FILE] [--beside BERTHD]
             [MEASURE...]
    bench.py --compare A.json B.json

Without any MEASURE all are run but the long ones, for which --minutes says how long. Each measure is
one function: it makes its own stage, runs its job a number of times, and returns rows of the table.
Nothing here is a test: no aim is enforced, a missed one is only shown.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Optional

from bench_stage import Bench
from harbor_measures import LONG_MEASURES, measure_sessions
from measures import MEASURES
from results import ResultsError, Run, compare, show
from service import ServiceError, exit_on_sigterm

# Those that are run without being named.
SHORT_MEASURES = MEASURES | {"sessions": measure_sessions}
ALL_MEASURES = SHORT_MEASURES | LONG_MEASURES


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--build", type=Path, help="build folder with bin/berthd")
    parser.add_argument("--runs", type=int, default=3, help="runs of each measure (default 3)")
    parser.add_argument(
        "--scale", type=float, default=100, help="percent of the usual commands (default 100)"
    )
    parser.add_argument(
        "--minutes", type=float, default=10, help="how long the long ones last (default 10)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there, too")
    parser.add_argument(
        "--beside", type=Path, metavar="BERTHD", help="another build's berthd: the same, in turns"
    )
    parser.add_argument(
        "--compare", type=Path, nargs=2, metavar="FILE", help="only show two runs' results"
    )
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=", ".join(ALL_MEASURES))
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.measures) - set(ALL_MEASURES))
    if unknown:
        parser.error(f"no measure {', '.join(unknown)}; there are: {', '.join(ALL_MEASURES)}")
    if arguments.build is None and arguments.compare is None:
        parser.error("--build or --compare is needed")
    if arguments.beside is not None:
        arguments.beside = program_of(arguments.beside)
        if arguments.beside is None:
            parser.error("--beside needs a berthd, or the folder it is in")
    if arguments.runs < 1 or arguments.scale <= 0 or arguments.minutes <= 0:
        parser.error("--runs, --scale and --minutes must be above 0")
    return arguments


def program_of(path: Path) -> Optional[Path]:
    """The berthd that was meant."""
    program = (path / "berthd" if path.is_dir() else path).resolve()
    return program if os.access(program, os.X_OK) else None


def measure(arguments: argparse.Namespace) -> None:
    run = Run(arguments.build, arguments.runs, arguments.scale, arguments.beside)
    bench = Bench(
        arguments.build, arguments.runs, arguments.scale / 100, arguments.minutes, arguments.beside
    )
    rows = []
    for name in arguments.measures or SHORT_MEASURES:
        print(f"== {name}", flush=True)
        try:
            rows += [(name, row) for row in ALL_MEASURES[name](bench)]
        except ServiceError as error:
            raise ServiceError(f"{name}: {error}") from None
    show(rows, run, arguments.json)


def main() -> int:
    arguments = parse_arguments()
    exit_on_sigterm()
    try:
        if arguments.compare is not None:
            compare(*arguments.compare)
        else:
            measure(arguments)
    except (ServiceError, ResultsError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
