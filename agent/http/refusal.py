"""What the server itself answers when a request is not fit to be handed on.

Every answer is `application/problem+json` with a stable `code`. The sentences are fixed: nothing a
client sent is echoed. Who may do what is the handler's business, not decided here.
"""

from __future__ import annotations

from agent.http.message import Response

REASONS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
    507: "Insufficient Storage",
}


class Refusal(Exception):  # noqa: N818 - an answer on its way, not an error of ours
    """The request goes no further; the client is told why and the connection is closed."""

    def __init__(self, status: int, code: str, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.status = status
        self.code = code
        self.what = what
        self.hint = hint

    def response(self) -> Response:
        """The refusal as it goes out."""
        headers = {"content-type": "application/problem+json"}
        if self.status == 503:
            headers["retry-after"] = "1"
        return Response(status=self.status, headers=headers, body=self._body())

    def _body(self) -> bytes:
        # Written out by hand: a leaf imports neither msgspec nor json, and the sentences are ours.
        hint = f',"hint":{_quoted(self.hint)}' if self.hint else ""
        title = REASONS.get(self.status, "Error")
        return (
            f'{{"type":"about:blank","title":{_quoted(title)},"status":{self.status},'
            f'"code":{_quoted(self.code)},"detail":{_quoted(self.what)}{hint}}}\n'
        ).encode()


def malformed(what: str) -> Refusal:
    """400: not HTTP as it should be."""
    return Refusal(400, "request.malformed", what, "Send a well-formed HTTP/1.1 request.")


def ambiguous_length() -> Refusal:
    """400: two statements of where the body ends; behind a proxy that is request smuggling."""
    return Refusal(
        400,
        "request.ambiguous_length",
        "The request states the length of its body in two ways.",
        "Send either content-length or transfer-encoding, once.",
    )


def head_too_large(limit_bytes: int) -> Refusal:
    """431."""
    return Refusal(
        431, "request.head_too_large", f"The request line and headers exceed {limit_bytes} bytes."
    )


def body_too_large(limit_bytes: int) -> Refusal:
    """413."""
    return Refusal(
        413,
        "request.body_too_large",
        f"The body exceeds {limit_bytes} bytes; nothing of it was recorded.",
        "Send less at once.",
    )


def too_slow(part: str, limit_s: float) -> Refusal:
    """408."""
    return Refusal(
        408, "request.timeout", f"The {part} of the request did not arrive within {limit_s:g} s."
    )


def unknown_encoding() -> Refusal:
    """501."""
    return Refusal(501, "request.encoding", "Only the transfer encoding chunked is understood.", "")


def unknown_version() -> Refusal:
    """505."""
    return Refusal(505, "request.version", "Only HTTP/1.1 and HTTP/1.0 are spoken here.")


def full() -> Refusal:
    """503: all slots this peer may have are taken."""
    return Refusal(
        503,
        "server.busy",
        "Too many connections are open.",
        "Close connections that are not needed and try again in a second.",
    )


def stopping() -> Refusal:
    """503."""
    return Refusal(503, "server.stopping", "The agent is stopping.", "Try again in a few seconds.")


def handler_late(limit_s: float) -> Refusal:
    """503: the handler may or may not have done its work."""
    return Refusal(
        503,
        "server.timeout",
        f"No result within {limit_s:g} s: whether the request took effect is unknown.",
        "Repeat it; a payment with the same key is never recorded twice.",
    )


def failed() -> Refusal:
    """500."""
    return Refusal(
        500,
        "server.failed",
        "The agent failed on this request: whether it took effect is unknown.",
        "Repeat it with the same key; the agent's log has the details.",
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
