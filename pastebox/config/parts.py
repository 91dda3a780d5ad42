"""Walk PasteDeploy's contexts to the applications behind them, without calling a factory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from pastebox.config.entrypoints import distribution_of
from pastebox.config.loader import APP, FILTER_APP, FILTER_WITH, PIPELINE, IniLoader
from pastebox.config.sections import APP_PREFIXES, candidates, is_uri
from pastebox.config.source import AppPart

_COMPOSITES = ("paste.composite_factory", "paste.composit_factory")


def walk(context: Any) -> list[AppPart]:
    """Return the applications behind a context, each section and distribution once."""
    found: dict[tuple[str, str, str | None, str], AppPart] = {}
    for leaf in _leaves(context, set()):
        part = _part(leaf)
        found.setdefault((part.filename, part.section, part.distribution, part.factory), part)
    return list(found.values())


def _leaves(context: Any, seen: set[tuple[str, str]]) -> Iterator[Any]:
    if context.object_type is PIPELINE:
        yield from _leaves(context.app_context, seen)
    elif context.object_type in (FILTER_APP, FILTER_WITH):
        yield from _leaves(context.next_context, seen)
    elif context.protocol in _COMPOSITES:
        for name in _named_apps(context):
            key = (getattr(context.loader, "filename", ""), name)
            if key not in seen:
                seen.add(key)
                inner = context.loader.get_context(APP, name, context.global_conf)
                yield from _leaves(inner, seen)
        if context.distribution is not None:
            yield context
    else:
        yield context


def _named_apps(context: Any) -> Iterator[str]:
    """Yield the values of a composite's options that name an application."""
    loader = context.loader
    sections = loader.parser.sections() if isinstance(loader, IniLoader) else []
    for value in context.local_conf.values():
        words = [str(value).strip(), *str(value).split()]
        for word in dict.fromkeys(words):
            scheme = word.partition(":")[0].lower()
            is_egg_or_file = is_uri(word) and scheme in {"config", "egg"} and " " not in word
            if is_egg_or_file or (word and len(candidates(sections, APP_PREFIXES, word)) == 1):
                yield word


def _part(context: Any) -> AppPart:
    filename, section = getattr(context, "pastebox_place", ("", ""))
    distribution = context.distribution
    factory = context.object
    module = getattr(factory, "__module__", None) or type(factory).__module__
    name = getattr(factory, "__qualname__", type(factory).__qualname__)
    if distribution is None:
        spelled = getattr(context, "pastebox_object", "")
        module = spelled.partition(":")[0].strip() or module
        distribution = distribution_of(module)
        name = spelled.partition(":")[2].strip() or name
    return AppPart(
        distribution=distribution.metadata["Name"] if distribution is not None else None,
        entry_point=context.entry_point_name or "",
        factory=f"{module}:{name}",
        section=section,
        filename=os.path.abspath(filename) if filename else "",
        global_conf=dict(context.global_conf),
        local_conf=dict(context.local_conf),
    )
