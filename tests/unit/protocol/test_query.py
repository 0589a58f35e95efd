"""Query strings of the HTTP API. Protocol: §12.1 step 6."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fizz_gevent.errors import ApiError
from fizz_gevent.protocol.query import folded, parse_query


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        ("", []),
        ("a=1", [("a", "1")]),
        ("a=1&b=2", [("a", "1"), ("b", "2")]),
        ("b=2&a=1&b=1", [("b", "2"), ("a", "1"), ("b", "1")]),
        ("a", [("a", "")]),
        ("a=", [("a", "")]),
        ("=1", [("", "1")]),
        ("a=1=2", [("a", "1=2")]),
        ("&a=1&&b=2&", [("a", "1"), ("b", "2")]),
        ("A=1&Auth_Key=X", [("a", "1"), ("auth_key", "X")]),
        ("a=1+2", [("a", "1+2")]),
        ("a=1%202", [("a", "1 2")]),
        ("a=%2B", [("a", "+")]),
        ("a%3Db=%26c", [("a=b", "&c")]),
        ("a=%2541", [("a", "%41")]),  # once
        ("a=%", [("a", "%")]),
        ("a=%zz%4", [("a", "%zz%4")]),
        ("info%5B%5D=x", [("info[]", "x")]),
        ("a=%C3%A9", [("a", "é")]),
        ("a=\xc3\xa9", [("a", "é")]),  # bytes that were not escaped
        ("a=1;b=2", [("a", "1;b=2")]),
        ("?a=1", [("?a", "1")]),
    ],
)
def test_pairs(query: str, pairs: list[tuple[str, str]]) -> None:
    assert parse_query(query) == pairs


@pytest.mark.parametrize("query", ["a=%FF", "%C3=1", "a=\xe9", "a=%ED%A0%80", "a=€"])
def test_what_is_not_utf8(query: str) -> None:
    """Protocol: §12.2, invalid UTF-8 is 400."""
    with pytest.raises(ApiError) as refusal:
        parse_query(query)
    assert refusal.value.status == 400


@pytest.mark.parametrize("piece", ["a=1", "", "a[]=1", "%41"])
def test_there_may_be_a_hundred_parameters(piece: str) -> None:
    parse_query("&".join([piece] * 100))
    with pytest.raises(ApiError) as refusal:
        parse_query("&".join([piece] * 101))
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    ("pairs", "values"),
    [
        ([], {}),
        ([("a", "1"), ("b", "")], {"a": "1", "b": ""}),
        ([("a", "1"), ("a", "2")], {"a": "2"}),
        ([("info[]", "x"), ("info[]", "y")], {"info": "x,y"}),  # Ruby
        ([("info[0]", "x"), ("info[1]", "y")], {"info": "x,y"}),  # PHP
        ([("info[10]", "x"), ("a", "1"), ("info[9]", "y")], {"info": "x,y", "a": "1"}),
        ([("info", "z"), ("info[]", "x")], {"info": "x"}),
        ([("a[b]", "1"), ("[]", "2"), ("a[", "3"), ("a]", "4")], None),
    ],
)
def test_folding(pairs: list[tuple[str, str]], values: dict[str, str] | None) -> None:
    assert folded(pairs) == (dict(pairs) if values is None else values)


@given(st.text(st.characters(max_codepoint=255), max_size=200))
def test_any_query(query: str) -> None:
    try:
        pairs = parse_query(query)
    except ApiError as refusal:
        assert refusal.status == 400
    else:
        for key, value in folded(pairs).items():
            (key + value).encode()  # no lone surrogates, so that an error can name them
