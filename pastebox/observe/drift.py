"""How the configuration's files differ from what is served."""


class DriftNote:
    """What the pages say of it; ``text`` is empty while nothing differs."""

    def __init__(self) -> None:
        self.text = ""
        self.count = 0

    def set(self, text: str) -> None:
        """Say it; a difference that comes is counted."""
        self.count += bool(text) and not self.text
        self.text = text
