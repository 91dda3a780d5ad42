"""Without a word of pastebox's own in it, an INI means exactly what PasteDeploy makes of it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paste.deploy import loadwsgi

from pastebox.errors import PasteboxError

STOCK = dict(loadwsgi._loaders)
SOUND = st.sampled_from(
    ("1", "2", "3", "%(x)s", "%(y)s-%(here)s", "%%(x)s", "%(__file__)s", "", "a b", "%%")
)
FAULTY = st.one_of(
    st.sampled_from(("100%", "%(nosuch)s", "%(z)s")), st.text("ab%()s =\n", max_size=6)
)
VALUES = st.one_of(*[SOUND] * 15, FAULTY)
# A percent sign in a value that another file inherits is where pastebox differs, on purpose.
PLAIN = st.sampled_from(
    (*("1", "2", "3", "%(here)s", "%(__file__)s", "a b", "", "-") * 4, "%(x)s", "%(nosuch)s", "%")
)
EXTRAS = st.dictionaries(
    st.sampled_from(("x", "y", "X", "set x", "set z", "level", "get t", "get y", "filter-with")),
    VALUES,
    max_size=4,
).map(
    lambda rows: {
        **{name: value for name, value in rows.items() if not name.startswith("set ")},
        **{name: value.replace("%%", "") for name, value in rows.items() if name[:4] == "set "},
        **{name: "x" for name in rows if name.startswith("get ")},
        **{name: "f" for name in rows if name == "filter-with"},
    }
)


def section(*uses):
    """Make a section that uses one of these, and has a few options more."""
    start = st.sampled_from(uses).map(lambda use: dict([use.split(" = ", 1)]))
    return st.builds(lambda rows, use: {**rows, **use}, EXTRAS, start)


def file_with(*mains):
    """Make an INI whose sections use each other in ways that can work."""
    return st.fixed_dictionaries(
        {
            "DEFAULT": st.dictionaries(
                st.sampled_from(("x", "y", "level", "debug")), PLAIN, max_size=3
            ).map(lambda rows: {"x": "0", "y": "%(x)s.", **rows}),
            "app:main": section(*mains, "use = a", "use = egg:Demo-App", "use = nosuch"),
            "app:a": section("use = b", "use = egg:Demo-App#blog", "use = call:demo_wsgi:app"),
            "application:b": section("paste.app_factory = demo_wsgi:app", "use = egg:Demo-App"),
            "filter:f": section("use = egg:Demo-App", "use = g").map(
                lambda rows: {n: v for n, v in rows.items() if n != "filter-with"}
            ),
            "filter:g": section("use = egg:Demo-App#wrap", "use = egg:Demo-App"),
            "pipeline:p": st.sampled_from(
                ({"pipeline": "f g a"}, {"pipeline": "b"}, {"pipeline": "f b", "set x": "9"})
            ),
            "filter-app:q": section("use = f").map(lambda rows: {**rows, "next": "p"}),
        }
    )


MAIN = file_with("use = config:other.ini", "use = config:other.ini#a", "use = p", "use = q")
OTHER = file_with("use = b")


def spelled(sections):
    lines = []
    for name, rows in sections.items():
        lines.append(f"[{name}]")
        lines.extend(f"{option} = {value}" for option, value in rows.items())
    return "\n".join(lines) + "\n"


def shape(context):
    """Return everything that PasteDeploy hands to factories, all the way in."""
    inner = [
        shape(getattr(context, name))
        for name in ("filter_context", "next_context", "app_context")
        if hasattr(context, name)
    ]
    inner += [shape(each) for each in getattr(context, "filter_contexts", ())]
    return (
        context.object_type.name,
        getattr(context.object, "__name__", None),
        context.protocol,
        dict(context.global_conf),
        dict(context.local_conf),
        inner,
    )


@pytest.fixture
def compare(mount):
    def compare(main, other):
        mount.write(main)
        mount.write(other, "other.ini")
        loadwsgi._loaders.clear()
        loadwsgi._loaders.update(STOCK)
        try:
            context = loadwsgi.loadcontext(loadwsgi.APP, f"config:{mount.ini}")
            stock = shape(context)
        except (Exception, RecursionError) as error:
            stock = error
        from pastebox.config.document import documents
        from pastebox.config.loader import app_context, install

        opener = documents(mount.source(), {})
        try:
            parser = opener.main()
            install(opener)
            ours = shape(app_context(opener, parser))
        except PasteboxError as error:
            ours = error
        return stock, ours

    return compare


@settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(main=MAIN, other=OTHER)
def test_both_load_the_same_or_both_refuse(compare, main, other):
    stock, ours = compare(spelled(main), spelled(other))
    if isinstance(ours, PasteboxError):
        assert isinstance(stock, Exception), (ours, stock)
    else:
        assert ours == stock  # an exception of PasteDeploy's is equal to nothing


@pytest.mark.parametrize(
    ("main", "other"),
    [
        pytest.param(
            "[DEFAULT]\nx = 1\ny = %(x)s2\n[app:main]\nuse = config:other.ini\nx = dropped\n"
            "set x = 3\nget t = x\nz = %(y)s %%\n",
            "[DEFAULT]\nx = 9\nq = %(x)s %(y)s\n[app:main]\nuse = egg:Demo-App\ny = d\nw = %(q)s\n",
            id="defaults through an include",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = f a\nset x = 1\n[filter:f]\nuse = egg:Demo-App#wrap\n"
            "get x = x\n[app:a]\nuse = call:demo_wsgi:app\nfilter-with = g\n"
            "[filter:g]\nuse = egg:Demo-App\nfilter-with = f2\n[filter:f2]\nuse = f\nset x = 2\n",
            "[app:main]\n",
            id="pipeline with filters behind filters",
        ),
        pytest.param(
            "[filter-app:main]\nuse = egg:Demo-App#wrap\nnext = a\nlevel = 1\nfilter-with = f\n"
            "[app:a]\npaste.app_factory = demo_wsgi:blog\n[filter:f]\nuse = egg:Demo-App\n",
            "[app:main]\n",
            id="filter-app with a filter",
        ),
        pytest.param(
            "[composite: main ]\nuse = a\n/ = x\n[composit:a]\nuse = egg:Demo-App#urlmap\nk: v\n",
            "[app:main]\n",
            id="spaces and old spellings",
        ),
    ],
)
def test_known_shapes_are_the_same(compare, main, other):
    stock, ours = compare(main, other)
    assert not isinstance(stock, Exception), stock
    assert ours == stock
