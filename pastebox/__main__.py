"""``python -m pastebox``."""

from pastebox.cli.main import entry

if __name__ == "__main__":
    entry()
