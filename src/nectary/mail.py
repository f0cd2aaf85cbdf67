"""Mail, by SMTP when a server is set."""

from email.message import EmailMessage

import aiosmtplib

from nectary.settings import Settings


def configured(settings: Settings) -> bool:
    return bool(settings.smtp_host)


async def send(settings: Settings, to: str, subject: str, text: str) -> None:
    """Hand one plain-text mail to the configured server. Raises aiosmtplib.SMTPException or OSError."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = settings.smtp_from, to, subject
    message.set_content(text)
    await aiosmtplib.send(
        message,
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_username or None,
        password=settings.smtp_password.get_secret_value() or None,
        use_tls=settings.smtp_tls == "tls",
        start_tls=settings.smtp_tls == "starttls",
        timeout=10,
    )
