"""The command line: one thin file per verb, one place that prints errors."""
