"""Measure skgd and its peers: all that the README says about speed and accuracy.

    pip install -e ".[bench]"
    python examples/benchmarks/run.py

Each question writes its results to a file, with the machine and the versions that they
come from, prints its tables and draws its picture. Libraries that are not installed are
left out.
"""

import argparse
import os
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    # Threads are set before NumPy is imported, and with it all that has threads.
    first = command_line(add_help=False).parse_known_args()[0]
    for library in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMBA"):
        variable = f"{library}_THREADS" if "_" in library else f"{library}_NUM_THREADS"
        os.environ[variable] = str(first.threads)
    from measuring import machine, use_threads
    from questions import QUESTIONS
    from report import report, save
    from tqdm import tqdm

    parser = command_line()
    parser.add_argument("--only", nargs="+", choices=QUESTIONS, metavar="NAME")
    args = parser.parse_args()
    wanted = {name: QUESTIONS[name] for name in args.only or QUESTIONS}
    output = args.output or (Path(tempfile.mkdtemp()) if args.quick else HERE)
    use_threads(args.threads)
    facts = machine()
    cases = {name: question.cases(args.quick) for name, question in wanted.items()}
    with tqdm(total=sum(map(len, cases.values())), unit="case", disable=None) as bar:
        for name, question in wanted.items():
            rows = []
            for case in cases[name]:
                bar.set_description(f"{name}: {case}")
                rows += question.measure(case)
                bar.update()
            save(rows, facts, output, name)
            with bar.external_write_mode():
                report(output, name)
    print(f"\nResults and pictures are in {output}")


def command_line(add_help: bool = True) -> argparse.ArgumentParser:
    """Describe the options, but for the names, which only the questions know."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=add_help,
    )
    parser.add_argument(
        "--quick", action="store_true", help="on little data, in two minutes"
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=os.cpu_count(),
        help="that each library may use; default: as many as there are cores",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="folder of results/ and figures/; default: this script's, and a new "
        "temporary one with --quick",
    )
    return parser


if __name__ == "__main__":
    main()
