"""Serve a Python web application from its PasteDeploy INI, in a container or out of it."""

__version__ = "0.1.0"
