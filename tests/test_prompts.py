"""Prompts: versions, front matter, chat blocks, inheritance, and what is said when something is wrong."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import ConfigError, SourceLocation
from harness.prompts.files import PromptFiles, order
from harness.prompts.library import PromptLibrary, Rendered
from harness.records import Message

DATA = Path(__file__).parent / "data" / "prompts"
WHERE = SourceLocation("suites/s.yaml", 12, 5)
ASSISTANT = {"name": "v1", "model": "gpt-4.1-mini", "tools": [{"name": "search"}, {"name": "ticket"}]}

Write = Callable[..., PromptLibrary]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes prompt files (paths below prompts/ and their texts) and returns a library that has read nothing yet."""

    def build(files: Mapping[str, str | bytes] | None = None, /) -> PromptLibrary:
        for name, text in (files or {}).items():
            path = tmp_path / "prompts" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return PromptLibrary(PromptFiles(root=tmp_path, folder=tmp_path / "prompts"))

    return build


def opening(
    library: PromptLibrary,
    ref: str | None = "p",
    *,
    input: Sequence[str] = ("Hi",),
    history: Sequence[Message] = (),
    system: str | None = None,
    **variables: Any,
) -> Rendered:
    return library.opening(
        ref, system=system, input=input, history=history, variables=variables, assistant=ASSISTANT, where=WHERE
    )


def said(rendered: Rendered) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in rendered.messages]


