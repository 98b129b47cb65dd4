"""Mail that outlives its server: a mail is a job, which a worker hands to the mail server.

``Backend`` is what the site sends with; it only writes the job. A try that fails is made again
later and later for two days (``models.Mail``). What a mail says is kept enciphered, because it may
be a link that opens an account, and is forgotten once the mail is sent or given up.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import smtplib
from collections.abc import Callable, Sequence
from contextlib import suppress
from email.utils import make_msgid
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.core.mail import DNS_NAME, EmailMessage, EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.crypto import salted_hmac

from modalities.jobs import JobFailed, JobRefused
from pwmsite.models import Mail

PARTS = ("subject", "body", "from_email", "to", "cc", "bcc", "reply_to")
PERMANENT = 500  # SMTP replies from here on will not change (RFC 5321, section 4.2.1)


class Backend(BaseEmailBackend):
    """Django's way to send mail: write a job for each, which a worker sends."""

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        for message in messages:
            Mail.objects.enqueue(letter=seal(message))
        return len(messages)


def name_the_site() -> None:
    """Give mails the site's name, not the machine's, in Message-ID and greeting (EHLO)."""
    host = urlsplit(settings.PWM_SITE_URL).hostname or ""
    with suppress(ValueError):
        ipaddress.ip_address(host)
        return  # at home: the machine's own name is better than a number
    DNS_NAME._fqdn = host  # Django has no setting for it


def seal(message: EmailMessage) -> str:
    """Turn a mail into the enciphered text that a job keeps; its Message-ID is chosen here.

    Raise ValueError for a mail with attachments, which this site does not send.
    """
    if message.attachments:
        raise ValueError("Mails with attachments are not queued.")
    letter: dict[str, Any] = {part: getattr(message, part) for part in PARTS}
    letter["headers"] = {"Message-ID": make_msgid(domain=str(DNS_NAME)), **message.extra_headers}
    letter["alternatives"] = [list(one) for one in getattr(message, "alternatives", ())]
    return _cipher().encrypt(json.dumps(letter, default=str).encode()).decode()


def unseal(letter: str) -> EmailMultiAlternatives:
    """Read what ``seal`` wrote; raise InvalidToken when PWM_SECRET_KEY is another one by now."""
    parts = json.loads(_cipher().decrypt(letter.encode()))
    alternatives = [tuple(one) for one in parts.pop("alternatives")]
    return EmailMultiAlternatives(**parts, alternatives=alternatives)


def send(mail: Mail, report: object) -> Callable[[], None]:
    """Hand a mail to the server; refuse the job where another try cannot help.

    No message of an error names the person or repeats the server's words, which may do so.
    """
    try:
        message = unseal(mail.letter)
    except InvalidToken:
        raise JobRefused("secret_key", "PWM_SECRET_KEY has changed since this mail.") from None
    try:
        get_connection(settings.PWM_MAIL_BACKEND).send_messages([message])
    except (smtplib.SMTPException, OSError) as error:
        name, codes = type(error).__name__, _codes(error)
        if codes and min(codes) >= PERMANENT:
            raise JobRefused(
                "refused", f"The mail server refused the mail ({name}, {codes[0]})."
            ) from None
        raise JobFailed(
            "mail_server", f"The mail server did not take the mail ({name}); it is sent again."
        ) from None
    return lambda: None


def _codes(error: Exception) -> list[int]:
    """Give the replies to this mail, and none where the server or its settings are the trouble."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return [code for code, _ in error.recipients.values()]
    return [error.smtp_code] if isinstance(error, smtplib.SMTPDataError) else []


def _cipher() -> Fernet:
    key = salted_hmac("pwmsite.mail", "letter", algorithm="sha256").digest()
    return Fernet(base64.urlsafe_b64encode(key))
