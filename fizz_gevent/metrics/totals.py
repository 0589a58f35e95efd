"""What all workers together have to tell, though they come and go."""

from collections.abc import Collection, Iterable, Mapping

from fizz_gevent.metrics.figures import Figures, Labels


def _of_each(figures: Figures) -> Iterable[Labels]:
    """Labels of a metric that every application has, from its beginning to its end."""
    return figures.values.get("fizz_connections", ())


class Totals:
    """Sums figures of processes so that no counter ever falls.

    To whoever reads it, a counter that falls has begun anew at zero, and what is left of it is
    taken for new. So what a worker counted stays in the sum after its end, and while it is silent
    as it was last heard of. What was counted of an application ends with the application.
    """

    def __init__(self) -> None:
        self._latest: dict[str, Figures] = {}
        self._ended = Figures()
        self._silent_count = 0

    def sum(self, answers: Mapping[str, Figures], silent: Collection[str]) -> Figures:
        """What is told now.

        Args:
            answers: By a name that no two processes ever share.
            silent: Names of processes that are there and have not answered; what such a one has
                now is left out.
        """
        for name in [name for name in self._latest if name not in answers and name not in silent]:
            self._ended.add(self._latest.pop(name).counted())
        self._latest.update(answers)
        if answers and not silent:
            served = {labels[0] for each in answers.values() for labels in _of_each(each)}
            self._ended.forget_applications(except_for=served)
        self._silent_count += len(silent)
        together = Figures()
        together.add(self._ended)
        for figures in answers.values():
            together.add(figures)
        for name in silent:
            if name in self._latest:
                together.add(self._latest[name].counted())
        together.set("fizz_workers", len(answers))
        together.set("fizz_silent_workers_total", self._silent_count)
        return together
