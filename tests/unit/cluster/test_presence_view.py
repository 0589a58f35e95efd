"""Whatever is lost, late or told twice, clients hear a consistent history and its true end."""

from collections import Counter, deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fizz_gevent.cluster.presence_view import NO_CHANGE, Change, PresenceView
from fizz_gevent.protocol.envelope import Transition
from fizz_gevent.protocol.members import Member

USERS = ("ann", "bob", "cid", "dan")
ME = "me"
"""Somebody here who stays: without a member here there is no view."""


def came(previous: int, latest: int, user_id: str, info: bytes = b"{}") -> Transition:
    return Transition(previous, latest, user_id, info)


def went(previous: int, latest: int, user_id: str) -> Transition:
    return Transition(previous, latest, user_id, None)


def view_of(latest: int, *user_ids: str) -> PresenceView:
    view = PresenceView()
    view.merge(latest, dict.fromkeys(user_ids, b"{}"), ())
    return view


def test_transitions_in_a_row_are_taken_over_and_repeated_ones_are_not() -> None:
    view = view_of(3, "me")
    assert view.apply(came(3, 5, "ann"), ()) == Change(added=(Member("ann", b"{}"),))
    assert view.apply(came(3, 5, "ann"), ()) == NO_CHANGE
    assert view.apply(went(5, 6, "ann"), ()) == Change(removed=("ann",))
    assert view.apply(came(3, 5, "ann"), ()) == NO_CHANGE
    assert (set(view.infos), view.latest) == ({"me"}, 6)


def test_a_gap_asks_for_a_roster_and_the_roster_tells_the_difference() -> None:
    view = view_of(3, "me", "bob")
    assert view.apply(came(7, 9, "ann"), ()) is None
    assert (view.latest, view.heard) == (3, 9)
    change = view.merge(9, {"me": b"{}", "ann": b"1"}, ())
    assert change == Change(added=(Member("ann", b"1"),), removed=("bob",))
    assert view.merge(4, {"me": b"{}", "bob": b"{}"}, ()) == NO_CHANGE, "it is older"


def test_who_is_here_is_never_gone_though_this_node_was_given_up() -> None:
    view = view_of(3, "me", "ann")
    assert view.apply(went(3, 4, "ann"), {"me", "ann"}) == NO_CHANGE
    assert view.merge(5, {}, {"me", "ann"}) == NO_CHANGE
    assert set(view.infos) == {"me", "ann"}


def test_alone_only_those_go_whom_nobody_else_can_have() -> None:
    view = view_of(3, "me", "ann")
    assert view.add_alone(Member("bob")) == Change(added=(Member("bob"),))
    assert view.add_alone(Member("ann", b"2")) == NO_CHANGE
    assert view.remove_alone("ann") == NO_CHANGE, "they may be elsewhere too"
    assert view.remove_alone("bob") == Change(removed=("bob",))
    assert view.remove_alone("bob") == NO_CHANGE


def test_after_a_loss_of_data_nobody_is_missed_until_all_have_spoken() -> None:
    view = view_of(90, "me", "ann", "bob")
    view.restart()
    assert view.merge(1, {"me": b"{}"}, {"me"}) == NO_CHANGE
    assert view.apply(came(1, 2, "ann"), {"me"}) == NO_CHANGE
    assert view.settle()
    assert view.merge(2, {"me": b"{}", "ann": b"{}"}, {"me"}) == Change(removed=("bob",))
    assert not view.settle()


