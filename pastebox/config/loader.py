"""PasteDeploy's loader with our files, our values and our errors; its only importer.

``install`` replaces what PasteDeploy does for ``config:``, ``egg:`` and ``call:`` in this
process, for good: an application that asks ``paste.deploy`` for another section later gets the
same interpolation and overlays. Contexts are PasteDeploy's own, so composites and filters see
what they have always seen.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, TypeAlias

from pastebox.config.deferred import deferred

with deferred("importlib.metadata", "inspect"):
    from paste.deploy import loadwsgi

from pastebox.config.document import Documents
from pastebox.config.entrypoints import load_egg, load_object
from pastebox.config.parser import IniParser
from pastebox.config.sections import (
    SectionConf,
    find_section,
    include_path,
    is_uri,
    section_conf,
)
from pastebox.errors import ConfigError, PasteboxError

Context: TypeAlias = Any  # a paste.deploy.loadwsgi.LoaderContext, which has no types
GlobalConf = Mapping[str, Any] | None
APP = loadwsgi.APP
FILTER_APP = loadwsgi.FILTER_APP
FILTER_WITH = loadwsgi.FILTER_WITH
PIPELINE = loadwsgi.PIPELINE

# The sections that are being resolved, outermost first, to tell a circle from a long way.
_chain: ContextVar[tuple[tuple[str, str, str], ...]] = ContextVar("pastebox_chain", default=())


def install(documents: Documents) -> None:
    """Make this process resolve PasteDeploy URIs through ``documents``."""

    def config(kind: Any, uri: str, path: str, *, name: str | None, **how: Any) -> Context:  # noqa: ARG001  # PasteDeploy's signature
        absolute, _ = include_path(uri, how.get("relative_to"))
        global_conf = how.get("global_conf")
        parser = documents.included(absolute, global_conf)
        return IniLoader(parser, documents).get_context(kind, name, global_conf)

    def egg(kind: Any, uri: str, spec: str, *, name: str | None, **how: Any) -> Context:  # noqa: ARG001  # PasteDeploy's signature
        return EggLoader(spec).get_context(kind, name, how.get("global_conf"))

    def call(kind: Any, uri: str, spec: str, *, name: str | None, **how: Any) -> Context:  # noqa: ARG001  # PasteDeploy's signature
        return CallLoader(spec).get_context(kind, name, how.get("global_conf"))

    loadwsgi._loaders.update(config=config, egg=egg, call=call)  # noqa: SLF001  # the only registry


def app_context(documents: Documents, parser: IniParser) -> Context:
    """Return the context of the recipe's application; entry points are imported.

    Args:
        documents: what opens included files.
        parser: the recipe's file, opened.

    Raises:
        ConfigError: a section, a distribution or an object is not there, or is wrong.
        BaseException: whatever importing the application raises.
    """
    spec, words = documents.source.spec, dict(documents.source.variables)
    loader = EggLoader(spec.path) if spec.scheme == "egg" else IniLoader(parser, documents)
    return loader.get_context(APP, spec.name, words)


class IniLoader(loadwsgi.ConfigLoader):  # type: ignore[misc]  # PasteDeploy has no types
    """PasteDeploy's ConfigLoader over a parser of ours."""

    def __init__(self, parser: IniParser, documents: Documents) -> None:
        self.filename = parser.filename
        self.parser = parser
        self.documents = documents

    def get_app(self, name: str | None = None, global_conf: GlobalConf = None) -> Any:
        """Create an application, as a composite asks for it."""
        token = self._enter("create", name or "main", APP)
        try:
            return super().get_app(name, global_conf)
        finally:
            _chain.reset(token)

    def get_context(
        self, object_type: Any, name: str | None = None, global_conf: GlobalConf = None
    ) -> Context:
        """Resolve a section or a URI.

        Raises:
            ConfigError: it is not there, is wrong, or refers to itself.
        """
        if is_uri(name):
            return _by_uri(object_type, str(name), global_conf, os.path.dirname(self.filename))
        section = self.find_config_section(object_type, name)
        token = self._enter(section, section, object_type)
        try:
            return self._section_context(object_type, section, global_conf)
        finally:
            _chain.reset(token)

    def find_config_section(self, object_type: Any, name: str | None = None) -> str:
        """Return the section that ``name`` means for this kind of object."""
        return find_section(self.parser, object_type.config_prefixes, name)

    def _enter(self, step: str, section: str, object_type: Any) -> Any:
        here = (self.filename, f"{step}/{section}", object_type.name)
        chain = _chain.get()
        if here in chain:
            names = [key.partition("/")[2] for _, key, _ in (*chain[chain.index(here) :], here)]
            raise ConfigError(
                "refers to itself: " + " -> ".join(f"[{name}]" for name in names),
                file=self.filename,
            )
        return _chain.set((*chain, here))

    def _section_context(self, object_type: Any, section: str, global_conf: GlobalConf) -> Context:
        conf = section_conf(self.parser, section, global_conf)
        local = conf.local_conf
        outer = local.pop("filter-with", None) if object_type is not loadwsgi.SERVER else None
        self._require(section, local.pop("require", ""))
        context = self._mark(self._inner_context(object_type, conf), section)
        if outer is None:
            return context
        wrapped = loadwsgi.LoaderContext(None, FILTER_WITH, None, conf.global_conf, local, self)
        wrapped.filter_context = self._named(
            section, "filter-with", loadwsgi.FILTER, outer, conf.global_conf
        )
        wrapped.next_context = context
        return self._mark(wrapped, section)

    def _inner_context(self, object_type: Any, conf: SectionConf) -> Context:
        kind = conf.section.partition(":")[0]
        if kind == "pipeline":
            return self._pipeline(conf)
        if kind == "filter-app":
            return self._filter_app(conf)
        return self._used(object_type, conf)

    def _used(self, object_type: Any, conf: SectionConf) -> Context:
        if "use" not in conf.local_conf:
            return self._explicit(object_type, conf)
        use = conf.local_conf.pop("use").strip()
        context = self._named(conf.section, "use", object_type, use, conf.global_conf)
        context.global_conf.update(conf.additions)
        context.local_conf.update(conf.local_conf)
        context.loader = self
        if context.protocol is None:
            context.protocol = _protocol_of(conf.section)
        return context

    def _explicit(self, object_type: Any, conf: SectionConf) -> Context:
        local = conf.local_conf
        families = object_type.egg_protocols
        given = [hits[0] for f in families if (hits := [p for p in f if p in local])]
        if len(given) != 1:
            raise ConfigError(
                f"names {'several objects: ' + ', '.join(given) if given else 'nothing to load'}",
                file=self.filename,
                line=self.parser.place(conf.section, given[-1]).line if given else None,
                section=conf.section,
                option=None if given else "use",
                expected="use = egg:DISTRIBUTION#NAME, or one " + families[0][0],
            )
        protocol = given[0]
        with _Pointing(self.parser, conf.section, protocol):
            obj = load_object(local[protocol])
        context = loadwsgi.LoaderContext(obj, object_type, protocol, conf.global_conf, local, self)
        context.pastebox_object = local.pop(protocol)
        return context

    def _pipeline(self, conf: SectionConf) -> Context:
        section, local, global_conf = conf.section, conf.local_conf, conf.global_conf
        names = local.pop("pipeline", "").split()
        if not names:
            raise ConfigError(
                "has no pipeline",
                file=self.filename,
                section=section,
                option="pipeline",
                expected="pipeline = filter … application",
            )
        if local:
            raise self.parser.error(
                section,
                min(local),
                "a pipeline takes no options of its own",
                found=", ".join(sorted(local)),
                expected="pipeline, filter-with and set options",
            )
        context = loadwsgi.LoaderContext(None, PIPELINE, None, global_conf, local, self)
        named = self._named
        context.app_context = named(section, "pipeline", APP, names[-1], global_conf)
        context.filter_contexts = [
            named(section, "pipeline", loadwsgi.FILTER, name, global_conf) for name in names[:-1]
        ]
        return context

    def _filter_app(self, conf: SectionConf) -> Context:
        section, local, global_conf = conf.section, conf.local_conf, conf.global_conf
        if "next" not in local:
            raise ConfigError(
                "names no application behind the filter",
                file=self.filename,
                section=section,
                option="next",
                expected="next = the name of an application",
            )
        context = loadwsgi.LoaderContext(None, FILTER_APP, None, global_conf, local, self)
        context.next_context = self._named(section, "next", APP, local.pop("next"), global_conf)
        context.filter_context = self._used(loadwsgi.FILTER, conf)
        return context

    def _named(
        self, section: str, option: str, object_type: Any, name: str, global_conf: GlobalConf
    ) -> Context:
        """Resolve what an option names, and point at the option when that fails."""
        with _Pointing(self.parser, section, option):
            return self.get_context(object_type, name, global_conf)

    def _require(self, section: str, specs: str) -> None:
        from pastebox.config.entrypoints import find_distribution  # noqa: PLC0415  # rarely asked

        for spec in specs.split():
            with _Pointing(self.parser, section, "require"):
                find_distribution(spec, ())

    def _mark(self, context: Context, section: str) -> Context:
        """Note the outermost section of this file; a nearer note is overwritten on the way out."""
        context.pastebox_place = (self.filename, section)
        return context


