"""`{% chat role="user" %} ... {% endchat %}`: the parts of a prompt that become messages of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

from harness.records import Message, Role
from harness.templates.meter import Edges
from harness.templates.sandbox import Sandbox

#: Who can speak in a prompt.
ROLES = ("system", "developer", "user", "assistant")


class ChatBlocks(Extension):
    """The tag `chat`. Blocks are collected in the order in which they are rendered, so a loop makes several."""

    tags = {"chat"}  # noqa: RUF012 (as Jinja declares it)

    environment: Sandbox

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        if not (parser.stream.current.test("name:role") and parser.stream.look().test("assign")):
            parser.fail('a chat block starts with a role: {% chat role="system" %}', line)
        parser.stream.skip(2)
        role = parser.parse_expression()
        if isinstance(role, nodes.Const) and role.value not in ROLES:
            parser.fail(_no_role(role.value), line)
        if not parser.stream.current.test("block_end"):
            extra = parser.stream.current.value
            parser.fail(f"a chat block has a role and nothing else, but here stands '{extra}'", line)
        body = parser.parse_statements(("name:endchat",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_message", [role]), [], [], body).set_lineno(line)

    def _message(self, role: object, *, caller: Callable[[], str]) -> str:
        meter = self.environment.meter()
        if meter.nested:
            raise jinja2.TemplateRuntimeError("a chat block stands inside another one")
        if role not in ROLES:
            raise jinja2.TemplateRuntimeError(_no_role(role))
        # A message does not begin or end with the line breaks that set off its block.
        around, meter.edges, meter.nested = meter.edges, Edges(), True
        content = meter.edges.strip(str(caller()))
        meter.edges, meter.nested = around, False
        meter.say(Message(role=cast("Role", role), content=content), len(content))
        return ""


def _no_role(role: object) -> str:
    return f"a chat block's role is {', '.join(ROLES[:-1])} or {ROLES[-1]}, not {role!r}"
