"""Which application a command speaks for."""

import pytest

from fizz_gevent.application import Application
from fizz_gevent.client.choice import choose
from fizz_gevent.errors import ConfigError

ONE, TWO = Application("1", "k1", "s1"), Application("2", "k2", "s2")


def test_the_only_one_needs_no_name_and_several_do() -> None:
    assert choose([ONE], None) is ONE
    assert choose([ONE], "1") is ONE
    assert choose([ONE, TWO], "2") is TWO


@pytest.mark.parametrize(
    ("applications", "app_id", "reason"),
    [
        ([], None, "no application is configured; set FIZZ_APP_ID"),
        ([], "1", "no application is configured"),
        ([ONE, TWO], None, "several applications are configured; say which with --app: 1, 2"),
        ([ONE, TWO], "3", "--app: no application has the id '3'; there is 1, 2"),
    ],
)
def test_it_is_never_guessed(
    applications: list[Application], app_id: str | None, reason: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        choose(applications, app_id)
    assert str(refused.value).startswith(reason)
