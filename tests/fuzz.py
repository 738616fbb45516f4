"""Coverage-guided fuzzing of the property tests (`make fuzz`): Atheris chooses what Hypothesis builds examples from.

Each property test runs in a process of its own for some seconds, and every input that reaches a new branch of our code
is kept in `var/fuzz/` and varied further, in this run and the next. What breaks a property is kept by Hypothesis too:
`make test` then shows it, made small.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOUND = ROOT / "var" / "fuzz"
SECONDS = 60
# One input may take so many seconds, and the process so many megabytes (0 is no limit: the knowledge alone takes some).
SLOW_SECONDS, MEGABYTES = 20, 4096


@dataclass(frozen=True)
class Outcome:
    """What fuzzing a property test came to: inputs tried, branches reached at first and in the end, and any fault."""

    name: str
    inputs: int
    first: int
    last: int
    fault: str | None


def properties(folder: Path = ROOT / "tests") -> dict[str, Path]:
    """Finds the property tests: their names and files."""
    return {
        node.name: path
        for path in sorted(folder.rglob("test_*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and any(_is_given(each) for each in node.decorator_list)
    }


def _is_given(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "given"


def fuzz(name: str, path: Path, seconds: int, kept: Path = FOUND) -> Outcome:
    """Fuzzes one property test in a process of its own."""
    inputs = kept / name
    inputs.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds}", f"-timeout={SLOW_SECONDS}", f"-rss_limit_mb={MEGABYTES}"]
    command = [sys.executable, __file__, "--one", f"{path}:{name}", *limits, f"-artifact_prefix={kept}/{name}-"]
    done = subprocess.run(
        [*command, "-print_final_stats=1", str(inputs)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    reached = [int(number) for number in re.findall(r"\bcov: (\d+)", done.stderr)] or [0]
    tried = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
    fault = f"{done.stdout[-2000:]}\n{done.stderr[-1000:]}" if done.returncode else None
    return Outcome(name, int(tried[1]) if tried else 0, reached[0], reached[-1], fault)


def run_one(target: str, arguments: list[str]) -> None:
    """Fuzzes a property test in this process and ends it, with a code other than 0 when it breaks."""
    import atheris

    path, name = target.rsplit(":", 1)
    file = Path(path)
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support"), str(file.parent)]
    with atheris.instrument_imports(include=["bot", file.stem]):  # what is imported in another way stays as it is
        fuzz_one = getattr(importlib.import_module(file.stem), name).hypothesis.fuzz_one_input
    atheris.Setup([sys.argv[0], *arguments], fuzz_one)
    atheris.Fuzz()


def main() -> int:
    """Fuzzes all property tests or those named; gives 1 when one broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="test", help="property tests; all of them without any")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="for each test (%(default)s)")
    options = parser.parse_args()
    known = properties()
    if unknown := set(options.names) - known.keys():
        parser.error(f"no property test is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if not importlib.util.find_spec("atheris"):
        parser.error("Atheris is not installed; it exists for Linux on x86-64, where `make setup-dev` installs it")
    outcomes = []
    print(f"{'property test':60} {'inputs':>8} {'branches':>15}")
    for name in options.names or known:
        outcome = fuzz(name, known[name], options.seconds)
        outcomes.append(outcome)
        ending = f"BROKE\n{outcome.fault}" if outcome.fault else ""
        print(f"{name:60} {outcome.inputs:8,} {outcome.first:6,} → {outcome.last:6,} {ending}", flush=True)
    return int(any(outcome.fault for outcome in outcomes))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        run_one(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(main())
