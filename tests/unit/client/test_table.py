"""Text for terminals."""

from fizz_gevent.client.table import aligned, counted, plain


def test_columns_stand_below_each_other() -> None:
    rows = [("CHANNEL", "USERS"), ("a", "12"), ("presence-room", "-")]
    assert aligned(rows, right=(1,)) == [
        "CHANNEL        USERS",
        "a                 12",
        "presence-room      -",
    ]
    assert aligned([("a", "b"), ("ccc", "")]) == ["a    b", "ccc"]


def test_what_others_publish_cannot_play_with_the_terminal() -> None:
    assert plain("grüße, 你好 {}") == "grüße, 你好 {}"
    assert plain("\x1b[2Jx\r\n\x07\x9b31m") == "\\x1b[2Jx\\r\\n\\x07\\x9b31m"
    assert plain("a\u202eb") == "a\\u202eb"


def test_nouns_agree() -> None:
    assert [counted(n, "user") for n in (0, 1, 2)] == ["0 users", "1 user", "2 users"]
