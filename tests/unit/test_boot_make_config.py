"""make-config: which application, which template, which installer, what ends up in the file."""

from __future__ import annotations

import configparser
import importlib
import os
import re
import sys

import boot_apps
import pytest

from pastebox.boot.command import Command
from pastebox.boot.distribution import choose_application, find_distribution
from pastebox.boot.installer import Installer
from pastebox.boot.installers import has_own_installer, installer_for
from pastebox.boot.make_config import find_application, seed_of, variables_for, write_config
from pastebox.boot.packages import has_module, packages_of
from pastebox.boot.template import find_template
from pastebox.errors import ConfigError

APP_ONLY = "[paste.app_factory]\nmain = {0}:main\n"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site directory first on the path; what is imported from it is forgotten afterwards."""
    path = tmp_path / "site"
    path.mkdir()
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(path))
    yield str(path)
    for name in set(sys.modules) - before:
        if name.partition(".")[0] not in ("pastebox", "hypothesis", "importlib"):
            del sys.modules[name]
    paste = sys.modules.get("paste")
    if paste is not None and "paste.script" not in sys.modules:
        vars(paste).pop("script", None)


def install(site: str, *arguments, **options) -> str:
    path = boot_apps.install(site, *arguments, **options)
    importlib.invalidate_caches()
    return path


def make(site, requirement="demoapp", command=None, **words) -> str:
    path = os.path.join(os.path.dirname(site), "made.ini")
    quiet = command or Command("make-config", speak=lambda _text: None)
    write_config(find_application(requirement), path, words, quiet)
    with open(path, encoding="utf-8") as file:
        return file.read()


def test_the_template_of_a_package_is_filled_in(site) -> None:
    install(site)
    parser = configparser.RawConfigParser()
    parser.read_string(make(site))
    section = parser["app:main"]
    assert section["use"] == "egg:demoapp"
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", section["secret"])
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", section["uuid"])
    assert section["effect_dir"] == "%(here)s"


def test_the_secret_and_the_uuid_are_new_each_time(site) -> None:
    install(site)
    first, second = (variables_for(find_application("demoapp"), {}) for _ in range(2))
    assert first["app_instance_secret"] != second["app_instance_secret"]
    assert first["app_instance_uuid"] != second["app_instance_uuid"]


def test_a_seed_makes_them_the_same_for_this_application_and_no_other(site) -> None:
    install(site)
    install(site, "another")
    demo, other = find_application("demoapp"), find_application("another")
    seed = "0123456789abcdef" * 2
    first, second = (variables_for(demo, {}, seed=seed) for _ in range(2))
    assert first == second
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", first["app_instance_secret"])
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f-]{21}", first["app_instance_uuid"])
    for different in (
        variables_for(other, {}, seed=seed),
        variables_for(demo, {}, seed=f"{seed}0"),
    ):
        assert different["app_instance_secret"] != first["app_instance_secret"]
        assert different["app_instance_uuid"] != first["app_instance_uuid"]


def test_a_seed_may_be_a_file_and_is_no_short_one(tmp_path) -> None:
    assert seed_of({}) is None
    path = tmp_path / "seed"
    path.write_text("0123456789abcdef" * 2 + "\n")
    assert seed_of({"PASTEBOX_INSTANCE_SEED_FILE": str(path)}) == "0123456789abcdef" * 2
    for short in ("", "hush"):
        with pytest.raises(ConfigError, match=r"found .*, expected 32 or more") as caught:
            seed_of({"PASTEBOX_INSTANCE_SEED": short})
        assert "hush" not in caught.value.render()


def test_words_are_variables_and_cannot_replace_what_is_fixed(site) -> None:
    install(site)
    words = {"app_name": "mine", "project_name": "no", "app_instance_secret": "s"}
    values = variables_for(find_application("demoapp"), words)
    assert (values["app_name"], values["project_name"]) == ("mine", "demoapp")
    assert values["app_instance_secret"] == "s"
    assert (values["ep_name"], values["ep_group"]) == ("main", "paste.app_factory")


PACKAGE_TEMPLATE = {
    "demoapp/__init__.py": boot_apps.APP,
    "demoapp/config/deployment.ini_tmpl": "from the package",
}
LOOKUPS = [
    pytest.param(PACKAGE_TEMPLATE, {}, "from the package", id="package"),
    pytest.param(
        PACKAGE_TEMPLATE,
        {"paste_deploy_config.ini_tmpl": "from metadata"},
        "from the package",
        id="package before metadata",
    ),
    pytest.param(
        {"demoapp/__init__.py": boot_apps.APP},
        {"paste_deploy_config.ini_tmpl": "from metadata"},
        "from metadata",
        id="metadata",
    ),
    pytest.param(
        {"demoapp/__init__.py": boot_apps.APP},
        {},
        "[app:main]\nuse = egg:demoapp\n",
        id="simple form",
    ),
    pytest.param(
        {
            "demoapp/__init__.py": boot_apps.APP,
            "other/__init__.py": "",
            "other/config/deployment.ini_tmpl": "from the other",
        },
        {},
        "from the other",
        id="second package",
    ),
    pytest.param(
        PACKAGE_TEMPLATE, {"top_level.txt": "demoapp\n"}, "from the package", id="top_level.txt"
    ),
]


@pytest.mark.parametrize(("files", "metadata", "expected"), LOOKUPS)
def test_template_lookup(site, files, metadata, expected) -> None:
    install(site, files=files, metadata=metadata)
    assert make(site) == expected


def test_the_simple_form_names_another_entry_point(site) -> None:
    install(
        site,
        files={"demoapp/__init__.py": boot_apps.APP},
        entry_points="[paste.app_factory]\nadmin = demoapp:main\n",
    )
    assert make(site, "demoapp#admin") == "[app:main]\nuse = egg:demoapp#admin\n"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param("a $$1 %(here)s %%x", "a $1 %(here)s %%x", id="dollars and percents"),
        pytest.param("$app_name.${app_name}x", "demoapp.demoappx", id="both forms"),
    ],
)
def test_template_syntax(site, template, expected) -> None:
    install(site, files={**PACKAGE_TEMPLATE, "demoapp/config/deployment.ini_tmpl": template})
    assert make(site) == expected


def test_all_names_without_a_value_are_told_at_once(site) -> None:
    template = "x\ny = $first\nz = ${second}\nagain = $first\n"
    install(site, files={**PACKAGE_TEMPLATE, "demoapp/config/deployment.ini_tmpl": template})
    with pytest.raises(ConfigError) as caught:
        make(site)
    assert caught.value.line == 2
    assert caught.value.file == f"{site}/demoapp/config/deployment.ini_tmpl"
    assert "first, second" in str(caught.value)
    assert make(site, first="1", second="2") == "x\ny = 1\nz = 2\nagain = 1\n"


def test_a_lone_dollar_is_told_with_its_line(site) -> None:
    template = "x\n\ny = 5$ \n"
    install(site, files={**PACKAGE_TEMPLATE, "demoapp/config/deployment.ini_tmpl": template})
    with pytest.raises(ConfigError) as caught:
        make(site)
    assert (caught.value.line, caught.value.found) == (3, "a lone $")


@pytest.mark.parametrize(
    "value", ["paste.script.appinstall:Installer", "pylons.util:PylonsInstaller"]
)
def test_the_names_of_pasters_installers_are_ours_and_import_nothing(site, value) -> None:
    entry_points = APP_ONLY.format("demoapp") + f"[paste.app_install]\nmain = {value}\n"
    install(site, entry_points=entry_points)
    distribution = find_distribution("demoapp")
    assert type(installer_for(distribution, "paste.app_factory", "main")) is Installer
    assert not has_own_installer(distribution, "main")
    assert "paste.script" not in sys.modules


OWN_INSTALLER = """
import os
from {module} import {name}
from paste.script.command import BadCommand

