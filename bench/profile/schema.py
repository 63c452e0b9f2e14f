"""The format's versions: how an older one becomes today's, and today's as a JSON Schema.

`python -m bench.profile.schema` writes profile.schema.json, which is made of the records' types.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from bench.profile.errors import BadFile
from bench.profile.records import KNOWN, METHOD, SCHEMA, Profile
from kernels.case import WORDS

FILE = Path(__file__).with_name("profile.schema.json")


def _from_1(data: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 called warnings doubts, and gave them no severity: reading adds that by their code."""
    renamed = {"warnings" if name == "doubts" else name: value for name, value in data.items()}
    return {**renamed, "schema": "rnn-roofline/2"}


MIGRATIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"rnn-roofline/1": _from_1}
"""By an older schema: from a profile's JSON object to the next schema's. A field added with a default needs none."""


def migrated(data: object, where: str) -> dict[str, Any]:
    """A profile's JSON object in today's schema. Raises BadFile for a newer schema or method, or an unknown one."""
    if not isinstance(data, dict) or not isinstance(data.get("schema"), str):
        raise BadFile(f"{where}: no profile of this suite: it names no `schema`")
    while (version := data["schema"]) != SCHEMA:
        if version not in MIGRATIONS:
            kind, _, number = version.rpartition("/")
            ours, _, today = SCHEMA.rpartition("/")
            newer = kind == ours and number.isdecimal() and int(number[:9]) > int(today)
            mend = "newer than this version reads: update it" if newer else "none of this suite's"
            raise BadFile(f"{where}: schema {version[:60]!r} is not {SCHEMA!r}: it is {mend}")
        data = MIGRATIONS[version](data)
    method = data.get("method")
    if method is None:
        raise BadFile(f"{where}: Object missing required field method")
    if isinstance(method, int) and method > METHOD:
        raise BadFile(
            f"{where}: method {str(method)[:20]} is newer than this version reads: update it"
        )
    return data


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a profile.json."""
    kinds = [Profile, *KNOWN.values()]
    _, parts = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    for part in parts.values():
        if "required" in part:  # a record; what is free to hold more requires nothing
            part["additionalProperties"] = False
    for name, words in WORDS:
        parts["Case"]["properties"][name]["enum"] = list(words)
    del parts["RunWarning"]["properties"]["severity"]["default"]  # it has none: its code tells
    parts["Profile"]["required"] += ["schema", "method"]
    parts["Profile"]["properties"]["schema"] = {"const": SCHEMA}
    for name, kind in KNOWN.items():
        known = {"$ref": f"#/$defs/{kind.__name__}"}
        if name in parts["Profile"]["properties"]:
            parts["Profile"]["properties"][name] = known
        else:
            parts["Point"]["properties"][name] = {
                "anyOf": [known, {"type": "null"}],
                "default": None,
            }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A profile of {SCHEMA}",
        "$ref": "#/$defs/Profile",
        "$defs": parts,
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")
    print(f"wrote {FILE}")  # noqa: T201 - a command prints its answer
