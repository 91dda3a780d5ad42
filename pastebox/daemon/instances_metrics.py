"""The metrics of several instances as one page of Prometheus' text format 0.0.4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_UP = "pastebox_instance_up"
_HELP = f"# HELP {_UP} Whether the instance has told its metrics.\n# TYPE {_UP} gauge\n"


def merge(texts: Mapping[str, str], names: Sequence[str]) -> str:
    """Return one page with a label ``instance`` on each sample.

    The format wants the lines of a metric together, and its HELP and TYPE once.

    Args:
        texts: name of an instance to its page.
        names: all instances; those without a page are down.
    """
    families: dict[str, tuple[list[str], list[str]]] = {}
    for name, text in texts.items():
        _collect(name, text, families)
    page = [_HELP, *(f'{_UP}{{instance="{one}"}} {int(one in texts)}\n' for one in names)]
    for comments, samples in families.values():
        page += comments
        page += samples
    return "".join(page)


def _collect(name: str, text: str, families: dict[str, tuple[list[str], list[str]]]) -> None:
    """Add the samples of one page to the families; its comments only where nobody has any."""
    metric, is_first = "", True
    for line in text.splitlines():
        if line.startswith("#"):
            words = line.split(" ", 3)
            if len(words) > 2 and words[1] in ("HELP", "TYPE"):  # noqa: PLR2004  # "# HELP metric"
                if words[2] != metric:
                    metric, is_first = words[2], words[2] not in families
                if is_first:
                    families.setdefault(metric, ([], []))[0].append(f"{line}\n")
        elif line.strip():
            families.setdefault(metric, ([], []))[1].append(f"{labelled(line, name)}\n")


def labelled(sample: str, name: str) -> str:
    """Return the sample with a label ``instance`` before its own.

    A name of an instance has nothing that would have to be escaped.
    """
    brace, space = sample.find("{"), sample.find(" ")
    if 0 <= brace < space:
        rest = sample[brace + 1 :]
        comma = "" if rest.startswith("}") else ","
        return f'{sample[:brace]}{{instance="{name}"{comma}{rest}'
    return f'{sample[:space]}{{instance="{name}"}}{sample[space:]}'
