"""The image for people who work on an application: an edit is followed, a debugger can attach."""

from __future__ import annotations

import shutil


def test_a_debugger_is_there_and_an_edit_is_followed(run, app_dir, readable, dev_image):
    """The application is mounted, as a directory; nothing else is said."""
    folder = readable / "app"
    shutil.copytree(app_dir, folder)
    options = ["--env", "PYTHONPATH=/app", "--env", "PASTEBOX_INI=/app/app.ini"]
    options += ["--env", "PASTEBOX_DEBUGPY=5678", "--volume", f"{folder}:/app"]
    container = run(options=options, image=dev_image)
    container.wait_for_log("listening on")
    assert "hello from the INI" in container.get().body
    assert container.exec("python", "-c", "import debugpy; print(debugpy.__version__)")
    ini = folder / "app.ini"
    ini.write_text(ini.read_text().replace("hello from the INI", "hello again"))
    container.wait_for_log("generation 1 drained")
    assert "hello again" in container.get().body
    assert container.stop() == 0, container.logs()
