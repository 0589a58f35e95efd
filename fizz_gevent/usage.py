"""Which command lines the usage text allows, and what is wrong with the others.

docopt prints the usage and no reason where it does not accept something. This reads the same text
and says the reason, so that the text stays the only place that knows the commands.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_NO_COMMAND = "a command is missing"


@dataclass(frozen=True, slots=True)
class Form:
    """One way to call ``fizz``, as one line of the usage text has it.

    Attributes:
        words: The command, and what is chosen within it: ``("apps", "list")``.
        needed: The names of the arguments that must be there, in their order.
        most: How many arguments there may be; None is no limit.
        options: Each option, and whether it takes a value.
        required: The options that must be given.
    """

    words: tuple[str, ...]
    needed: tuple[str, ...]
    most: int | None
    options: dict[str, bool]
    required: tuple[str, ...]

    @property
    def name(self) -> str:
        """What a person calls it."""
        return " ".join(self.words)


def misuse(usage: str, words: Sequence[str]) -> str | None:
    """Why these words of a command line are not accepted; None where they are.

    Options are taken in full only: an abbreviation that works today may mean two things tomorrow.
    """
    forms = list(_forms(usage))
    everything = {name: value for form in forms for name, value in form.options.items()}
    everything["--version"] = False
    plain: list[str] = []
    seen: set[str] = set()
    rest = iter(words)
    for word in rest:
        if not word.startswith("-") or word == "-":
            if not plain and word not in {form.words[0] for form in forms}:
                return _unknown(word, [form.words[0] for form in forms], "command")
            plain.append(word)
            continue
        name, equals, _ = word.partition("=")
        if name not in everything:
            if not name.startswith("--"):
                return f"unknown option {name!r}"
            return _unknown(name, [*everything, "--help"], "option")
        if name in seen:
            return f"{name} is given twice"
        seen.add(name)
        if not everything[name]:
            if equals:
                return f"{name} takes no value"
        elif not equals and next(rest, None) is None:
            return f"{name} needs a value"
    if not plain:
        return None if seen == {"--version"} else _NO_COMMAND
    return _misuse_of_command([form for form in forms if form.words[0] == plain[0]], plain, seen)


def _misuse_of_command(forms: list[Form], plain: list[str], seen: set[str]) -> str | None:
    matching = [form for form in forms if form.words == tuple(plain[: len(form.words)])]
    if not matching:
        choices = [form.words[1] for form in forms]
        if len(plain) == 1:
            return f"{plain[0]!r} needs one of {', '.join(choices)}"
        return _unknown(plain[1], choices, f"command of {plain[0]!r}:")
    form = max(matching, key=lambda form: len(form.words))
    arguments = plain[len(form.words) :]
    if form.most is not None and len(arguments) > form.most:
        return f"unexpected {arguments[form.most]!r} after {form.name!r}"
    if len(arguments) < len(form.needed):
        return f"{form.name!r} needs {_article(form.needed[len(arguments)])}"
    for name in sorted(seen):
        if name not in form.options:
            return f"{form.name!r} does not take {name}"
    for name in form.required:
        if name not in seen:
            return f"{form.name!r} needs {name}"
    return None


def _forms(usage: str) -> Iterator[Form]:
    text = usage.partition("Usage:\n")[2].partition("\n\n")[0]
    for line in re.split(r"^  fizz ", text, flags=re.MULTILINE)[1:]:
        words = re.match(r"[a-z]+(?: [a-z]+)*\b", line)
        if words is None:
            continue
        always = re.sub(r"\[[^]]*\]", "", line)
        arguments = re.findall(r"(?<![=A-Z])([A-Z]+)\b(\.\.\.)?", line)
        yield Form(
            words=tuple(words[0].split()),
            needed=tuple(re.findall(r"(?<![=A-Z])([A-Z]+)\b", always)),
            most=None if any(dots for _, dots in arguments) else len(arguments),
            options={name: bool(value) for name, value in re.findall(r"(--[a-z-]+)(=?)", line)},
            required=tuple(re.findall(r"--[a-z-]+", always)),
        )


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def _unknown(name: str, known: Sequence[str], what: str) -> str:
    from fizz_gevent.node import unknown  # which loads YAML: only on the way out

    return unknown(name, known, what=what)
