"""waitress's parser, given only heads that cannot be read in two ways."""

from __future__ import annotations

from waitress.parser import HTTPRequestParser, ParsingError

from pastebox.runners.strict_head import fault_of

_END = b"\r\n\r\n"


class Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress ships no types
    """Reads one request."""

    def parse_header(self, header_plus: bytes) -> None:
        """Parse a head.

        Raises:
            ParsingError: it is malformed, which waitress answers with 400.
        """
        # without its end it is the placeholder for a head that is too long
        fault = fault_of(header_plus) if header_plus.endswith(_END) else ""
        if fault:
            raise ParsingError(fault)
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # urlsplit, of a host in brackets that do not close
            raise ParsingError("malformed request line") from error
