"""Templates: what they may do, what they may not, and what is said when they go wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError, SourceLocation
from harness.templates.engine import Templates, has_template

WHERE = SourceLocation("suites/s.yaml", 12, 5)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def render(source: str, /, **variables: Any) -> str:
    return Templates().render(source, variables, where=WHERE)


def value(source: Any, /, **variables: Any) -> Any:
    return Templates().render_value(source, variables, where=WHERE)


def complaint(source: str, /, **variables: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        render(source, **variables)
    assert caught.value.problems[0].location == WHERE
    return str(caught.value)


def test_a_text_is_filled_in() -> None:
    assert render("Hello {{ name }}, {% if n > 1 %}all {{ n }}{% else %}you{% endif %}!", name="Ann", n=2) == (
        "Hello Ann, all 2!"
    )


def test_line_ends_after_tags_are_dropped_and_others_kept() -> None:
    assert render("a\n{% for i in [1, 2] %}\n- {{ i }}\n{% endfor %}\nb\n") == "a\n- 1\n- 2\nb\n"


@given(st.text())
def test_a_value_is_never_a_template(text: str) -> None:
    hostile = text + "{{ 7 * 7 }}{% raw %}{# x #}"
    templates = Templates()
    for given_text in (text, hostile):
        assert templates.render("[{{ x }}]", {"x": given_text}, where=WHERE) == f"[{given_text}]"
        assert templates.render_value("{{ x }}", {"x": given_text}, where=WHERE) == given_text
        assert templates.render_value({"a": ["{{ x }}!"]}, {"x": given_text}, where=WHERE) == {"a": [f"{given_text}!"]}


@given(JSON_VALUES)
def test_a_lone_expression_keeps_its_type(given_value: Any) -> None:
    found = value("{{ x }}", x=given_value)
    assert found == given_value
    assert type(found) is type(given_value)


@given(st.text().filter(lambda text: not has_template(text)))
def test_a_text_without_template_is_returned_as_it_is(text: str) -> None:
    assert render(text) == text
    assert value([text]) == [text]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (" {{ n }}\n", 3),
        ("{{ n + 1 }}", 4),
        ("{{ {'a': {'b': n}} }}", {"a": {"b": 3}}),
        ("{{ xs | map('upper') }}", ["A", "B"]),
        ("{{ xs | join }}", "ab"),
        ("{{ '}}' }}", "}}"),
        ("{{ result }}", "mine"),
        ("{{ n }}{{ n }}", "33"),
        ("{{ n }} of 5", "3 of 5"),
        ("{% raw %}{{ n }}{% endraw %}", "{{ n }}"),
        ("{{ nothing }}", None),
        (5, 5),
        ({"k": ["{{ n }}", {"{{ n }}": True}]}, {"k": [3, {"{{ n }}": True}]}),
    ],
)
def test_values(source: Any, expected: Any) -> None:
    assert value(source, n=3, xs=["a", "b"], nothing=None, result="mine") == expected


def test_names_that_a_template_needs() -> None:
    names = Templates().names("{% set a = b %}{{ a }}{% for x in xs %}{{ x.y ~ range(2) }}{% endfor %}")
    assert names == {"b", "xs"}
    assert Templates().names("{{ broken") == set()


def test_any_variable_name_is_allowed() -> None:
    assert render("{{ self_ }}{{ args }}{{ where }}{{ source }}", self_=1, args=2, where=3, source=4) == "1234"
    assert Templates().render_value("{{ kwargs }}", {"self": 1, "kwargs": 2}, where=WHERE) == 2


def test_an_undefined_name_is_named_with_a_suggestion() -> None:
    assert "`compny` is not defined. Did you mean 'company'?" in complaint("{{ compny }}", company="Acme")
    assert "`zzz` is not defined. Defined are: company." in complaint("{% if zzz %}{% endif %}", company="Acme")
    assert "has no attribute 'b'" in complaint("{{ a.b }}", a={})
    assert "`zzz` is not defined" in _value_complaint("{{ zzz }}")


def test_the_line_of_a_longer_text_is_named() -> None:
    assert "(Line 3 of the text.)" in complaint("a\nb\n{{ c }}\n")
    assert "(Line 2 of the text.)" in complaint("a\n{% if %}\nb\n")


@pytest.mark.parametrize(
    "source", ["{{ a", "{% if a %}", "{% chat %}", "{{ a | nofilter }}", "{% include 'x' %}", "{{"]
)
def test_what_cannot_be_read_is_a_problem(source: str) -> None:
    complaint(source, a=1)


@pytest.mark.parametrize(
    "source",
    [
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ ('{0.__class__}'|attr('format'))(1) }}",
        "{{ '{0.__class__.__mro__}'.format(1) }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ x['__class__'] }}",
        "{{ xs.append(4) }}",
        "{{ d.update({'a': 2}) }}",
        "{{ d.pop('a') }}",
        "{{ x.encode() }}",
        "{{ (5).to_bytes(1000000000, 'big') }}",
        "{{ range }}",
        "{{ xs | map('upper') ~ '' }}",
        "{{ tool.secret }}",
        "{{ tool }}",
    ],
)
def test_templates_reach_nothing_but_plain_data(source: str) -> None:
    class Tool:
        secret = "s3cret"

    message = complaint(source, x="text", xs=["a"], d={"a": 1}, tool=Tool())
    assert "s3cret" not in message


AMPLIFIERS = {
    "nested loops": "{% for i in range(300) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "loops that filter": "{% for i in range(3000) %}{% for j in range(99999) if false %}{% endfor %}{% endfor %}",
    "recursive loops": "{% for i in range(300) recursive %}{% if loop.depth < 3 %}{{ loop(range(3000)) }}{% endif %}"
    "{% endfor %}",
    "recursive macros": "{% macro f(n) %}{% if n %}{% set a = f(n - 1) %}{% set b = f(n - 1) %}{% endif %}{% endmacro %}"
    "{{ f(40) }}",
    "endless macros": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "captured output": "{% set x %}{% for i in range(999999) %}yyyyyyyyyyyyyyyyyyyyyyyyyyy{% endfor %}{% endset %}",
    "doubling by ~": "{% set n = namespace(x='aaaaaaaaaa') %}{% for i in range(40) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "doubling by +": "{% set n = namespace(x='aaaaaaaaaa') %}{% for i in range(40) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "doubling tuples": "{% set n = namespace(x=(1,)) %}{% for i in range(40) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "squaring": "{% set n = namespace(x=9) %}{% for i in range(40) %}{% set n.x = n.x * n.x %}{% endfor %}",
    "powers": "{{ 2 ** 100000000 }}",
    "repetition": "{{ 'a' * 2 * 10 ** 8 }}",
    "repetition of lists": "{{ 10 ** 9 * [0] }}",
    "center": "{{ 'a' | center(200000000) }}",
    "center by keyword": "{{ 'a' | center(width=200000000) }}",
    "method center": "{{ 'a'.center(200000000) }}",
    "ljust": "{{ 'a'.ljust(200000000) }}",
    "zfill": "{{ 'a'.zfill(200000000) }}",
    "expandtabs": "{{ '\t'.expandtabs(200000000) }}",
    "percent": "{{ '%200000000d' % 1 }}",
    "percent star": "{{ '%*d' % (200000000, 1) }}",
    "format filter": "{{ '%200000000d' | format(1) }}",
    "format method": "{{ '{:>200000000}'.format(1) }}",
    "computed format": "{{ '{:{w}}'.format(1, w=200000000) }}",
    "format_map": "{{ '{x:>200000000}'.format_map({'x': 1}) }}",
    "replace": "{% set a = 'a' * 10000 %}{{ a | replace('a', a) }}",
    "replace method": "{% set a = 'a' * 10000 %}{{ a.replace('a', a) }}",
    "join": "{{ range(20000) | join('a' * 10000) }}",
    "join method": "{% set a = 'a' * 100000 %}{{ a.join(a) }}",
    "indent": "{{ ('\n' * 100000) | indent(100000) }}",
    "wordwrap": "{{ ('a ' * 100000) | wordwrap(1, wrapstring='x' * 100000) }}",
    "batch": "{{ [] | batch(1000000000, 0) | list }}",
    "batch by keyword": "{{ [] | batch(fill_with=0, linecount=1000000000) | list }}",
    "slice": "{{ [1] | slice(30000000) | list }}",
    "sum": "{% set a = [0] * 100000 %}{{ ([a] * 10000) | sum(start=[]) }}",
    "map": "{{ range(1000) | map('center', 200000) | join }}",
    "range": "{{ range(10 ** 9) | list }}",
    "lists in loops": "{% for i in range(3000) %}{% set x = range(900000) | list %}{% endfor %}",
    "shared lists": "{% set a = [1] * 10 %}" + "{% set a = [a, a, a, a, a, a, a, a] %}" * 12 + "{{ a }}",
    "shared lists as JSON": "{% set a = [1] * 10 %}"
    + "{% set a = [a, a, a, a, a, a, a, a] %}" * 12
    + "{{ a | tojson }}",
    "shared lists as text": "{% set a = [1] * 10 %}"
    + "{% set a = [a, a, a, a, a, a, a, a] %}" * 12
    + "{{ a | upper }}",
    "deep nesting": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "deep blocks": "{% for i in [1] %}" * 40 + "{% endfor %}" * 40,
    "output": "{% for i in range(1001) %}{{ 'a' * 1000 }}{% endfor %}",
}


@pytest.mark.parametrize("source", AMPLIFIERS.values(), ids=AMPLIFIERS.keys())
def test_nothing_grows_without_bound(source: str) -> None:
    assert len(complaint(source)) < 500


def test_shared_lists_do_not_become_huge_values_either() -> None:
    assert "steps" in _value_complaint("{{ [x, x] }}", x=_doubled(20))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ 'ab' * 3 }}", "ababab"),
        ("{{ '%05.1f|%s' % (3.14159, 'x') }}", "003.1|x"),
        ("{{ '%s of %s' | format(1, 2) }}", "1 of 2"),
        ("{{ '{:>5}|{n}'.format('a', n=1) }}", "    a|1"),
        ("{{ [[1], [2]] | sum(start=[]) }}", "[1, 2]"),
        ("{{ [{'v': 1}, {'v': 2}] | sum(attribute='v') }}", "3"),
        ("{{ [1, 2] | join(', ') }}", "1, 2"),
        ("{{ [{'v': 1}, {'v': 2}] | join('-', attribute='v') }}", "1-2"),
        ("{{ 'a-b'.split('-') | last }}", "b"),
        ("{{ 'a' ~ 1 ~ none }}", "a1None"),
        ("{{ 'abc' | replace('b', 'x') | center(7) }}|", "  axc  |"),
        ("{{ {'b': 1, 'a': '<'} | tojson }}", '{"a": "\\u003c", "b": 1}'),
        ("{% for k, v in {'x': 1}.items() %}{{ k }}={{ v }}{% endfor %}", "x=1"),
        ("{% for x in [3, 4] %}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}{% endfor %}", "1/2,2/2"),
        ("{% for x in [3, 4] | map('string') %}{{ loop.last }}{% endfor %}", "FalseTrue"),
        ("{% for g in [{'k': 1, 'v': 2}] | groupby('k') %}{{ g.grouper }}{{ g.list[0].v }}{% endfor %}", "12"),
        ("{% for x in [1, [2]] recursive %}{{ loop(x) if x is iterable else x }}{% endfor %}", "12"),
        ("{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}", "ab"),
        ("{% macro m(a, b='z') %}{{ a }}{{ b }}{% endmacro %}{{ m('y') }}", "yz"),
        ("{{ d.update }}", "key"),
        ("{{ d.get('no', 'dflt') }}", "dflt"),
        ("{{ missing | default('d') }}{{ missing is defined }}", "dFalse"),
        ("{{ 2 ** 10 }}{{ 7 % 3 }}{{ 1 + 1 }}", "102412"),
    ],
)
def test_what_templates_are_for_still_works(source: str, expected: str) -> None:
    assert render(source, d={"update": "key"}) == expected


def test_chance_is_not_available() -> None:
    assert "random" in complaint("{{ [1, 2] | random }}")
    assert "lipsum" in complaint("{{ lipsum() }}")


def test_a_stopped_rendering_leaves_no_trace_in_the_next() -> None:
    templates = Templates()
    for _ in range(3):
        with pytest.raises(ConfigError):
            templates.render(AMPLIFIERS["nested loops"], {}, where=WHERE)
        assert templates.render("{% for i in range(1000) %}{{ i }}{% endfor %}", {}, where=WHERE)


@given(before=st.text(alphabet=" \n\t"), text=st.text(), after=st.text(alphabet=" \n\t"))
def test_stripping_leaves_the_blank_space_of_values(before: str, text: str, after: str) -> None:
    source = f"{before}{{{{ x }}}}{after}"
    expected = text if text else ""
    assert Templates().render_stripped(source, {"x": text}, where=WHERE) == expected


def _value_complaint(source: str, /, **variables: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        value(source, **variables)
    return str(caught.value)


def _doubled(times: int) -> list[Any]:
    found: list[Any] = [1]
    for _ in range(times):
        found = [found, found]
    return found
