"""What can go wrong, grouped by what the worker does next; a class's docstring is its message."""

from __future__ import annotations


class ArsyncError(Exception):
    """Something in arsync failed."""

    def __init__(self, detail: str = "") -> None:
        message = (type(self).__doc__ or "").strip().splitlines()[0]
        super().__init__(f"{message.rstrip('.')}: {detail}" if detail else message)
        self.detail = detail


# --- a person changes the configuration or the command (exit status 2) ------------------------------


class ConfigurationError(ArsyncError):
    """The configuration is wrong."""


class UsageError(ArsyncError):
    """The command was used wrongly."""

    def __init__(self, detail: str = "", *, field: str | None = None) -> None:
        """`field` is what of a form it is about, where it is about one thing."""
        super().__init__(detail)
        self.field = field


class TemplateError(ConfigurationError):
    """A message template is wrong."""


class SchemaMismatch(ConfigurationError):
    """The database is at another schema than this arsync."""


# --- the machine under it fails (exit status 1) --------------------------------------------------------


class DatabaseUnusable(ArsyncError):
    """The database cannot be used."""


class Damaged(ArsyncError):
    """The data are not what they were."""


# --- another process works (exit status 3) -----------------------------------------------------------


class Locked(ArsyncError):
    """Another run holds the lock."""


class Stopped(Locked):
    """This process was told to stop; what is left is another's to do."""


# --- what a connector or a channel says; the worker acts on the class ---------------------------------


class ConnectorError(ArsyncError):
    """The accounting system or the mail provider did not do what was asked."""


class RetryLater(ConnectorError):
    """The service asks to come back later; nothing was done."""

    def __init__(self, detail: str = "", *, after: float = 60.0) -> None:
        super().__init__(detail)
        #: seconds to wait before the next try, as the service asked or by its documented default
        self.after = after


class Deferred(RetryLater):
    """The recipient's side takes this one message later; nothing was done."""


class Reauthorise(ConnectorError):
    """The consent has ended: a person must connect again."""


class NotCovered(Reauthorise):
    """The consent does not cover this company: a person must connect it."""


class Rejected(ConnectorError):
    """The service refused the request for good; nothing was done."""


class Barred(Rejected):
    """The service does not let us in: a person must correct the key or the account; nothing was done."""


class Abnormal(ConnectorError):
    """The data look abnormal: a person must look before anything is believed."""


class Stale(ConnectorError):
    """The document changed in the source since it was read."""


class Gone(ConnectorError):
    """The source does not know this document any more."""


class OutcomeUnknown(ConnectorError):
    """The request was sent, and nobody knows whether it had its effect."""


class Malformed(ConnectorError):
    """The answer is not what the service documents."""


class Unverified(ConnectorError):
    """The message does not carry its vendor's signature."""


# --- stages ---------------------------------------------------------------------------------------------


class Refused(ArsyncError):
    """The last gate refused the message."""


class NotFound(ArsyncError):
    """There is no such thing."""


class Ambiguous(ArsyncError):
    """The name fits more than one thing."""
