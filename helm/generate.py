"""Write the schema and the tables of the chart's values, from their comments and the settings.

``python helm/generate.py`` writes helm/pastebox/values.schema.json, helm/pastebox/README.md and
docs/reference/chart.md. A test compares them with what is committed.

A value of values.yaml that has a comment is one row; a key without a comment is a group.
``@schema`` in the comment is JSON Schema beside the default's type; ``@setting NAME`` takes it from
the row of pastebox's settings, and ``@settings`` from all rows that no other value stands for.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pastebox.converters import FLAG, SECONDS
from pastebox.option import Option
from pastebox.settings import options

CHART = Path(__file__).parent / "pastebox"
PAGE = CHART.parents[1] / "docs/reference/chart.md"
NOTE = "<!-- Written by helm/generate.py; change values.yaml, not this page. -->"
COMPUTED = frozenset(
    # what the chart says itself, whatever a value is
    {"ini", "set", "overlay_dir", "secrets_dir", "setup", "host", "health_host", "health_port"}
    | {"mode", "run_dir", "data_dir", "faults", "allow_faults", "lock_name", "instances_dir"}
    # of a value that says it in words of the chart
    | {"on_config_change", "reload"}
    # of a mode that a pod does without: it has one program in a container
    | {"supervisor_dir", "control_host", "control_port", "control_user", "control_password_file"}
)
_ROW = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z_][\w.-]*):(?P<rest>.*)")
_DURATION = r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+|[0-9]+(\.[0-9]+)?"
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
_TYPES |= {list: "array", dict: "object"}

TITLE = """\
# {title}

{intro}"""

README = """\
Serves a Python web application from its PasteDeploy INI.

```console
helm install wiki ./helm/pastebox --set image.repository=my-wiki --set-file config.ini=app.ini
```

The image is pastebox with the application in it.
Several replicas set up once, under a lock;
probes ask pastebox's own health port; a pod that is told to stop finishes its requests."""

REFERENCE = """\
What `helm install` takes.
[How to run on Kubernetes](../how-to/kubernetes.md) shows how they go together."""


class Value(NamedTuple):
    """A row: its path, what its comment says, its default, and the directives of the comment."""

    path: tuple[str, ...]
    text: str
    default: Any
    directives: dict[str, str]


def read(text: str) -> list[Value]:
    """Return the rows of values.yaml, in order.

    Raises:
        ValueError: a value has no comment.
    """
    values = yaml.safe_load(text)
    rows: list[Value] = []
    comment: list[str] = []
    path: list[str] = []
    leaf_depth = None
    for line in text.splitlines():
        if line.strip().startswith("#"):
            comment.append(line.strip()[1:].strip())
            continue
        match = _ROW.fullmatch(line)
        depth = len(match["indent"]) // 2 if match else 0
        if not match or (leaf_depth is not None and depth > leaf_depth):
            comment = []
            continue
        path[depth:] = [match["key"]]
        leaf_depth = depth if comment else None
        if comment:
            rows.append(_value(tuple(path), comment, values))
        elif match["rest"].strip():
            raise ValueError(f"{'.'.join(path)} has no comment")
        comment = []
    return rows


def _value(path: tuple[str, ...], comment: list[str], values: Any) -> Value:
    directives, words = {}, []
    for line in comment:
        if line.startswith("@"):
            name, _, rest = line[1:].partition(" ")
            directives[name] = rest
        else:
            words.append(line)
    for key in path:
        values = values[key]
    return Value(path, " ".join(words), values, directives)


def schema(rows: list[Value]) -> dict[str, Any]:
    """Return the schema of all values."""
    root = {"$schema": "http://json-schema.org/draft-07/schema#", **_group()}
    # what Helm itself puts there
    root["properties"]["global"] = {"type": "object"}
    for row in rows:
        place = root
        for key in row.path[:-1]:
            place = place["properties"].setdefault(key, _group())
        place["properties"][row.path[-1]] = _schema_of(row, rows)
    return root


def _group() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def _schema_of(row: Value, rows: list[Value]) -> dict[str, Any]:
    found: dict[str, Any] = {"description": row.text}
    if "setting" in row.directives:
        name, _, more = row.directives["setting"].partition(" ")
        rule = setting_schema(_option(name), more=tuple(more.split()))
        if row.default == "":
            rule = {"anyOf": [{"const": ""}, rule]}
        return {**found, **rule}
    if "settings" in row.directives:
        rest = {o.name: o for o in options() if o.name not in COMPUTED | stood_for(rows)}
        properties = {
            name: {"description": o.text, **setting_schema(o)} for name, o in rest.items()
        }
        return {**found, **_group(), "properties": properties}
    if row.default is not None:
        found["type"] = _TYPES[type(row.default)]
    return {**found, **json.loads(row.directives.get("schema", "{}"))}


def stood_for(rows: list[Value]) -> frozenset[str]:
    """Return the settings that a value of its own stands for."""
    return frozenset(
        row.directives["setting"].partition(" ")[0] for row in rows if "setting" in row.directives
    )


def _option(name: str) -> Option[object]:
    return next(option for option in options() if option.name == name)


def setting_schema(option: Option[object], more: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what the schema says of a setting: what its converter reads, and no more."""
    converter = option.converter
    numbers = re.fullmatch(r"a number from (\d+) to (\d+)(?:, or (\w+))?", converter.expected)
    if converter.choices:
        words = [*more, *(word for word in converter.choices if word not in more)]
        return {"enum": words}
    if converter is SECONDS:
        return {"type": ["string", "integer"], "pattern": f"^({_DURATION})$", "minimum": 0}
    if converter is FLAG:
        return {"enum": [True, False, "on", "off", "yes", "no", "true", "false", "1", "0"]}
    if numbers:
        least, most, word = int(numbers[1]), int(numbers[2]), numbers[3]
        if option.name in ("port", "health_port"):
            return {"type": "integer", "minimum": max(least, 1), "maximum": most}
        pattern = "[0-9]{1,9}" + (f"|{word}" if word else "")
        return {
            "type": ["string", "integer"],
            "pattern": f"^({pattern})$",
            "minimum": least,
            "maximum": most,
        }
    return {"type": "string", "minLength": 1}


def table(rows: list[Value]) -> Iterator[str]:
    """Yield the lines of the table, with a heading for each group."""
    group = None
    for row in rows:
        name = row.path[0]
        if name != group:
            group = name
            yield from (
                "",
                f"## `{name}`",
                "",
                "| value | default | what it is |",
                "| --- | --- | --- |",
            )
        default = json.dumps(row.default, ensure_ascii=False) if row.default is not None else "none"
        text = row.text
        if "setting" in row.directives:
            setting = row.directives["setting"].partition(" ")[0]
            text += f" Setting `{setting}`: {_option(setting).converter.expected}."
        cells = (f"`{'.'.join(row.path)}`", f"`{default}`", _escaped(text))
        yield "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("[", "\\[").replace("<", "&lt;")


def page(title: str, intro: str, rows: list[Value]) -> str:
    """Return a page with the table."""
    head = TITLE.format(title=title, intro=intro)
    return "\n".join([NOTE, "", head, *table(rows)]) + "\n"


def files() -> dict[Path, str]:
    """Return the path and the text of every generated file."""
    rows = read((CHART / "values.yaml").read_text(encoding="utf-8"))
    return {
        CHART / "values.schema.json": json.dumps(schema(rows), indent=1, ensure_ascii=False) + "\n",
        CHART / "README.md": page("pastebox", README, rows),
        PAGE: page("Values of the chart", REFERENCE, rows),
    }


def main() -> int:
    """Write every file."""
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
