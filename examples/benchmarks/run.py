"""Measure skgd and its peers: all that pages say about speed and accuracy.

    pip install -e ".[bench]"
    python examples/benchmarks/run.py

Each question writes its results to a file, with the machine and the versions that they
come from, prints its tables and draws its picture. Libraries that are not installed are
left out, and so are questions that need hardware that is not there.
"""

import argparse
import os
import tempfile
from importlib import import_module
from pathlib import Path
from types import ModuleType

from questions import NAMES, reason_to_leave_out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="on little data")
    parser.add_argument(
        "--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--output", type=Path, help="folder of results/ and figures/")
    args = parser.parse_args()
    # Threads are set before NumPy is imported, and with it all that has threads.
    for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{library}_NUM_THREADS"] = str(args.threads)
    os.environ["VECLIB_MAXIMUM_THREADS"] = str(args.threads)
    # So is what scikit-learn asks for where arrays are to stay in their library.
    os.environ["SCIPY_ARRAY_API"] = "1"
    from measuring import machine, use_threads
    from report import HERE, report, save
    from tqdm import tqdm

    output = args.output or (Path(tempfile.mkdtemp()) if args.quick else HERE)
    use_threads(args.threads)
    facts = machine()
    questions = {name: import_module(f"questions.{name}") for name in args.only}
    if not args.quick:
        questions = measurable(questions)
    cases = {
        name: question.QUICK if args.quick else question.FULL
        for name, question in questions.items()
    }
    with tqdm(total=sum(map(len, cases.values())), unit="case", disable=None) as bar:
        for name, question in questions.items():
            rows = []
            for case in cases[name]:
                bar.set_description(f"{name}: {', '.join(map(str, case.values()))}")
                rows += [{**case, **row} for row in question.measure(**case)]
                bar.update()
            save(rows, facts, output / "results" / f"{name}.csv")
            with bar.external_write_mode():
                report(output, name, dpi=60 if args.quick else 200)
    print(f"\nResults and pictures are in {output}")


def measurable(questions: dict[str, ModuleType]) -> dict[str, ModuleType]:
    """Return the questions that this machine can answer, and say why not the others."""
    reasons = {name: reason_to_leave_out(each) for name, each in questions.items()}
    for name, reason in reasons.items():
        if reason:
            print(f"{name} is left out: {reason}")
    return {name: each for name, each in questions.items() if not reasons[name]}


if __name__ == "__main__":
    main()
