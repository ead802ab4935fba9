"""What the operating system does to a run; the tests that inject it stand beside those of the promises."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.entries import Ends, Fault

_KILLED = "tests/system/test_resume.py"
_CALLS = "tests/system/test_syscalls.py"
_STORAGE = "tests/system/test_storage.py"
_SIGNALS = "tests/system/test_signals.py"
_TOGETHER = "tests/system/test_together.py"


def _row(id: str, what: str, words: str, held_by: str) -> Fault:
    return Fault(id=id, what=what, harness=Ends(outcome="", words=words), held_by=held_by)


ROWS: Sequence[Fault] = (
    _row(
        "F46",
        "`kill -9` at every write, sync and rename, one after the other",
        "the next run goes on; at most as many trials as run at once are asked again; the report is that of an undisturbed run",
        f"{_CALLS}::test_killed_at_every_call_of_a_kind",
    ),
    _row(
        "F46b",
        "`kill -9` at every tenth of a hundred trials",
        "the same, and the next run says how many calls may be paid twice",
        f"{_KILLED}::test_killed_at_every_tenth_of_a_run",
    ),
    _row(
        "F47",
        "the disk is full in the middle of a run",
        "nothing more is sent, old files are whole, what was paid is in a temporary folder that is named, exit code 6",
        f"{_STORAGE}::test_a_disk_that_fills_up_loses_nothing_that_was_paid",
    ),
    _row(
        "F47b",
        "there is too little room from the start",
        "nothing is sent, exit code 6",
        f"{_STORAGE}::test_too_little_room_is_known_before_anything_is_sent",
    ),
    _row(
        "F47c",
        "syncs fail with EIO or ENOSPC, renames with EROFS",
        "as F47",
        f"{_CALLS}::test_a_disk_that_fails_for_good_ends_the_run_with_6",
    ),
    _row(
        "F47d",
        "files may not grow (`ulimit -f`)",
        "nothing more is sent, exit code 6; the temporary folder cannot be written either, and the message says so",
        f"{_STORAGE}::test_files_that_may_not_grow",
    ),
    _row(
        "F47e",
        "no room for the reports of a replay",
        "verdict and reports all the same, these in a temporary folder that is named, exit code 6",
        f"{_STORAGE}::test_reports_for_which_there_is_no_room_go_elsewhere_with_the_verdict",
    ),
    _row(
        "F47f",
        "standard output is `/dev/full`, or its reader is gone",
        "exit code 6; where only the reader is gone, that of the verdict, and no complaint",
        f"{_SIGNALS}::test_whoever_stops_reading_changes_nothing",
    ),
    _row(
        "F48",
        "the project cannot be written",
        "a replay ends as ever, its reports in a temporary folder that is named; a recording is refused before the first call, exit code 6",
        f"{_STORAGE}::test_a_project_that_cannot_be_written_replays_and_does_not_record",
    ),
    _row(
        "F48b",
        "no HOME; the working folder was removed",
        "a replay of a suite that is named by its whole path ends as ever",
        f"{_STORAGE}::test_neither_home_nor_a_working_folder_is_needed",
    ),
    _row(
        "F49",
        "SIGINT, SIGTERM or SIGHUP once",
        "nothing more is sent, what is in flight gets 10 s, the rest is skipped as `interrupted`, exit code 130",
        f"{_SIGNALS}::test_asked_to_end_by_the_system_a_run_ends_as_on_ctrl_c",
    ),
    _row(
        "F49b",
        "the same twice",
        "nobody waits; what is finished is reported, exit code 130",
        f"{_SIGNALS}::test_a_second_signal_ends_a_run_within_a_second",
    ),
    _row(
        "F49c",
        "SIGINT between two turns of a conversation",
        "the second turn is not sent; the trial is skipped, and its first call counted as maybe paid",
        f"{_SIGNALS}::test_a_conversation_sends_nothing_more_after_an_interrupt",
    ),
    _row(
        "F50",
        "the clock is set an hour back or a day ahead at every look",
        "no duration and no order changes; only dates show it",
        f"{_TOGETHER}::test_a_clock_that_is_set_changes_no_duration",
    ),
    _row(
        "F51",
        "two processes record the same at once",
        "the second waits up to 10 s and then replays what the first recorded: everything is paid once",
        f"{_TOGETHER}::test_two_runs_that_would_record_the_same_pay_once",
    ),
    _row(
        "F51b",
        "the first does not end in that time",
        "the second names it and sends nothing, exit code 6",
        f"{_TOGETHER}::test_a_run_that_waits_for_another_too_long_names_it_and_sends_nothing",
    ),
    _row(
        "F51c",
        "several replays at once",
        "each has its own folder, and all the same results",
        f"{_TOGETHER}::test_replays_at_once_keep_their_own_results",
    ),
    _row(
        "F52",
        "a recording that is cut, empty, edited in its counts, or unreadable since a bit flipped",
        "refused with the reason, and nothing is sent; line ends and byte order marks of editors do no harm",
        "tests/modes/test_strict.py::test_a_damaged_recording_is_refused_and_never_recorded_anew_by_itself",
    ),
    _row(
        "F52b",
        "a recording that holds more than the trial asks for",
        "a warning; with `--strict` error `cassette_unused`, exit code 3",
        "tests/modes/test_strict.py::test_a_recorded_call_that_is_not_made_is_a_warning_and_strictly_an_error",
    ),
    _row(
        "F53",
        "the prompt changes by a letter",
        "a miss that shows the difference; nothing is sent",
        f"{_TOGETHER}::test_a_prompt_that_changed_by_a_letter_is_a_miss_that_shows_it",
    ),
    _row(
        "F53b",
        "five repeats, replayed in another order",
        "each gets its own recording",
        f"{_TOGETHER}::test_repeats_replay_their_own_recordings_in_any_order",
    ),
)
