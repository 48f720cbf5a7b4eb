"""A client of the wire of ``@pkce/server`` in Python 3.9 or newer, by the standard library alone."""

from .client import PkceClient, Session
from .errors import PkceError
from .hosted import PollLogin

__all__ = ["PkceClient", "PkceError", "PollLogin", "Session"]
