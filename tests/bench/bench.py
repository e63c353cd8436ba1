#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench: what berth costs and how quick it is, on a real Kafka, a real Redis and the Harbor
stand-in. docs/performance.md says what each line means and how it is measured.

    bench.py --build DIR [--runs N] [--scale PERCENT] [--minutes N] [MEASURE...]

Without any MEASURE all are run but the long ones, for which --minutes says how long. Each measure is
one function: it makes its own stage, runs its job a number of times, and returns rows of the table.
Nothing here is a test: no aim is enforced, a missed one is only shown.
"""

import argparse
import sys
from pathlib import Path

from bench_stage import Bench
from harbor_measures import LONG_MEASURES, measure_sessions
from measures import MEASURES
from service import ServiceError, exit_on_sigterm
from table import print_machine, print_table

# Those that are run without being named.
SHORT_MEASURES = MEASURES | {"sessions": measure_sessions}
ALL_MEASURES = SHORT_MEASURES | LONG_MEASURES


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--build", type=Path, required=True, help="build folder with bin/berthd")
    parser.add_argument("--runs", type=int, default=3, help="runs of each measure (default 3)")
    parser.add_argument(
        "--scale", type=float, default=100, help="percent of the usual commands (default 100)"
    )
    parser.add_argument(
        "--minutes", type=float, default=10, help="how long the long ones last (default 10)"
    )
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=", ".join(ALL_MEASURES))
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.measures) - set(ALL_MEASURES))
    if unknown:
        parser.error(f"no measure {', '.join(unknown)}; there are: {', '.join(ALL_MEASURES)}")
    if arguments.runs < 1 or arguments.scale <= 0 or arguments.minutes <= 0:
        parser.error("--runs, --scale and --minutes must be above 0")
    return arguments


def main() -> int:
    arguments = parse_arguments()
    exit_on_sigterm()
    bench = Bench(arguments.build, arguments.runs, arguments.scale / 100, arguments.minutes)
    rows = []
    for name in arguments.measures or SHORT_MEASURES:
        print(f"== {name}", flush=True)
        try:
            rows += ALL_MEASURES[name](bench)
        except ServiceError as error:
            print(f"bench: {name}: {error}", file=sys.stderr)
            return 1
    print_machine(arguments.build, arguments.runs, arguments.scale)
    print_table(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