class EggLoader(loadwsgi.EggLoader):  # type: ignore[misc]  # PasteDeploy has no types
    """``egg:``, with errors that say what is installed instead."""

    def get_context(
        self, object_type: Any, name: str | None = None, global_conf: GlobalConf = None
    ) -> Context:
        """Import the entry point."""
        if is_uri(name):
            return _by_uri(object_type, str(name), global_conf, None)
        found = load_egg(self.spec, name or "main", object_type.egg_protocols)
        return loadwsgi.LoaderContext(
            found.obj,
            object_type,
            found.protocol,
            dict(global_conf or {}),
            {},
            self,
            distribution=found.distribution,
            entry_point_name=found.name,
        )


class CallLoader(loadwsgi.FuncLoader):  # type: ignore[misc]  # PasteDeploy has no types
    """``call:module:object``; the protocol comes from the kind of section."""

    def __init__(self, spec: str) -> None:
        if ":" not in spec:
            raise ConfigError(found=f'"call:{spec}"', expected="call:module:object")
        self.spec = spec

    def get_context(
        self,
        object_type: Any,
        name: str | None = None,  # noqa: ARG002  # PasteDeploy's signature
        global_conf: GlobalConf = None,
    ) -> Context:
        """Import the object."""
        obj = load_object(self.spec)
        context = loadwsgi.LoaderContext(obj, object_type, None, dict(global_conf or {}), {}, self)
        context.pastebox_object = self.spec
        return context