class Own({name}):
    use_cheetah = True
    default_config_filename = "own.ini"
    def description(self, config):
        return "Mine, " + self.dist.project_name
    def config_content(self, command, vars):
        vars["extra"] = ",".join(self.dist.get_metadata_lines("top_level.txt"))
        assert self.dist.has_metadata("entry_points.txt") and not self.dist.has_metadata("none")
        assert self.dist.key == "demoapp" and self.dist.version == "1.0"
        assert self.dist.get_entry_info("paste.app_factory", "main").name == "main"
        assert sorted(self.dist.get_entry_map()) == ["paste.app_factory", "paste.app_install"]
        assert os.path.isdir(self.dist.location)
        return super().config_content(command, vars)
    def template_renderer(self, content, vars, filename=None):
        return super().template_renderer(content, vars, filename=filename).upper()
"""


@pytest.mark.parametrize(
    ("module", "name"),
    [("paste.script.appinstall", "Installer"), ("pylons.util", "PylonsInstaller")],
)
def test_an_own_installer_that_subclasses_pasters_is_honoured(site, module, name) -> None:
    files = {
        "demoapp/__init__.py": boot_apps.APP,
        "demoapp/installer.py": OWN_INSTALLER.format(module=module, name=name),
        "demoapp/config/deployment.ini_tmpl": "extra = $extra\n",
    }
    entry_points = (
        APP_ONLY.format("demoapp") + "[paste.app_install]\nmain = demoapp.installer:Own\n"
    )
    install(site, files=files, entry_points=entry_points, metadata={"top_level.txt": "demoapp\n"})
    assert has_own_installer(find_distribution("demoapp"), "main")
    assert make(site) == "EXTRA = DEMOAPP\n"
    own = installer_for(find_distribution("demoapp"), "paste.app_factory", "main")
    assert own.description(None) == "Mine, demoapp"
    assert own.editable_config_files("x") == ["x"]


def test_a_real_module_of_that_name_is_not_replaced(site) -> None:
    files = {
        "pylons/__init__.py": "real = True\n",
        "pylons/util.py": "class PylonsInstaller:\n    real = True\n",
    }
    install(site, "pylons", files=files, entry_points="")
    from pastebox.boot.installers import provide_aliases

    provide_aliases()
    import pylons.util

    assert pylons.util.PylonsInstaller.real
    import paste.script.appinstall

    assert paste.script.appinstall.Installer is Installer


def test_a_real_module_that_cannot_be_imported_is_replaced(site) -> None:
    files = {"pylons/__init__.py": "import no_such_thing\n"}
    install(site, "pylons", files=files, entry_points="")
    from pastebox.boot.installers import provide_aliases

    provide_aliases()
    import pylons.util

    assert pylons.util.PylonsInstaller is Installer


def test_an_installer_that_fills_a_directory_is_refused_a_file(site) -> None:
    files = {
        "demoapp/__init__.py": boot_apps.APP
        + "\nfrom pastebox.boot.installer import Installer\n"
        + "class Own(Installer):\n    expect_config_directory = True\n"
    }
    entry_points = APP_ONLY.format("demoapp") + "[paste.app_install]\nmain = demoapp:Own\n"
    install(site, files=files, entry_points=entry_points)
    with pytest.raises(ConfigError, match="expected a directory"):
        make(site)


def test_a_directory_where_a_file_is_expected_is_refused(site, tmp_path) -> None:
    install(site)
    with pytest.raises(ConfigError, match="found a directory"):
        write_config(find_application("demoapp"), f"{tmp_path}/", {}, Command("make-config"))


def test_an_unknown_distribution_lists_those_that_are_there(site) -> None:
    install(site)
    with pytest.raises(ConfigError) as caught:
        find_application("demoap")
    assert "demoapp" in (caught.value.hint or "")


def test_an_unknown_entry_point_lists_those_that_are_there(site) -> None:
    install(site)
    with pytest.raises(ConfigError) as caught:
        find_application("demoapp#admin")
    assert caught.value.hint == "it has: main"


class TestChoice:
    """Which of the installed applications is meant."""

    @pytest.fixture(autouse=True)
    def alone(self, site, monkeypatch):
        """Only what is in the site directory is installed."""
        monkeypatch.setattr(sys, "path", [site])
        self.site = site

    def add(self, name: str, *, installer: bool = False) -> None:
        text = APP_ONLY.format(name)
        if installer:
            text += "[paste.app_install]\nmain = paste.script.appinstall:Installer\n"
        install(self.site, name, entry_points=text)

    def test_the_given_one(self) -> None:
        self.add("one")
        assert choose_application("two#x") == "two#x"

    def test_the_only_one(self) -> None:
        self.add("one")
        assert choose_application(None) == "one"

    def test_the_only_one_with_an_installer(self) -> None:
        self.add("one")
        self.add("two", installer=True)
        assert choose_application(None) == "two"

    def test_a_framework_is_none(self) -> None:
        self.add("pyramid", installer=True)
        self.add("one")
        assert choose_application(None) == "one"

    @pytest.mark.parametrize("installer", [True, False])
    def test_several_are_listed(self, installer) -> None:
        self.add("b-two", installer=installer)
        self.add("a_one", installer=installer)
        with pytest.raises(ConfigError, match="a-one, b-two"):
            choose_application(None)

    def test_none_says_how_to_install_one(self) -> None:
        with pytest.raises(ConfigError) as caught:
            choose_application(None)
        assert "pip install" in (caught.value.hint or "")


class TestPackages:
    """The packages of a distribution, however it was built."""

    def test_of_its_files(self, site) -> None:
        files = {"two/__init__.py": "", "one/__init__.py": "", "single.py": "", "two/sub/x.py": ""}
        install(site, files=files, entry_points="")
        assert packages_of(find_distribution("demoapp").wrapped) == ["two", "one", "single"]

    def test_top_level_txt_comes_first(self, site) -> None:
        install(site, metadata={"top_level.txt": "# made by\nfirst\n\ndemoapp\n"})
        assert packages_of(find_distribution("demoapp").wrapped) == ["first", "demoapp"]

    def test_of_an_editable_install_by_its_entry_points(self, site) -> None:
        files = {"_editable_impl_demoapp.pth": "/nowhere\n"}
        install(site, files=files, metadata={})
        assert packages_of(find_distribution("demoapp").wrapped) == ["demoapp"]

    def test_of_an_editable_install_by_its_path_file(self, site, tmp_path) -> None:
        for name in ("src/b", "src/a", "src/docs"):
            (tmp_path / name).mkdir(parents=True)
        for name in ("src/b", "src/a"):
            (tmp_path / name / "__init__.py").touch()
        files = {"demoapp.pth": f"{tmp_path}/src\nimport nothing\n"}
        install(site, files=files, entry_points="[paste.app_install]\nmain = other:Thing\n")
        assert packages_of(find_distribution("demoapp").wrapped) == ["a", "b"]

    def test_a_module_is_seen_without_importing_its_package(self, site) -> None:
        files = {
            "demoapp/__init__.py": "raise RuntimeError('imported')",
            "demoapp/websetup/__init__.py": "",
        }
        install(site, files=files)
        assert has_module("demoapp", "websetup")
        assert not has_module("demoapp", "nothing")
        assert not has_module("no_such_package", "websetup")
        assert find_template(find_distribution("demoapp")) is None
        assert "demoapp" not in sys.modules
