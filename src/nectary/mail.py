"""Mail, by SMTP when a server is set."""

from email.message import EmailMessage

from nectary.settings import Settings


class Undelivered(Exception):
    """The mail server did not take a mail, or could not be reached."""


def configured(settings: Settings) -> bool:
    return bool(settings.smtp_host)


async def send(settings: Settings, to: str, subject: str, text: str) -> None:
    """Hand one plain-text mail to the configured server. Raises Undelivered."""
    import aiosmtplib  # noqa: PLC0415 - few servers send mail, and all of them start

    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = settings.smtp_from, to, subject
    message.set_content(text)
    try:
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
    except (OSError, aiosmtplib.SMTPException) as error:
        raise Undelivered(str(error)) from error
