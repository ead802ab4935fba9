"""Small projects for tests, and the command line in process."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from harness.cli import main


def write(root: Path, files: dict[str, str]) -> Path:
    """Write files below `root`, with an empty [tool.harness] unless there is a pyproject.toml among them."""
    for name, text in {"pyproject.toml": "[tool.harness]\n", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def harness(*arguments: str) -> Result:
    """Run a command in the working folder; exceptions that are no exit are raised."""
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False, prog_name="harness")


_CASES = """\
  - {id: shipping, tags: [policy], input: How long does shipping take?, expected: 5 days}
  - {id: price, input: What does it cost?, expected: 5 days}
"""


def faq(url: str, *, extra: str = "", cases: str = "") -> dict[str, str]:
    """A suite of two variants and a few cases against a service at `url`."""
    return {
        "prompts/faq/1.j2": "Answer briefly.",
        "prompts/faq/2.j2": "---\nvariables:\n  company: {type: string, default: Acme}\n---\nYou answer for {{ company }}.",
        "suites/faq.yaml": f"""\
suite: faq
model: test-model
base_url: {url}
variants: {{v1: {{prompt: faq@1}}, v2: {{prompt: faq@2}}}}
{extra}
expect: {{icontains: "{{{{ expected }}}}"}}
cases:
{cases or _CASES}""",
    }