def _by_uri(
    object_type: Any, uri: str, global_conf: GlobalConf, relative_to: str | None
) -> Context:
    scheme, _, rest = uri.partition(":")
    if scheme.lower() not in loadwsgi._loaders:  # noqa: SLF001  # an application may add its own
        raise ConfigError(
            found=f'the scheme "{scheme}:" in "{uri}"',
            expected="config:, egg:, call: or the name of a section",
            hint=f"for the section [{uri}] write {rest}" if rest else None,
        )
    return loadwsgi.loadcontext(object_type, uri, relative_to=relative_to, global_conf=global_conf)


class _Pointing:
    """Give an error that has no section the place of the option that led to it."""

    def __init__(self, parser: IniParser, section: str, option: str) -> None:
        self.parser = parser
        self.section = section
        self.option = option

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, PasteboxError) or error.section is not None:
            return
        place = self.parser.place(self.section, self.option)
        if error.file and error.file != self.parser.filename:
            error.message = f"{error.place}: {error.message}"
        error.file, error.line = place.file or place.text, place.line
        error.section, error.option = self.section, self.option


def _protocol_of(section: str) -> str:
    kind = section.partition(":")[0]
    if kind in {"app", "application"}:
        return "paste.app_factory"
    if kind in {"composite", "composit"}:
        return "paste.composit_factory"
    return f"paste.{'filter' if kind == 'filter-app' else kind}_factory"


def signature_fault(error: TypeError) -> Context | None:
    """Return the context whose factory could not be called with its options, if that is what it is.

    An error from inside the factory has frames below PasteDeploy's call; this one has none.
    """
    frame = error.__traceback__
    context = None
    while frame is not None:
        names = frame.tb_frame.f_locals
        if frame.tb_frame.f_code.co_name == "invoke" and "context" in names:
            context = names["context"]
        last = frame
        frame = frame.tb_next
        if frame is None and last.tb_frame.f_code.co_name != "fix_call":
            return None
    return context