class Room(RuleBasedStateMachine):
    """A channel in Redis, a view of it on one node, and a client that believes what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.view = PresenceView()
        self.client: set[str] = set()
        # Redis
        self.told: Counter[str] = Counter()  # what this node holds, as Redis believes
        self.elsewhere: Counter[str] = Counter()
        self.absent: Counter[str] = Counter()  # held by others who have not said so in this life
        self.infos: dict[str, bytes] = {}
        self.number = self.latest = 0
        # On the way
        self.bus: deque[Transition] = deque()
        self.past: list[Transition] = []
        self.answers: deque[tuple[int, dict[str, bytes]]] = deque()
        # This node
        self.held: Counter[str] = Counter()
        self.is_away = False
        self.is_known = True
        self.is_settling = False

    @initialize()
    def enter(self) -> None:
        self.held[ME] += 1
        self._tell(ME)

    # Redis

    def _count(self, user: str) -> int:
        return self.told[user] + self.elsewhere[user]

    def _set(self, where: Counter[str], user: str, count: int) -> None:
        """One script: a count, and a transition where it matters."""
        before = self._count(user)
        where[user] = count
        now = self._count(user)
        if now:
            self.number += not before
            self.infos.setdefault(user, b'{"n":%d}' % self.number)
        else:
            self.infos.pop(user, None)
        if bool(before) == bool(now):
            return
        self.number += 2  # numbers have gaps: other channels use them too
        transition = Transition(self.latest, self.number, user, self.infos[user] if now else None)
        self.latest = self.number if self.infos else 0
        self.bus.append(transition)
        self.past.append(transition)
        self._newest = self.number

    def _roster(self) -> tuple[int, dict[str, bytes]]:
        return self.latest, dict(self.infos)

    def _tell(self, user: str) -> None:
        self._set(self.told, user, self.held[user])
        self.answers.append(self._roster())

    # The node

    def _hear(self, change: Change | None) -> None:
        if change is None:
            self.answers.append(self._roster())  # it asks
            return
        for user in change.removed:
            assert user in self.client, f"{user} removed though absent"
            self.client.remove(user)
        for member in change.added:
            assert member.user_id not in self.client, f"{member.user_id} added twice"
            self.client.add(member.user_id)

    @property
    def _holders(self) -> set[str]:
        return {user for user, count in self.held.items() if count}

    @property
    def _can_tell(self) -> bool:
        return not self.is_away and self.is_known

    @rule(user=st.sampled_from(USERS))
    def somebody_joins_here(self, user: str) -> None:
        self.held[user] += 1
        if self._can_tell:
            self._tell(user)
        else:
            self._hear(self.view.add_alone(Member(user)))

    @rule(user=st.sampled_from(USERS))
    def somebody_leaves_here(self, user: str) -> None:
        if not self.held[user]:
            return
        self.held[user] -= 1
        if self._can_tell:
            self._tell(user)
        elif not self.held[user]:
            self._hear(self.view.remove_alone(user))

    @rule(user=st.sampled_from(USERS))
    def somebody_joins_elsewhere(self, user: str) -> None:
        self._set(self.elsewhere, user, self.elsewhere[user] + 1)

    @rule(user=st.sampled_from(USERS))
    def somebody_leaves_elsewhere(self, user: str) -> None:
        if self.elsewhere[user]:
            self._set(self.elsewhere, user, self.elsewhere[user] - 1)

    @precondition(lambda self: self.bus)
    @rule()
    def the_bus_brings_one(self) -> None:
        self._hear(self.view.apply(self.bus.popleft(), self._holders))

    @precondition(lambda self: self.bus)
    @rule()
    def the_bus_loses_one(self) -> None:
        self.bus.popleft()

    @precondition(lambda self: self.past)
    @rule(data=st.data())
    def an_old_one_comes_again(self, data: st.DataObject) -> None:
        self._hear(self.view.apply(data.draw(st.sampled_from(self.past)), self._holders))

    @precondition(lambda self: self.answers)
    @rule()
    def an_answer_comes(self) -> None:
        self._hear(self.view.merge(*self.answers.popleft(), self._holders))

    @precondition(lambda self: self.is_known and not self.is_away)
    @rule()
    def the_others_take_this_node_for_dead(self) -> None:
        self.is_known = False
        for user in list(self.told):
            if self.told[user]:
                self._set(self.told, user, 0)

    @precondition(lambda self: not self.is_away)
    @rule()
    def redis_goes_away(self) -> None:
        self.is_away = True
        self.answers.clear()

    @rule()
    def this_node_synchronises(self) -> None:
        self.is_away, self.is_known = False, True
        for user in {*self._holders, *self.told}:
            self._tell(user)

    @rule()
    def redis_loses_its_data(self) -> None:
        for where in (self.elsewhere, self.told):
            for user, count in where.items():
                if where is self.elsewhere:
                    self.absent[user] += count
            where.clear()
        self.infos.clear()
        self.number = self.latest = 0
        self.bus.clear()
        self.past.clear()
        self.answers.clear()
        self.view.restart()
        self.is_settling = True
        self.this_node_synchronises()

    @precondition(lambda self: +self.absent)
    @rule(data=st.data())
    def another_node_says_whom_it_holds(self, data: st.DataObject) -> None:
        user = data.draw(st.sampled_from(sorted(+self.absent)))
        self._set(self.elsewhere, user, self.elsewhere[user] + self.absent.pop(user))

    @precondition(lambda self: self.is_settling and not +self.absent)
    @rule()
    def the_time_to_speak_is_over(self) -> None:
        self.is_settling = False
        if self.view.settle():
            self.answers.append(self._roster())

    @invariant()
    def the_view_is_what_the_client_believes(self) -> None:
        assert set(self.view.infos) == self.client

    def teardown(self) -> None:
        for user in list(+self.absent):
            self._set(self.elsewhere, user, self.elsewhere[user] + self.absent.pop(user))
        self.this_node_synchronises()
        if self.is_settling:
            self.view.settle()
        self.answers.append(self._roster())
        while self.answers:
            self.an_answer_comes()
        assert self.client == {user for user in (*USERS, ME) if self._count(user)}
        assert self.view.infos == self.infos
        for transition in self.past:
            assert self.view.apply(transition, self._holders) == NO_CHANGE


TestRoom = Room.TestCase
TestRoom.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)
