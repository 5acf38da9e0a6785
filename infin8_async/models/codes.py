"""What the platform's codes mean. A value that is none of these stays the text that it was."""

from enum import StrEnum


class CallDirection(StrEnum):
    """Which way a call went (the platform's `context`)."""

    INCOMING = "callin"
    OUTGOING = "callout"


class CallMethod(StrEnum):
    """
    How a call was set up (the platform's `callmethod`).

    Attributes:
        UNLIMITED: Any method. Only useful as a filter.

        EXTENSION: Between extensions.

        MANUAL: Dialled by hand from an extension.

        API: Started through the platform's interface.

        DOUBLE: A double call through the interface: the platform calls side a first, then the called number.

        PREDICTIVE: A predictive outbound call.

        IVR: A voice menu or a group call.
    """

    UNLIMITED = "0"
    EXTENSION = "1"
    MANUAL = "2"
    API = "3"
    DOUBLE = "4"
    PREDICTIVE = "5"
    IVR = "6"


class HangupDirection(StrEnum):
    """
    Who or what ended a call: the known values of the platform's `hangupdirection`.

    Sources: the platform's page for `/api/cdrs` has only `"callee"`, in its example. The codes are those of its sibling
    interface, as a public program of one of its users names them. The documents of that interface also have 10015 and
    10020, and say nothing of their meaning.

    A member equals the platform's text, so `cdr.hangupdirection == HangupDirection.BUSY` works as it is.

    Attributes:
        CALLEE: The called side hung up.

        CALLER: The calling side hung up; in no document, but the counterpart of `"callee"`.

        REJECTED: The call was rejected.

        LINE_FAILURE: The line failed.

        USER_DID_NOT_ANSWER: The user did not answer.

        BUSY: The line was busy.

        UNREACHABLE: The number can't be reached.

        NO_ANSWER: No answer.

        CALLER_HUNG_UP: The caller hung up.

        CALLED_PARTY_HUNG_UP: The called party hung up.
    """

    CALLEE = "callee"
    CALLER = "caller"
    REJECTED = "10003"
    LINE_FAILURE = "10004"
    USER_DID_NOT_ANSWER = "10005"
    BUSY = "10006"
    UNREACHABLE = "10009"
    NO_ANSWER = "10016"
    CALLER_HUNG_UP = "10040"
    CALLED_PARTY_HUNG_UP = "10041"
