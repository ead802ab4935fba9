"""What is collected, what is selected, and what a selection means for gates."""

from __future__ import annotations

import pytest

from .conftest import SUITE, Write


def ids(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line]


def test_only_suites_in_the_suites_folder_are_collected(pytester: pytest.Pytester, write: Write) -> None:
    write()
    elsewhere = pytester.mkdir("elsewhere")
    (elsewhere / "other.yaml").write_text(SUITE.replace("./agent.py", "../suites/agent.py"))
    (pytester.path / "suites" / "data.yaml").write_text("- {input: a, suite: no}\n")
    (pytester.path / "suites" / "nested.yml").write_text("rows:\n  suite: no\n")
    result = pytester.runpytest("--collect-only", "-q")
    assert {line.partition("::")[0] for line in ids(result)} == {"suites/quiz.yaml"}


def test_a_suite_elsewhere_is_collected_where_a_path_names_it(pytester: pytest.Pytester, write: Write) -> None:
    write()
    elsewhere = pytester.mkdir("elsewhere")
    (elsewhere / "other.yaml").write_text(
        SUITE.replace("./agent.py", "../suites/agent.py").replace("suite: quiz", "suite: other")
    )
    result = pytester.runpytest("elsewhere/other.yaml", "--collect-only", "-q")
    assert len(ids(result)) == 8
    assert pytester.runpytest("elsewhere", "--collect-only", "-q").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_case_without_brackets_selects_all_its_trials(pytester: pytest.Pytester, write: Write) -> None:
    write()
    result = pytester.runpytest("suites/quiz.yaml::two", "--collect-only", "-q")
    assert ids(result) == ["suites/quiz.yaml::two[naive-1]", "suites/quiz.yaml::two[good-1]"]


def test_repeats_are_numbered(pytester: pytest.Pytester, write: Write) -> None:
    write()
    result = pytester.runpytest("suites", "--collect-only", "-q", "--harness-repeats", "2", "-k", "one and good")
    assert ids(result) == ["suites/quiz.yaml::one[good-1]", "suites/quiz.yaml::one[good-2]"]


def test_tags_are_registered_marks(pytester: pytest.Pytester, write: Write) -> None:
    write()
    result = pytester.runpytest("suites", "-m", "hard and not rare", "--strict-markers", "--collect-only", "-q")
    assert ids(result) == ["suites/quiz.yaml::three[naive-1]", "suites/quiz.yaml::three[good-1]"]


@pytest.mark.parametrize("tag", ["lang:en", "_private", "of (some) kind"])
def test_tags_that_cannot_be_marks_as_they_are(pytester: pytest.Pytester, write: Write, tag: str) -> None:
    write(suite=SUITE.replace("rare", f'"{tag}"'))
    result = pytester.runpytest("suites", "--strict-markers", "-W", "error", "-k", "four")
    result.assert_outcomes(passed=1, deselected=6)


def test_names_of_pytests_own_marks_are_refused(pytester: pytest.Pytester, write: Write) -> None:
    write(suite=SUITE.replace("rare", "skip"))
    result = pytester.runpytest("suites")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*suites/quiz.yaml:12:*skip*"])


def test_a_whole_variant_keeps_its_gates(pytester: pytest.Pytester, write: Write) -> None:
    write(gates="accuracy: 0.7")
    result = pytester.runpytest("suites", "--harness-variant", "good", "-v")
    assert result.parseoutcomes() == {"passed": 4, "missed": 1, "deselected": 4}
    assert result.ret == 0
    result.stdout.fnmatch_lines(["suites/quiz.yaml::gates[[]good] PASSED *"])


def test_an_unknown_variant_is_a_usage_error(pytester: pytest.Pytester, write: Write) -> None:
    write()
    result = pytester.runpytest("suites", "--harness-variant", "godo")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*no variant is called 'godo'. Did you mean 'good'?*"])


def test_variants_leave_other_tests_alone(pytester: pytest.Pytester, write: Write) -> None:
    write()
    pytester.makepyfile("def test_sum(): pass")
    result = pytester.runpytest("--harness-variant", "good", "-k", "sum or one")
    result.assert_outcomes(passed=2, deselected=7)


@pytest.mark.parametrize(
    "arguments",
    [("-k", "good and not one"), ("--deselect", "suites/quiz.yaml::one[good-1]"), ("-m", "hard")],
    ids=" ".join,
)
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "-n 2"])
def test_part_of_a_variant_never_turns_its_failures_green(
    pytester: pytest.Pytester, write: Write, arguments: tuple[str, ...], workers: tuple[str, ...]
) -> None:
    write(gates="accuracy: 0.1")
    result = pytester.runpytest("suites", *arguments, *workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["FAILED suites/quiz.yaml::three[[]good-1]*", "*1 failed*"])
    result.stdout.no_fnmatch_line("*gates[[]good]*")


def test_what_a_conftest_skips_does_not_count_as_whole(pytester: pytest.Pytester, write: Write) -> None:
    write(gates="accuracy: 0.1")
    pytester.makeconftest(
        """
        import pytest
        def pytest_runtest_setup(item):
            if item.name == "one[good-1]":
                pytest.skip("not today")
        """
    )
    result = pytester.runpytest("suites")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["FAILED harness::verdict*"])


def test_nothing_selected(pytester: pytest.Pytester, write: Write) -> None:
    write(gates="accuracy: 0.1")
    result = pytester.runpytest("suites", "-k", "nosuchthing")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert not (pytester.path / "reports").exists()


def test_last_failed_runs_failed_trials_only(pytester: pytest.Pytester, write: Write) -> None:
    write()
    pytester.runpytest("suites")
    result = pytester.runpytest("suites", "--lf", "-v")
    assert result.parseoutcomes() == {"failed": 1}
    result.stdout.fnmatch_lines(["suites/quiz.yaml::three[[]good-1] FAILED*"])


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "-n 2"])
def test_last_failed_runs_a_suite_whole_whose_gate_failed(
    pytester: pytest.Pytester, write: Write, workers: tuple[str, ...]
) -> None:
    write(gates="accuracy: 0.9", suite=SUITE.replace("input: d", "input: crash"))
    first = pytester.runpytest("suites", *workers)
    # Two errors, one failed gate; all other failures count in the gate.
    assert first.parseoutcomes() == {"failed": 3, "passed": 3, "missed": 3}
    second = pytester.runpytest("suites", "--lf", *workers)
    assert second.parseoutcomes() == first.parseoutcomes()


def test_two_suites_of_one_name_are_refused(pytester: pytest.Pytester, write: Write) -> None:
    write()
    write(name="twin")
    result = pytester.runpytest("suites")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*suite 'quiz'*suites/quiz.yaml*"])


def test_a_broken_suite_is_a_collection_error_without_traceback(pytester: pytest.Pytester, write: Write) -> None:
    write(suite=SUITE.replace("expect:", "expct:").replace("id: two", "id: one"))
    write(name="fine", suite=SUITE.replace("suite: quiz", "suite: fine"))
    result = pytester.runpytest("suites")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*suites/quiz.yaml:7:1:*expct*Did you mean 'expect'?*", "*suites/quiz.yaml:10:*one*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*harness/*.py*")


def test_broken_settings_are_a_collection_error(pytester: pytest.Pytester, write: Write) -> None:
    write()
    (pytester.path / "pyproject.toml").write_text("[tool.harness]\nconcurency = 3\n")
    result = pytester.runpytest("suites")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*pyproject.toml:2:*Did you mean 'concurrency'?*"])
    result.stdout.no_fnmatch_line("*Traceback*")
