"""Five wikis in one daemon: others come and go while wrk loads two of them; no request fails."""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from app_process import AppProcess, free_port, wait_until

INI = """\
[app:main]
use = egg:pastebox-wiki
sqlalchemy.url = sqlite:///%(ENV_PASTEBOX_DATA_DIR)s/wiki.db
session.secret = only-for-this-test-0123456789

[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = {port}
"""


class Wikis:
    """The directory of instances."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.ports: dict[str, int] = {}
        directory.mkdir()

    def add(self, name: str) -> None:
        self.ports[name] = free_port()
        beside = self._directory / "beside"
        beside.write_text(INI.format(port=self.ports[name]))
        beside.rename(self._directory / f"{name}.ini")

    def remove(self, name: str) -> None:
        (self._directory / f"{name}.ini").unlink()


def load(port: int) -> subprocess.Popen[str]:
    """Start wrk, which goes on until it is interrupted."""
    return subprocess.Popen(
        ["wrk", "-t1", "-c4", "-d3600", f"http://127.0.0.1:{port}/"],
        stdout=subprocess.PIPE,
        text=True,
    )


def account(wrk: subprocess.Popen[str]) -> tuple[int, str]:
    """End wrk; return how many answers it had, and what it says went wrong."""
    wrk.send_signal(signal.SIGINT)
    text = wrk.communicate(timeout=60)[0]
    wrong = re.findall(r"(?:Socket errors|Non-2xx).*", text)
    return int(re.search(r"(\d+) requests in", text)[1]), "; ".join(wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=20)
    words = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="pb-"))
    wikis = Wikis(root / "i")
    for number in range(5):
        wikis.add(f"wiki{number}")
    (root / "i/broken.ini").write_text("[server:main]\nuse = egg:nothing\n")
    app = AppProcess(
        root,
        argv=(),
        health=True,
        PASTEBOX_MODE="daemon",
        PASTEBOX_SETUP="auto",
        PASTEBOX_INSTANCES_DIR=str(root / "i"),
        PASTEBOX_DATA_DIR=str(root / "data"),
        PASTEBOX_RUN_DIR=str(root / "run"),
        PASTEBOX_ACCESS_LOG="off",
    )
    loads = []
    try:
        for name in wikis.ports:
            app.wait_log(rf"^{name} \| .*listening on", 120)
        loads = [load(wikis.ports[name]) for name in ("wiki0", "wiki1")]
        times = []
        for turn in range(words.turns):
            wikis.add(f"wiki{turn + 5}")
            gone = f"wiki{turn + 2}"
            wikis.remove(gone)
            began = time.perf_counter()
            app.signal(signal.SIGHUP)
            app.wait_log(rf"^wiki{turn + 5} \| .*listening on", 120)
            times.append(time.perf_counter() - began)
            app.wait_log(rf"program stopped name={gone} exit=0", 60)
            new = wikis.ports[f"wiki{turn + 5}"]
            wait_until(lambda new=new: app.get("/", port=new).status == 200, "the new wiki")
        found = [account(wrk) for wrk in loads]
        setups = app.log().count("setup: tables are there")
        code = app.stop()
    finally:
        for wrk in loads:
            wrk.kill()
            wrk.wait()
        app.kill()
        shutil.rmtree(root)
    wrong = [text for _, text in found if text]
    print(f"turns={words.turns} requests={sum(count for count, _ in found)} wrong={wrong}")
    print(f"  set up {setups} wikis; from HUP to the first answer of a new one, set-up included:")
    print(f"  median {median(times):.2f} worst {max(times):.2f} s; exit={code}")
    sys.exit(bool(wrong) or code != 0 or setups != words.turns + 5)


if __name__ == "__main__":
    main()