def complaint(library: PromptLibrary, ref: str | None = "p", **keywords: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        opening(library, ref, **keywords)
    return str(caught.value)


def shipped() -> PromptLibrary:
    return PromptLibrary(PromptFiles(root=DATA.parent, folder=DATA))


class TestReferences:
    def test_the_newest_version_is_the_highest_by_order_not_by_text(self, write: Write) -> None:
        library = write({f"p/{one}.j2": one for one in ("2", "10", "9.9.9", "10.0.1-rc.1")})
        assert library.versions("p") == ["2", "9.9.9", "10", "10.0.1-rc.1"]
        assert [library.get(ref).version for ref in ("p", "p@latest", "p@2")] == ["10.0.1-rc.1", "10.0.1-rc.1", "2"]

    def test_semantic_versions_are_ordered_as_their_specification_says(self) -> None:
        example = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0"
        versions = [*example.split(), "1.0.1", "1.2.0", "1.10.0", "2", "2.0.0", "3"]
        shuffled = sorted(versions, key=lambda version: hashlib.sha256(version.encode()).digest())
        assert sorted(shuffled, key=order) == versions

    def test_names_may_have_folders(self, write: Write) -> None:
        library = write({"judge/rubric/1.j2": "Judge.", "faq/1.j2": "Answer.", "faq/macros.j2": ""})
        assert library.names() == ["faq", "judge/rubric"]
        assert library.get("judge/rubric@1").ref == "judge/rubric@1"

    @pytest.mark.parametrize(
        ("ref", "told"),
        [
            ("suport", "no prompt 'suport' in prompts/. Did you mean 'support'?"),
            ("zzz", "no prompt 'zzz' in prompts/. There are: support."),
            ("support@7", "prompt 'support' has no version 7. There are: 1, 2."),
            ("support@", "'support@' is no prompt reference."),
            ("support@1@2", "is no prompt reference."),
            ("", "'' is no prompt reference. Write faq, faq@2, faq@git:main or faq@2@git:main."),
            ("../support", "no prompt '../support'"),
        ],
    )
    def test_what_is_not_there_is_named_with_the_place_that_asks(self, write: Write, ref: str, told: str) -> None:
        library = write({"support/1.j2": "a", "support/2.j2": "b"})
        with pytest.raises(ConfigError) as caught:
            library.get(ref, where=WHERE)
        assert told in str(caught.value)
        assert str(caught.value).startswith("suites/s.yaml:12:5: ")

    @pytest.mark.parametrize("version", ["2.1", "01", "1.0", "2.1.0.0", "1.j2", "2-rc"])
    def test_a_file_that_is_named_nearly_like_a_version_is_not_passed_over(self, write: Write, version: str) -> None:
        library = write({"p/1.j2": "a", f"p/{version}.j2": "b"})
        assert f"prompts/p/{version}.j2:1:1: '{version}' is no version." in complaint(library)

    def test_no_folder_no_prompts(self, tmp_path: Path) -> None:
        library = PromptLibrary(PromptFiles(root=tmp_path, folder=tmp_path / "prompts"))
        assert library.names() == []
        assert "There are: none." in complaint(library, "faq")


class TestFrontMatter:
    def test_everything_that_can_stand_there(self) -> None:
        library = shipped()
        prompt = library.get("support@2")
        assert prompt.front.description == "Warmer, with examples"
        assert prompt.parent == "1"
        assert prompt.front.encoding == "o200k_base"
        assert prompt.defaults(None) == {"temperature": 0.2, "stop": ["END"]}
        assert prompt.defaults("gpt-4.1-nano") == {"temperature": 0.2, "stop": ["END"], "max_tokens": 300}

    def test_the_parent_is_the_next_lower_version_unless_it_is_given(self, write: Write) -> None:
        library = write({"p/1.j2": "a", "p/2.j2": "b", "p/2.1.0.j2": "c", "p/3.j2": "---\nparent: 1\n---\nd"})
        assert [library.get(f"p@{one}").parent for one in ("1", "2", "2.1.0", "3")] == [None, "1", "2", "1"]

    @pytest.mark.parametrize(
        ("front", "told"),
        [
            ("descripton: x", ":2:1: unknown key 'descripton'. Did you mean 'description'?"),
            ("variables: {a: {typ: string}}", ":2:17: unknown key 'typ'. Did you mean 'type'?"),
            ("variables:\n  a: {type: str}", ":3:13:"),
            ("variables: {a: {type: integer, default: x}}", 'the default of `a` should be of type integer, not "x"'),
            ("variables: {a: {type: boolean, default: 1}}", "the default of `a` should be of type boolean, not 1"),
            ('variables: {a: {type: integer, default: "3"}}', "Take the quotes off."),
            ("variables: {a: {enum: [x, y], default: z}}", 'the default of `a` should be one of "x", "y", not "z"'),
            ("variables: {a: {type: integer, enum: [1, b]}}", ':2:42: value "b" of `a` should be of type integer'),
            ("variables: {a: {enum: []}}", ":2:23:"),
            ("variables: {a: {}, a: {}}", "stands here twice"),
            ("variables: {input: {}}", ":2:13: `input` is always there and cannot be declared."),
            ("variables: {my-tone: {}}", "a template cannot use the name 'my-tone'. Call it 'my_tone'."),
            ("parent: 7", ":2:9: prompt 'p' has no version 7."),
            ("parent: 1", "a version cannot be its own parent."),
            ("defaults: {temprature: 1}", "unknown key 'temprature'. Did you mean 'temperature'?"),
            ("defaults: {models: {m: {max_token: 3}}}", "Did you mean 'max_tokens'?"),
            ("defaults: {max_tokens: 0}", ":2:"),
            ("encoding: o300k_base", ":2:11:"),
            ("description: #1", ":2:1: `description:` is empty. Leave it out, or quote it if it starts with #."),
            ("- a\n- b", "front matter is a mapping"),
            ("a: [", ":2:"),
        ],
    )
    def test_mistakes_have_their_place(self, write: Write, front: str, told: str) -> None:
        message = complaint(write({"p/1.j2": f"---\n{front}\n---\nBody {{{{ a }}}}"}))
        assert message.startswith("prompts/p/1.j2:")
        assert told in message

    def test_all_mistakes_come_at_once(self, write: Write) -> None:
        front = "descripton: x\nvariables:\n  a: {default: 1}\n  input: {}\nencoding: nope"
        with pytest.raises(ConfigError) as caught:
            write({"p/1.j2": f"---\n{front}\n---\n"}).get("p")
        assert {problem.location.line for problem in caught.value.problems if problem.location} == {2, 4, 5, 6}

    def test_front_matter_that_does_not_end(self, write: Write) -> None:
        message = complaint(write({"p/1.j2": "---\ndescription: x\nBody"}))
        assert "prompts/p/1.j2:1:1: the front matter is not closed. End it with a line of ---." in message

    @pytest.mark.parametrize("body", ["---\r\ndescription: x\r\n---\r\nA\r\nB", "\ufeff---\ndescription: x\n---\nA\nB"])
    def test_line_ends_and_byte_order_marks_make_no_difference(self, write: Write, body: str) -> None:
        library = write({"p/1.j2": body})
        assert library.get("p").front.description == "x"
        assert said(opening(library))[0] == ("system", "A\nB")

    def test_a_rule_in_the_body_is_no_front_matter(self, write: Write) -> None:
        assert said(opening(write({"p/1.j2": "A\n---\nB\n---\n"})))[0] == ("system", "A\n---\nB\n---")
        assert said(opening(write({"q/1.j2": "---\n---\nA"}), "q"))[0] == ("system", "A")


class TestVariables:
    FRONT = "---\nvariables:\n  company: {default: Acme}\n  n: {type: %s}\n---\n{{ company }} {{ n }}"

    def test_defaults_fill_in(self, write: Write) -> None:
        library = write({"p/1.j2": self.FRONT % "integer"})
        assert said(opening(library, n=3))[0][1] == "Acme 3"
        assert said(opening(library, n=3, company="Zeta"))[0][1] == "Zeta 3"

    def test_a_missing_one_names_variable_prompt_file_and_case(self, write: Write) -> None:
        message = complaint(write({"p/1.j2": self.FRONT % "integer"}))
        assert message == (
            "suites/s.yaml:12:5: prompt p@1 needs `n` (prompts/p/1.j2:4:3). Set it under `vars:`, or give it a default."
        )

    def test_a_misspelt_one_is_suggested(self, write: Write) -> None:
        library = write({"p/1.j2": "---\nvariables: {tone: {}}\n---\n{{ tone }}"})
        assert "Did you mean 'tonne'?" in complaint(library, tonne="warm")

    @pytest.mark.parametrize(
        ("kind", "good", "bad"),
        [
            ("string", ["", "x"], [1, None, ["x"], True]),
            ("integer", [0, -3, "7"], [1.5, True, "x", "1.5", "", None]),
            ("number", [0, 1.5, "7", "-1.5e3"], [True, "x", "nan", "inf", None]),
            ("boolean", [True, False, "true"], [0, 1, "yes", None]),
            ("array", [[], [1]], ["[]", {}, None]),
            ("object", [{}, {"a": 1}], ["{}", [], None]),
        ],
    )
    def test_types(self, write: Write, kind: str, good: list[Any], bad: list[Any]) -> None:
        library = write({"p/1.j2": self.FRONT % kind})
        for value in good:
            opening(library, n=value)
        for value in bad:
            message = complaint(library, n=value)
            assert message.startswith(f"suites/s.yaml:12:5: `n` of prompt p@1 should be of type {kind}, not ")

    def test_cells_of_tables_are_read_as_the_declared_type(self, write: Write) -> None:
        library = write({"p/1.j2": "---\nvariables: {n: {type: integer}}\n---\n{% if n > 2 %}many{% endif %}"})
        assert said(opening(library, n="3"))[0] == ("system", "many")

    def test_enum(self, write: Write) -> None:
        library = write({"p/1.j2": "---\nvariables: {n: {type: number, enum: [1, 2]}}\n---\n{{ n }}"})
        assert said(opening(library, n=1.0))[0][1] == "1.0"
        assert "should be one of 1, 2, not 3" in complaint(library, n=3)

    def test_every_wrong_variable_is_named(self, write: Write) -> None:
        library = write({"p/1.j2": "---\nvariables: {a: {}, b: {}, c: {type: array}}\n---\n"})
        with pytest.raises(ConfigError) as caught:
            opening(library, c=1)
        assert len(caught.value.problems) == 3

    def test_an_undefined_one_has_file_line_and_column(self, write: Write) -> None:
        library = write({"p/1.j2": "---\ndescription: x\n---\nOne\n  and {{ compny }}."})
        assert complaint(library, company="Acme") == (
            "prompts/p/1.j2:5:10: `compny` is not defined. Did you mean 'company'? (Rendered for suites/s.yaml:12:5.)\n"
            "      and {{ compny }}.\n"
            "             ^"
        )

    def test_the_answer_is_kept_from_the_prompt(self, write: Write) -> None:
        library = write({"p/1.j2": "{{ expected }}"})
        assert "`expected` is not defined." in complaint(library, expected="42")
        assert "`expected` is not defined." in complaint(library, None, system="{{ expected }}", expected="42")
        own = opening(library, expected="by hand", vars={"expected": "by hand"})
        assert said(own)[0] == ("system", "by hand")


class TestMessages:
    def test_a_plain_body_is_the_system_message_and_the_input_follows(self, write: Write) -> None:
        rendered = opening(write({"p/1.j2": "\nBe {{ tone }}.\n\n"}), tone="brief", input=["One", "Two"])
        assert said(rendered) == [("system", "Be brief."), ("user", "One"), ("user", "Two")]
        assert rendered.ref == "p@1"

    def test_history_stands_between_the_prompt_and_the_input(self, write: Write) -> None:
        history = (Message(role="user", content="Q"), Message(role="assistant", content="A"))
        plain = opening(write({"p/1.j2": "S"}), history=history)
        assert said(plain) == [("system", "S"), ("user", "Q"), ("assistant", "A"), ("user", "Hi")]
        shots = opening(shipped(), "support@2", history=history, company="Acme")
        assert [role for role, _ in said(shots)] == [
            *("system", "user", "assistant", "user", "assistant"),
            *("user", "assistant", "user"),
        ]
        assert said(shots)[-3:] == [("user", "Q"), ("assistant", "A"), ("user", "Question: Hi")]

    def test_inheritance_macros_loops_and_what_the_assistant_is(self) -> None:
        rendered = opening(shipped(), "support@2", company="Acme")
        assert said(rendered) == [
            ("system", "You answer for Acme in a plain tone.\nTools:\n- search\n- ticket"),
            ("user", "Question: Where is it?"),
            ("assistant", "On its way."),
            ("user", "Question: Can I return it?"),
            ("assistant", "Yes."),
            ("user", "Question: Hi"),
        ]

    def test_several_texts_become_several_user_messages(self, write: Write) -> None:
        body = '{% chat role="system" %}S{% endchat %}{% chat role="user" %}<{{ input }}>{% endchat %}'
        assert said(opening(write({"p/1.j2": body}), input=["a", "b"])) == [
            ("system", "S"),
            ("user", "<a>"),
            ("user", "<b>"),
        ]

    def test_several_texts_are_joined_where_more_than_one_message_holds_them(self, write: Write) -> None:
        body = '{% chat role="system" %}{{ input }}{% endchat %}{% chat role="user" %}{{ input }}{% endchat %}'
        assert said(opening(write({"p/1.j2": body}), input=["a", "b"])) == [("system", "a\n\nb"), ("user", "a\n\nb")]

    def test_a_user_block_without_input_is_sent_as_written(self, write: Write) -> None:
        library = write({"p/1.j2": '{% chat role="user" %}Tell a joke.{% endchat %}'})
        assert said(opening(library, input=["a", "b"])) == [("user", "Tell a joke.")]

    def test_blocks_that_leave_no_room_for_the_input_are_followed_by_it(self, write: Write) -> None:
        library = write({"p/1.j2": '{% chat role="system" %}S{% endchat %}'})
        assert said(opening(library)) == [("system", "S"), ("user", "Hi")]

    def test_an_answer_can_be_begun(self, write: Write) -> None:
        body = '{% chat role="user" %}{{ input }}{% endchat %}{% chat role="assistant" %}{"answer":{% endchat %}'
        history = (Message(role="assistant", content="Before"),)
        assert said(opening(write({"p/1.j2": body}), history=history)) == [
            ("assistant", "Before"),
            ("user", "Hi"),
            ("assistant", '{"answer":'),
        ]

    def test_instructions_in_the_suite(self, write: Write) -> None:
        rendered = opening(write(), None, system="Be {{ tone }}.\n", tone="brief")
        assert said(rendered) == [("system", "Be brief."), ("user", "Hi")]
        assert rendered.ref == "inline"
        nothing = opening(write(), None)
        assert (said(nothing), nothing.ref) == ([("user", "Hi")], None)

    def test_the_hash_is_that_of_the_messages_and_nothing_else(self, write: Write) -> None:
        one = opening(write({"p/1.j2": "S", "q/1.j2": "---\ndescription: x\n---\n{{ a }}\n"}))
        canonical = json.dumps(
            [{"content": "S", "role": "system"}, {"content": "Hi", "role": "user"}], separators=(",", ":")
        )
        assert one.hash == hashlib.sha256(canonical.encode()).hexdigest()
        assert opening(write(), "q", a="S").hash == one.hash
        assert opening(write(), "q", a="T").hash != one.hash
        assert opening(write(), "q", a="S", input=["Ho"]).hash != one.hash


class TestChatBlocks:
    @pytest.mark.parametrize(
        ("body", "told"),
        [
            (
                '{% chat role="sytem" %}{% endchat %}',
                ":4:1: the template cannot be read: a chat block's role is system",
            ),
            ("{% chat %}{% endchat %}", 'a chat block starts with a role: {% chat role="system" %}'),
            ('{% chat role="user" name="x" %}{% endchat %}', "a chat block has a role and nothing else"),
            ('{% chat role="user" %}', ":4:1: the template cannot be read"),
            (
                "{% chat role=tone %}{% endchat %}",
                "a chat block's role is system, developer, user or assistant, not 'plain'",
            ),
            (
                '{% chat role="user" %}{% chat role="user" %}{% endchat %}{% endchat %}',
                "a chat block stands inside another one",
            ),
            ('{% chat role="user" %}x{% endchat %}\n\n  Stray.', ":6:1: 'Stray.' stands outside the chat blocks."),
            ('Stray\n{% chat role="user" %}x{% endchat %}', ":4:1: 'Stray' stands outside the chat blocks."),
            ('{% chat role="user" %}x{% endchat %}\n\n{{ tone }}', ":6:1: 'plain' stands outside the chat blocks."),
        ],
    )
    def test_mistakes_name_their_line(self, write: Write, body: str, told: str) -> None:
        message = complaint(write({"p/1.j2": f"---\nvariables: {{tone: {{default: plain}}}}\n---\n{body}"}))
        assert message.startswith("prompts/p/1.j2:")
        assert told in message

    def test_stray_text_of_an_included_file_names_the_include(self, write: Write) -> None:
        body = '{% chat role="user" %}x{% endchat %}\n\n{% include "part.j2" %}'
        assert "prompts/p/1.j2:3:1: 'Part' stands outside" in complaint(write({"p/1.j2": body, "part.j2": "Part"}))

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(text=st.text(), more=st.text())
    def test_any_text_comes_out_literally(self, write: Write, text: str, more: str) -> None:
        library = write({})
        assert said(opening(library, "q", input=[text], x=more)) == [
            ("system", more),
            ("user", f"[{more}]"),
            ("assistant", more),
            ("user", text),
        ]
        plain = opening(library, "r", input=[text], x=more)
        assert said(plain) == ([("system", more)] if more else []) + [("user", text)]

    @pytest.fixture(autouse=True)
    def literal_prompts(self, write: Write) -> None:
        blocks = [
            '{% chat role="system" %}\n  {{ x }}\n{% endchat %}',
            '{% chat role="user" %}\n[{{ x }}]\n\n{% endchat %}',
            '{% chat role="assistant" %}\n{% if true %}\n{{ x }}\n{% endif %}\n{% endchat %}',
            '{% chat role="user" %}\n{% for one in [input] %}\n{{ one }}\n{% endfor %}\n{% endchat %}',
        ]
        write({"q/1.j2": "\n\n".join(blocks), "r/1.j2": "\n{{ x }}\n"})


class TestFiles:
    def test_parts_are_found_without_their_front_matter(self, write: Write) -> None:
        library = write({"p/1.j2": 'A {% include "part.j2" %}', "part.j2": "---\ndescription: x\n---\nB"})
        assert said(opening(library))[0][1] == "A B"

    def test_errors_in_parts_name_the_part(self, write: Write) -> None:
        parts = {"part.j2": "---\ndescription: x\n---\n\n{{ nope }}"}
        assert complaint(write({"p/1.j2": '{% include "part.j2" %}', **parts})).startswith(
            "prompts/part.j2:5:4: `nope`"
        )

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            ('\n{% include "prt.j2" %}', "prompts/p/1.j2:2:13: 'prt.j2' is not in prompts/. Did you mean 'part.j2'?"),
            ('{% extends "../../secret.j2" %}', "'../../secret.j2' is not in prompts/"),
            ('{% include "/etc/passwd" %}', "'/etc/passwd' is not in prompts/"),
            ('{% include "link.j2" %}', "prompts/link.j2:1:1: this leads out of prompts/"),
            ("{% include name %}", "prompts/p/1.j2:1:1: 'zzz.j2' is not there to include"),
            ('{% include "broken.j2" %}', "prompts/broken.j2:2:1: the template cannot be read"),
            ('{% include "binary.j2" %}', "prompts/binary.j2:2:1: this is not UTF-8 text."),
            ('{% include "p/1.j2" %}', "nested too deeply, or calls itself without end"),
        ],
    )
    def test_only_readable_files_of_the_folder_are_included(
        self, write: Write, tmp_path: Path, body: str, told: str
    ) -> None:
        (tmp_path / "secret.j2").write_text("s3cret")
        library = write({"p/1.j2": body, "part.j2": "", "broken.j2": "\n{% if %}", "binary.j2": b"a\n\xff"})
        os.symlink(tmp_path / "secret.j2", tmp_path / "prompts" / "link.j2")
        message = complaint(library, name="zzz.j2")
        assert told in message
        assert "s3cret" not in message

    def test_a_version_that_leads_out_is_not_read(self, write: Write, tmp_path: Path) -> None:
        (tmp_path / "secret.j2").write_text("s3cret")
        library = write({"p/1.j2": "a"})
        os.symlink(tmp_path / "secret.j2", tmp_path / "prompts" / "p" / "2.j2")
        message = complaint(library)
        assert "prompts/p/2.j2:1:1: this leads out of prompts/" in message
        assert "s3cret" not in message

    def test_links_inside_the_folder_are_followed(self, write: Write, tmp_path: Path) -> None:
        library = write({"p/1.j2": "a"})
        os.symlink("1.j2", tmp_path / "prompts" / "p" / "2.j2")
        assert said(opening(library))[0] == ("system", "a")

    def test_what_may_be_missing_may_be_missing(self, write: Write) -> None:
        library = write({"p/1.j2": 'A{% include "no.j2" ignore missing %}'})
        library.check("p", where=WHERE)
        assert said(opening(library))[0] == ("system", "A")

    def test_checking_finds_what_is_wrong_in_every_part(self, write: Write) -> None:
        body = '{% include "a.j2" %}{% include "b.j2" %}{% include "c.j2" %}'
        library = write({"p/1.j2": body, "a.j2": "{% if %}", "b.j2": "\n{{ x | nofilter }}"})
        with pytest.raises(ConfigError) as caught:
            library.check("p", where=WHERE)
        assert [str(problem.location) for problem in caught.value.problems] == [
            "prompts/a.j2:1:1",
            "prompts/b.j2:2:1",
            "prompts/p/1.j2:1:53",
        ]

    def test_limits_hold_and_name_the_line(self, write: Write) -> None:
        body = "A\n{% for i in range(300) %}\n{% for j in range(99999) %}\n{% endfor %}\n{% endfor %}"
        assert complaint(write({"p/1.j2": body})).startswith(
            "prompts/p/1.j2:3:1: the template fails: it takes more than"
        )
        block = '{% chat role="user" %}{% for i in range(9) %}{{ "a" * 200000 }}{% endfor %}{% endchat %}'
        assert "1,000,000" in complaint(write({"q/1.j2": block}), "q")

    def test_a_huge_file_is_refused(self, write: Write) -> None:
        assert "a prompt may have 1,000,000." in complaint(write({"p/1.j2": "a" * 1_000_001}))
