"""What recording and replay cost, as ratios to the bare SDK in the same run. See README.md.

Usage: python benchmarks/run.py [--part PART]... [--calls 1000] [--rounds 3] [--trials 10000] [--check]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
HARNESS = [str(Path(sys.executable).with_name("harness"))]
QUIET = ["-q", "--no-html", "--no-progress", "-j", "32"]
#: Start-up is short and cheap to measure, and varies more.
STARTS = 7
PARTS = ("calls", "startup", "memory")


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of a process and all it started, and peak memory (MB) of the largest of them."""

    cpu: float
    memory: float


@dataclass(frozen=True, slots=True)
class Row:
    """A figure, and what it should be."""

    what: str
    measured: str
    bound: str = ""
    holds: bool | None = None


def run(command: list[str], *, cwd: Path) -> Cost:
    """Run a command on the first core and account for it; end everything if it fails, its figure would mean nothing."""
    ambient = ("OPENAI_", "HARNESS_", "PYTEST_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ambient)}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=said, stderr=subprocess.STDOUT, preexec_fn=lambda: _pin(0)
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)} exited with {process.returncode}:\n{said.read().decode()[-2000:]}")
    # Kilobytes, but on macOS bytes.
    unit = 1e-6 if sys.platform == "darwin" else 1024e-6
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


