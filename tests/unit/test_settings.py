"""The table of settings: every spelling of every row, who wins, and what is said about mistakes."""

import math

import pytest

from pastebox import settings as table
from pastebox.errors import ConfigError, UsageError
from pastebox.option import Given
from pastebox.settings import Settings, options, resolve, unknown_names

ROWS = options()
EXAMPLES = {
    "a text that is not empty": "words",
    "on or off": "on",
    "words separated by commas or spaces": "a,b",
}


def example(row):
    """Return a text that the row accepts and that is not its default."""
    if row.converter.choices:
        return next(word for word in row.converter.choices if word != row.default)
    if row.converter.expected.startswith("a duration"):
        return "7s"
    if row.converter.expected.startswith("a number"):
        return "7"
    return EXAMPLES[row.converter.expected]


def given(text, origin="app.ini:3", file="app.ini", line=3):
    return table.Given(text, origin, file, line)


each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@each_row
def test_every_spelling_of_a_row_is_accepted(row):
    text = example(row)
    value = row.converter.read(text)
    spellings = [
        resolve({row.name: text}, {}),
        resolve({}, {row.environment: text}),
        resolve({}, {f"{row.environment}_FILE": "/f"}, read_file=lambda path: text),
    ]
    if row.name not in table.EARLY:
        spellings.append(resolve({}, {}, {row.name: given(text)}))
    for resolved in spellings:
        assert resolved.value(row) == value
        assert resolved.origin(row.name) != "default"


@pytest.mark.parametrize("name", sorted(table.EARLY))
def test_what_is_needed_to_read_the_ini_is_refused_in_it(name):
    with pytest.raises(ConfigError) as caught:
        resolve({}, {}, {name: given("x")})
    assert "needed before" in str(caught.value)
    assert f"PASTEBOX_{name.upper()}" in str(caught.value.hint)


@each_row
def test_defaults_are_values_that_their_own_reader_accepts(row):
    assert resolve({}, {}).origin(row.name) == "default"
    if row.default is None:
        assert resolve({}, {}).value(row) is None
    else:
        assert resolve({}, {}).value(row) == row.converter.read(row.default)


@each_row
def test_argument_wins_over_environment_over_section(row):
    text = example(row)
    section = {row.name: given(row.default or "x" if not row.converter.choices else text)}
    if row.name in table.EARLY:
        section = {}
    resolved = resolve({row.name: text}, {row.environment: text}, section)
    assert resolved.origin(row.name) == f"argument {row.flag}"
    resolved = resolve({}, {row.environment: text}, section)
    assert resolved.origin(row.name) == f"environment {row.environment}"


@each_row
def test_spellings_follow_from_the_name(row):
    assert row.environment == "PASTEBOX_" + row.name.upper()
    assert row.flag == "--" + row.name.replace("_", "-")


@each_row
def test_value_and_file_at_once_are_refused(row):
    environ = {row.environment: example(row), f"{row.environment}_FILE": "/f"}
    with pytest.raises(ConfigError, match="are both set"):
        resolve({}, environ, read_file=lambda path: example(row))


@each_row
def test_text_is_one_line_of_plain_words(row):
    assert row.text
    assert "\n" not in row.text
    assert not row.text.endswith(".")


SECONDS = [
    ("0", 0), ("20", 20), ("20s", 20), ("500ms", 0.5), ("1.5s", 1.5), ("5m", 300),
    ("1h", 3600), ("1h30m", 5400), ("2m0.5s", 120.5),
]  # fmt: skip


@pytest.mark.parametrize(("text", "seconds"), SECONDS)
def test_durations(text, seconds):
    assert math.isclose(resolve({}, {"PASTEBOX_DRAIN_DELAY": text}).drain_delay, seconds)


