"""Codes of an authenticator app (RFC 6238: SHA-1, six digits, thirty seconds)."""

import base64
import hmac
import struct
import time


def code(secret: str, step: int = 0) -> str:
    """Give the code of now, or of so many steps later."""
    counter = struct.pack(">Q", int(time.time()) // 30 + step)
    digest = hmac.digest(base64.b32decode(secret), counter, "sha1")
    start = digest[-1] & 15
    number = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**6:06d}"