@contextmanager
def serving() -> Iterator[str]:
    """Run the server on the second core; yield its port."""
    command = [sys.executable, str(HERE / "server.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: _pin(1)) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def _pin(core: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[core % len(cores)]})


def write_project(root: Path, port: str, counts: list[int]) -> None:
    """A prompt with a variable, and one suite per number of cases, each with two checks."""
    files = {
        "pyproject.toml": "[tool.harness]\n",
        "prompts/p/1.j2": "Answer the question about {{ topic }} briefly and with the number only, please.\n",
        "test_nothing.py": "def test_nothing():\n    pass\n",
    }
    for count in counts:
        rows = (
            {
                "id": f"c{number}",
                "input": f"What is the answer to question number {number}?",
                "expected": "forty-two",
                "vars.topic": f"topic {number}",
            }
            for number in range(count)
        )
        files[f"suites/data/n{count}.jsonl"] = "".join(json.dumps(row) + "\n" for row in rows)
        files[f"suites/n{count}.yaml"] = (
            f"suite: n{count}\napi: chat\nmodel: constant\nbase_url: http://127.0.0.1:{port}/v1\nvariants: [p@1]\n"
            'expect: [{icontains: "{{ expected }}"}, {word_count: 50}]\n'
            f"cases: data/n{count}.jsonl\n"
        )
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


class Bench:
    """Measures in a project of its own."""

    def __init__(self, root: Path, port: str, *, calls: int, rounds: int, trials: int) -> None:
        self.root = root
        self.port = port
        self.counts = (1, calls)
        self.rounds = rounds
        self.trials = trials
        write_project(root, port, [1, calls, trials])

    def peer(self, kind: str, count: int) -> Cost:
        arguments = [kind, self.port, str(count), f"stock/{count}"]
        return run([sys.executable, str(HERE / "peers.py"), *arguments], cwd=self.root)

    def record(self, count: int) -> Cost:
        shutil.rmtree(self.root / "cassettes" / f"n{count}", ignore_errors=True)
        return run([*HARNESS, "run", f"suites/n{count}.yaml", "--record-mode", "all", *QUIET], cwd=self.root)

    def replay(self, count: int) -> Cost:
        return run([*HARNESS, "run", f"suites/n{count}.yaml", *QUIET], cwd=self.root)

    def calls(self) -> list[Row]:
        """CPU of one call, start-up taken out."""
        for count in self.counts:
            self.peer("record", count)
        ways: dict[str, Callable[[int], Cost]] = {
            "(a) bare SDK": lambda count: self.peer("bare", count),
            "(b) recorded": self.record,
            "(c) replayed": self.replay,
            "(d) replayed by stock vcrpy": lambda count: self.peer("replay", count),
        }
        seen: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(self.rounds):
            for name, way in ways.items():
                one, many = (way(count).cpu for count in self.counts)
                seen[name].append((many - one) / self.counts[1] * 1000)
        a, b, c, d = (statistics.median(values) for values in seen.values())
        bounds = (
            ("", None),
            (f"(b) - (a) = {(b - a) / a:.2f} x (a) <= 0.35 x (a)", b - a <= 0.35 * a),
            (f"(c) = {c / a:.2f} x (a) <= 1.5 x (a)", c <= 1.5 * a),
            (f"(c) = {c / d:.2f} x (d) < (d)", c < d),
        )
        return [
            Row(f"{name}, a call", _milliseconds(values, 2), bound, holds)
            for (name, values), (bound, holds) in zip(seen.items(), bounds, strict=True)
        ]

    def startup(self) -> list[Row]:
        """CPU of commands that do next to nothing, and of the plugin in a pytest run without suites."""
        self.record(1)
        pytest = [sys.executable, "-m", "pytest", "-q", "--disable-plugin-autoload", "test_nothing.py"]
        commands = {
            "harness --help": [*HARNESS, "--help"],
            "harness validate": [*HARNESS, "validate", "suites/n1.yaml"],
            "one trial replayed": [*HARNESS, "run", "suites/n1.yaml", *QUIET],
            "pytest": pytest,
            "pytest with the plugin": [*pytest, "-p", "harness.pytest_plugin"],
        }
        seen: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(STARTS + 1):
            for name, command in commands.items():
                cost = run(command, cwd=self.root)
                # The first turn compiles and fills the disk's cache.
                if turn:
                    seen[name].append(cost.cpu * 1000)
        without, with_plugin = seen.pop("pytest"), seen.pop("pytest with the plugin")
        seen["plugin in a pytest run without suites"] = [a - b for a, b in zip(with_plugin, without, strict=True)]
        limits = {"harness --help": 150, "plugin in a pytest run without suites": 20}
        return [
            Row(name, _milliseconds(values, 0), f"< {limits[name]} ms", statistics.median(values) < limits[name])
            if name in limits
            else Row(name, _milliseconds(values, 0))
            for name, values in seen.items()
        ]

    def memory(self) -> list[Row]:
        """Peak memory of a long run."""
        recorded, replayed = self.record(self.trials).memory, self.replay(self.trials).memory
        what = f"memory, {self.trials:,} trials"
        return [
            Row(f"{what} recorded", f"{recorded:.0f} MB"),
            Row(f"{what} replayed", f"{replayed:.0f} MB", "< 150 MB", replayed < 150),
        ]


def _milliseconds(values: list[float], digits: int) -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ms ({low:.{digits}f} to {high:.{digits}f})"


def main() -> int:
    parser = argparse.ArgumentParser(description="What recording and replay cost, as ratios to the bare SDK.")
    parser.add_argument("--part", action="append", choices=PARTS, help="measure this only (repeatable)")
    parser.add_argument("--calls", type=int, default=1000, help="N of the cost of a call (default 1000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds that medians are taken over (default 3)")
    parser.add_argument("--trials", type=int, default=10_000, help="trials of the memory part (default 10000)")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a bound does not hold")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores. CPU: median (range).")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, serving() as port:
        bench = Bench(Path(folder), port, calls=options.calls, rounds=options.rounds, trials=options.trials)
        rows = [row for part in options.part or PARTS for row in getattr(bench, part)()]
    widths = [max(len(getattr(row, column)) for row in rows) for column in ("what", "measured", "bound")]
    for row in rows:
        verdict = "" if row.holds is None else "holds" if row.holds else "DOES NOT HOLD"
        print(f"{row.what:{widths[0]}}  {row.measured:{widths[1]}}  {row.bound:{widths[2]}}  {verdict}".rstrip())
    return int(options.check and any(row.holds is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
