"""Items of Responses and Conversations: how they are kept, and what they are as messages of Chat Completions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from harness.simulator.errors import ApiError
from harness.simulator.files import Stored
from harness.simulator.plain import JSON

if TYPE_CHECKING:
    from harness.simulator.app import Simulator

Item: TypeAlias = dict[str, JSON]

#: What the ids of kinds begin with.
PREFIXES = {
    "message": "msg_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "reasoning": "rs_",
    "file_search_call": "fs_",
    "web_search_call": "ws_",
    "code_interpreter_call": "ci_",
}


def kept(simulator: Simulator, given: JSON, *, owner: str, param: str = "input") -> list[Item]:
    """Return an input as items with ids, whatever it came as; references are replaced by what they refer to.

    Args:
        simulator: Knows the items so far.
        given: A text or a list of items, checked already.
        owner: Id of the response or conversation they belong to.
        param: Where it stands in the request.

    Raises:
        ApiError: 404: a reference leads nowhere.
    """
    if given is None:
        return []
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    return [_kept(simulator, item, owner, f"{param}[{number}]", number) for number, item in enumerate(given)]


def _kept(simulator: Simulator, item: Mapping[str, JSON], owner: str, param: str, number: int) -> Item:
    kind = item.get("type") or ("message" if "role" in item else "item_reference")
    if kind == "item_reference":
        known = simulator.state.of("item").get(item["id"])
        if known is None:
            raise ApiError(404, f"Item with id '{item['id']}' not found.", param=param)
        return dict(known)
    id = item.get("id") or simulator.state.identity.new(PREFIXES.get(kind, "item_"), owner, number)
    plain = {name: value for name, value in item.items() if value is not None or name == "encrypted_content"}
    found: Item = {**plain, "type": kind, "id": id}
    _check_files(simulator, item, param)
    if kind == "message":
        found["content"] = _content(item)
    if kind in ("message", "function_call", "function_call_output"):
        found["status"] = item.get("status") or "completed"
    return found


def _check_files(simulator: Simulator, item: Mapping[str, JSON], param: str) -> None:
    for name in ("content", "output"):
        parts = item.get(name)
        for number, part in enumerate(parts if isinstance(parts, list) else ()):
            id = part.get("file_id") if part.get("type") in ("input_file", "input_image") else None
            if id is not None and id not in simulator.state.of("file"):
                where = f"{param}.{name}[{number}].file_id"
                raise ApiError(404, f"No file found with id '{id}'.", param=where)


def _content(item: Mapping[str, JSON]) -> list[JSON]:
    content = item["content"]
    kind = "output_text" if item["role"] == "assistant" else "input_text"
    parts = [{"type": kind, "text": content}] if isinstance(content, str) else content
    return [_part(part) for part in parts]


def _part(part: Mapping[str, JSON]) -> dict[str, JSON]:
    if part["type"] == "output_text":
        return {**part, "annotations": part.get("annotations") or [], "logprobs": part.get("logprobs") or []}
    if part["type"] == "input_image":
        return {"image_url": None, "file_id": None, **part, "detail": part.get("detail") or "auto"}
    return {name: value for name, value in part.items() if value is not None}


def remember(simulator: Simulator, items: Iterable[Item]) -> None:
    """Keep items so that references find them."""
    for item in items:
        simulator.state.of("item")[item["id"]] = item


def check(items: Sequence[Item]) -> None:
    """Refuse a history in which a call has no output, or an output no call.

    Raises:
        ApiError: 400.
    """
    called = {item["call_id"] for item in items if item["type"] == "function_call"}
    answered = {item["call_id"] for item in items if item["type"] == "function_call_output"}
    for item in items:
        if item["type"] == "function_call_output" and item["call_id"] not in called:
            raise ApiError(
                400, f"No tool call found for function call output with call_id {item['call_id']}.", param="input"
            )
        if item["type"] == "function_call" and item["call_id"] not in answered:
            raise ApiError(400, f"No tool output found for function call {item['call_id']}.", param="input")


def messages(simulator: Simulator, instructions: str | None, items: Iterable[Item]) -> list[dict[str, JSON]]:
    """Return items as messages of Chat Completions; files that they name by id are within them."""
    found: list[dict[str, JSON]] = []
    if instructions:
        found.append({"role": "system", "content": instructions})
    for item in items:
        match item["type"]:
            case "message":
                found.append(_message(simulator, item))
            case "function_call":
                _calling(found)["tool_calls"].append(
                    {
                        "id": item["call_id"],
                        "type": "function",
                        "function": {"name": item["name"], "arguments": item["arguments"]},
                    }
                )
            case "function_call_output":
                output = item["output"]
                content = output if isinstance(output, str) else _flat([_chat_part(simulator, part) for part in output])
                found.append({"role": "tool", "tool_call_id": item["call_id"], "content": content})
    return found


def _calling(found: list[dict[str, JSON]]) -> dict[str, JSON]:
    """Return the message that the next call belongs to."""
    if not found or found[-1]["role"] != "assistant":
        found.append({"role": "assistant", "content": None})
    found[-1].setdefault("tool_calls", [])
    return found[-1]


def _message(simulator: Simulator, item: Item) -> dict[str, JSON]:
    message: dict[str, JSON] = {"role": item["role"]}
    refusals = [part["refusal"] for part in item["content"] if part["type"] == "refusal"]
    if refusals:
        message["refusal"] = "".join(refusals)
    message["content"] = _flat([_chat_part(simulator, part) for part in item["content"] if part["type"] != "refusal"])
    if refusals and not message["content"]:
        message["content"] = None
    return message


def _flat(parts: list[dict[str, JSON]]) -> JSON:
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _chat_part(simulator: Simulator, part: Mapping[str, JSON]) -> dict[str, JSON]:
    if part["type"] not in ("input_image", "input_file"):
        return {"type": "text", "text": part["text"]}
    id = part.get("file_id")
    file: Stored | None = simulator.state.of("file").get(id) if id else None
    if id and file is None:
        return {"type": "text", "text": f"[a file that was deleted: {id}]"}
    if part["type"] == "input_image":
        url = file.url if file is not None else part.get("image_url") or ""
        return {"type": "image_url", "image_url": {"url": url, "detail": part.get("detail") or "auto"}}
    if file is not None:
        return {"type": "file", "file": {"filename": file.name, "file_data": file.url}}
    return {"type": "file", "file": {name: part[name] for name in ("filename", "file_data") if part.get(name)}}