BAD = [
    *(("drain_delay", text) for text in ("", "s", "-1", "1d", "1 s", "5s5", "inf", "1e3", "½")),
    *(("port", text) for text in ("", "80a0", "65536", "-1", "+1", "1_0", "8080 ", "٣", "off")),
    *(("health_port", text) for text in ("", "no", "65536")),
    *(("workers", text) for text in ("", "0", "513")),
    *(("worker_restarts", text) for text in ("-1", "1001")),
    *(("setup", text) for text in ("", "Auto", "sometimes")),
    *(("log_level", text) for text in ("INFO", "trace")),
    *(("allow_faults", text) for text in ("", "maybe", "2")),
    *(("server", text) for text in ("",)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text"), BAD)
def test_bad_value_never_becomes_a_default(name, text):
    row = next(row for row in ROWS if row.name == name)
    with pytest.raises(ConfigError) as caught:
        resolve({}, {row.environment: text})
    assert caught.value.option == row.environment
    assert caught.value.found == f'"{text}"'
    assert caught.value.expected == row.converter.expected
    with pytest.raises(ConfigError) as caught:
        resolve({}, {}, {name: given(text)})
    error = caught.value
    assert (error.file, error.line, error.section, error.option) == ("app.ini", 3, "pastebox", name)
    with pytest.raises(UsageError) as caught:
        resolve({name: text}, {})
    assert caught.value.option == row.flag


@pytest.mark.parametrize("text", ["on", "ON", "true", "Yes", "1"])
def test_flags_that_are_on(text):
    assert resolve({}, {"PASTEBOX_ALLOW_FAULTS": text}).allow_faults is True


def test_health_port_can_be_off():
    assert resolve({}, {"PASTEBOX_HEALTH_PORT": "off"}).health_port is None


def test_words_are_separated_by_commas_or_spaces():
    assert resolve({}, {"PASTEBOX_WAIT_FOR": "tcp://a:1, tcp://b:2"}).wait_for == (
        "tcp://a:1",
        "tcp://b:2",
    )


def test_web_concurrency_stands_for_workers_unless_they_are_given():
    assert resolve({}, {"WEB_CONCURRENCY": "3"}).workers == 3
    assert resolve({}, {"WEB_CONCURRENCY": "3", "PASTEBOX_WORKERS": "2"}).workers == 2
    assert resolve({}, {"WEB_CONCURRENCY": ""}).workers == 1
    assert resolve({}, {"WEB_CONCURRENCY": "3"}, {"workers": Given("4", "the INI")}).workers == 4
    with pytest.raises(ConfigError, match="WEB_CONCURRENCY"):
        resolve({}, {"WEB_CONCURRENCY": "many"})


def test_kubernetes_service_variable_is_explained():
    with pytest.raises(ConfigError) as caught:
        resolve({}, {"PASTEBOX_PORT": "tcp://10.0.0.1:8080"})
    assert "enableServiceLinks" in caught.value.hint


def test_unknown_key_of_the_section_is_refused_with_the_nearest():
    with pytest.raises(ConfigError) as caught:
        resolve({}, {}, {"drain_timout": given("1s")})
    assert caught.value.hint == "did you mean drain_timeout?"
    assert (caught.value.file, caught.value.line) == ("app.ini", 3)


def test_unknown_variables_are_named_with_the_nearest():
    environ = {
        "PASTEBOX_DRAIN_DELY": "1",
        "PASTEBOX_PORT": "1",
        "PASTEBOX_PORT_FILE": "/f",
        "PASTEBOX_XYZZY_PLUGH": "1",
        "PASTE__APP_MAIN__X": "1",
        "PATH": "/",
    }
    assert dict(unknown_names(environ)) == {
        "PASTEBOX_DRAIN_DELY": "PASTEBOX_DRAIN_DELAY",
        "PASTEBOX_XYZZY_PLUGH": None,
    }


def test_value_file_loses_one_newline_only(tmp_path):
    file = tmp_path / "value"
    file.write_text("words\n\n")
    assert resolve({}, {"PASTEBOX_SERVER_FILE": str(file)}).server == "words\n"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_value_file_that_cannot_be_read_is_named(tmp_path, content):
    file = tmp_path / "value"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        resolve({}, {"PASTEBOX_SERVER_FILE": str(file)})
    assert caught.value.file == str(file)


def test_bad_value_from_a_file_names_the_file():
    with pytest.raises(ConfigError) as caught:
        resolve({}, {"PASTEBOX_PORT_FILE": "/run/port"}, read_file=lambda path: "x")
    assert caught.value.file == "/run/port"
    assert caught.value.option == "PASTEBOX_PORT"


def test_attributes_are_the_rows():
    assert isinstance(Settings.port, table.Option)
    assert resolve({"port": "7"}, {}).port == 7
