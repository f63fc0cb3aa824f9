"""What a proxy's address may look like. Called with the other rules about single values."""

from __future__ import annotations

from urllib.parse import urlsplit

from agent.settings.problems import Both


def proxy_url(value: str) -> Both | None:
    """`http://[user@]host:port` or `socks5://…`; a password belongs into a file."""
    if not value:
        return None
    try:
        url = urlsplit(value)
        host, port = url.hostname, url.port
    except ValueError:
        host = port = None
    if not host or not port:
        return (
            "must be http://host:port or socks5://host:port",
            "应为 http://主机:端口 或 socks5://主机:端口",
        )
    if url.password is not None:
        return (
            "the password belongs into proxy_password_file",
            "密码应放在 proxy_password_file 指定的文件中",
        )
    if url.query or url.fragment or url.path:
        return "nothing may follow the port", "端口后面不能有其他内容"
    return None
