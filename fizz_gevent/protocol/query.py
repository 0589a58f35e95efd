"""The query string of an HTTP API request, as it is signed and as it is understood.

Protocol: §12.1 step 6.
"""

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from fizz_gevent.errors import ApiError

MAX_PARAMETERS = 100

_ARRAY_KEY = re.compile(r"(.+)\[[0-9]*\]", re.DOTALL)


def parse_query(query: str) -> list[tuple[str, str]]:
    """Take a query string apart: keys in lower case, in the order received.

    Percent escapes are decoded once; ``+`` is a plus, because the SDKs send values as they are.

    Args:
        query: As received, one character a byte (latin-1), without the question mark.

    Raises:
        ApiError: 400; more than 100 parameters, or not UTF-8 after decoding.
    """
    pieces = query.split("&", MAX_PARAMETERS)
    if len(pieces) > MAX_PARAMETERS:
        raise ApiError(400, f"More than {MAX_PARAMETERS} query parameters")
    # The escapes are decoded last: an escaped ``&`` or ``=`` separates nothing.
    pairs = [piece.partition("=")[::2] for piece in pieces if piece]
    if "%" in query or not query.isascii():
        pairs = [(_decoded(key), _decoded(value)) for key, value in pairs]
    return [(key.lower(), value) for key, value in pairs]


def folded(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Make one value of each parameter.

    What libraries make of an array, ``k[]=a&k[]=b`` or ``k[0]=a&k[1]=b``, becomes ``k=a,b``. Of
    a key repeated without brackets the last value counts.
    """
    values: dict[str, str] = {}
    arrays: dict[str, list[str]] = {}
    for key, value in pairs:
        array_key = _ARRAY_KEY.fullmatch(key) if key.endswith("]") else None
        if array_key is None:
            values[key] = value
        else:
            arrays.setdefault(array_key[1], []).append(value)
    for key, items in arrays.items():
        values[key] = ",".join(items)
    return values


def _decoded(text: str) -> str:
    try:
        return unquote_to_bytes(text.encode("latin-1")).decode()
    except UnicodeError:
        raise ApiError(400, "The query string is not UTF-8") from None
