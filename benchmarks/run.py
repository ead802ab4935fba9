"""What recording and replay cost, as ratios to the bare SDK in the same run.

    python benchmarks/run.py [--calls 1000] [--rounds 3] [--check]

Figures are CPU of whole processes (user and system, children included), so they hold on a busy machine; a call's cost
is (CPU(N) - CPU(1)) / N, which takes start-up out. The rounds are interleaved and their medians compared. Memory is the
largest resident set of the process. `--check` exits with 1 where a bound does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
HARNESS = [sys.executable, "-m", "harness"]
QUIET = ["-q", "--no-html", "--no-progress"]
MANY = 10_000


@dataclass(frozen=True)
class Cost:
    """CPU seconds and peak memory (MB) of one process."""

    cpu: float
    memory: float


def run(command: list[str], *, cwd: Path) -> Cost:
    """Run a command on the first core and account for it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "HARNESS_"))}
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=lambda: _pin(0)
    )
    assert process.stderr is not None
    said = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} exited with {process.returncode}:\n{said}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _pin(core: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[core % len(cores)]})


def write_project(root: Path, port: int, counts: list[int]) -> None:
    """A prompt with a variable, and one suite per number of cases, each with two checks."""
    (root / "prompts/p").mkdir(parents=True)
    (root / "suites/data").mkdir(parents=True)
    (root / "pyproject.toml").write_text("[tool.harness]\n")
    (root / "prompts/p/1.j2").write_text("Answer the question about {{ topic }} briefly and with the number only, please.\n")
    for count in counts:
        rows = (
            {"id": f"c{n}", "input": f"What is the answer to question number {n}?", "expected": "forty-two",
             "vars.topic": f"topic {n}"}
            for n in range(count)
        )
        (root / f"suites/data/n{count}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (root / f"suites/n{count}.yaml").write_text(
            f"suite: n{count}\nmodel: constant\nbase_url: http://127.0.0.1:{port}/v1\nvariants: [p@1]\n"
            'expect: [{icontains: "{{ expected }}"}, {word_count: 50}]\n'
            f"cases: data/n{count}.jsonl\n"
        )


class Bench:
    """Measures in a project of its own."""

    def __init__(self, root: Path, port: int, calls: int, rounds: int) -> None:
        self.root = root
        self.port = str(port)
        self.calls = calls
        self.rounds = rounds

    def harness(self, *arguments: str) -> Cost:
        return run([*HARNESS, *arguments], cwd=self.root)

    def peer(self, kind: str, count: int) -> Cost:
        return run([sys.executable, str(HERE / "peers.py"), kind, self.port, str(count), f"stock/{count}"], cwd=self.root)

    def record(self, count: int) -> Cost:
        shutil.rmtree(self.root / "cassettes" / f"n{count}", ignore_errors=True)
        return self.harness("run", f"suites/n{count}.yaml", "--record-mode", "all", "-j", "32", *QUIET)

    def replay(self, count: int) -> Cost:
        return self.harness("run", f"suites/n{count}.yaml", "-j", "32", *QUIET)

    def per_call(self) -> dict[str, float]:
        """Milliseconds of CPU per call: (a) bare, (b) recorded, (c) replayed, (d) replayed by stock vcrpy."""
        for count in (1, self.calls):
            self.peer("record", count)
        ways: dict[str, Callable[[int], Cost]] = {
            "a": lambda count: self.peer("bare", count),
            "b": self.record,
            "c": self.replay,
            "d": lambda count: self.peer("replay", count),
        }
        seen: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(self.rounds):
            for name, way in ways.items():
                one, many = way(1).cpu, way(self.calls).cpu
                seen[name].append((many - one) / self.calls * 1000)
        return {name: statistics.median(values) for name, values in seen.items()}

    def start_up(self) -> dict[str, float]:
        """Milliseconds of CPU of commands that do next to nothing."""
        commands = {
            "harness --help": ["--help"],
            "harness validate": ["validate", "suites/n1.yaml"],
            "one trial replayed": ["run", "suites/n1.yaml", *QUIET],
        }
        self.harness("--help")
        return {
            name: statistics.median(self.harness(*arguments).cpu for _ in range(max(self.rounds, 5))) * 1000
            for name, arguments in commands.items()
        }

    def memory(self) -> float:
        """Peak resident MB of a replay of 10,000 trials."""
        self.record(MANY)
        return self.replay(MANY).memory


def report(per_call: dict[str, float], start_up: dict[str, float], memory: float) -> list[tuple[str, str, str, bool | None]]:
    """Rows of what, measured, bound, whether it holds."""
    a, b, c, d = (per_call[name] for name in "abcd")
    rows: list[tuple[str, str, str, bool | None]] = [
        ("(a) bare SDK, a call", f"{a:.2f} ms", "", None),
        ("(b) recorded, a call", f"{b:.2f} ms", "", None),
        ("(b) - (a)", f"{(b - a) / a:+.2f} x (a)", "<= 0.35 x (a)", b - a <= 0.35 * a),
        ("(c) replayed, a call", f"{c:.2f} ms = {c / a:.2f} x (a)", "<= 1.5 x (a)", c <= 1.5 * a),
        ("(d) stock vcrpy replay, a call", f"{d:.2f} ms = {d / a:.2f} x (a)", "> (c)", c < d),
    ]
    for name, cpu in start_up.items():
        bound = 150 if name == "harness --help" else None
        rows.append((name, f"{cpu:.0f} ms", f"< {bound} ms" if bound else "", cpu < bound if bound else None))
    rows.append((f"memory at {MANY:,} trials", f"{memory:.0f} MB", "< 150 MB", memory < 150))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true", help="exit with 1 where a bound does not hold")
    options = parser.parse_args()
    command = [sys.executable, str(HERE / "server.py")]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=lambda: _pin(1)) as server,
    ):
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            root = Path(folder)
            write_project(root, port, [1, options.calls, MANY])
            bench = Bench(root, port, options.calls, options.rounds)
            rows = report(bench.per_call(), bench.start_up(), bench.memory())
        finally:
            server.terminate()
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for what, measured, bound, holds in rows:
        verdict = "" if holds is None else "holds" if holds else "DOES NOT HOLD"
        print(f"{what:{widths[0]}}  {measured:{widths[1]}}  {bound:{widths[2]}}  {verdict}".rstrip())
    return int(options.check and any(row[3] is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
