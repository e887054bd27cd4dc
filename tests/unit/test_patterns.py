"""No pattern of ours takes longer per character the longer the text is, whatever the text."""

import ast
import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest

import deploy
import services
import shared
from services.moderation.screening.text_scan import Folded

ROOT: Final = Path(__file__).parents[2]
SHORT, LONG = 2_000, 8_000
LINEAR: Final = LONG / SHORT
TOO_MUCH: Final = 2 * LINEAR
"""Four times the text takes four times the work where it is linear, sixteen times where it is quadratic."""
NOTHING: Final = 0.001
"""Seconds of work on the long text below which there is nothing to compare."""
UNITS: Final = 90
"""Texts tried with one pattern at most, the short and the long parts of it first."""
ASSEMBLED: Final = {
    ("services/moderation/screening/text_scan.py", "occurrences"): "a campaign's word; tried below",
}
"""Functions that assemble a pattern while they run, so that it is found by nobody."""

parser: Final[Any] = importlib.import_module("re._parser")
codes: Final[Any] = importlib.import_module("re._constants")


def modules() -> Iterator[ModuleType]:
    for package in (services, shared, deploy):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def held(module: ModuleType) -> Iterator[tuple[str, re.Pattern[Any]]]:
    """The patterns that a module, or a class of its own, holds by a name, alone or in a collection."""
    owners = [module, *(each for each in vars(module).values() if isinstance(each, type))]
    for owner in owners:
        if getattr(owner, "__module__", module.__name__) != module.__name__:
            continue
        for name, value in vars(owner).items():
            several = value.values() if isinstance(value, dict) else value
            if isinstance(value, re.Pattern):
                yield f"{module.__name__}.{name}", value
            elif isinstance(several, list | tuple | set | frozenset) or several is not value:
                for number, each in enumerate(several):
                    if isinstance(each, re.Pattern):
                        yield f"{module.__name__}.{name}[{number}]", each


def called(path: Path) -> Iterator[tuple[str, str | bytes | None]]:
    """The patterns that functions of a file hand to `re`, by function; nothing for one that is assembled."""
    for function in ast.walk(ast.parse(path.read_text())):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for call in ast.walk(function):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and isinstance(call.func.value, ast.Name)
                and call.func.value.id == "re"
                and call.func.attr != "escape"
            ):
                given = call.args[0]
                value = given.value if isinstance(given, ast.Constant) else None
                yield function.name, value if isinstance(value, str | bytes) else None


def sources() -> Iterator[Path]:
    for package in (services, shared, deploy):
        yield from sorted(Path(package.__path__[0]).rglob("*.py"))


def ours() -> dict[str, re.Pattern[Any]]:
    found = {name: pattern for module in modules() for name, pattern in held(module)}
    for path in sources():
        for function, value in called(path):
            if value is not None:
                found[f"{path.relative_to(ROOT)}:{function} {value!r}"] = re.compile(value)
    first = {pattern: name for name, pattern in reversed(found.items())}
    return {name: pattern for pattern, name in first.items()}


OURS: Final = ours()


def pieces(tree: Any, alphabet: list[str]) -> Iterator[str]:
    """Short texts that parts of a pattern take: every repeated thing once, and everything up to each point."""
    taken = ""
    for kind, value in tree:
        if kind in {codes.LITERAL, codes.NOT_LITERAL, codes.IN, codes.ANY, codes.CATEGORY}:
            fitting = [each for each in alphabet if fits([(kind, value)], each)]
            marks = [each for each in fitting if not each.isalnum()]
            yield from (*[each for each in fitting if each.isalnum()][:3], *marks)
            taken += fitting[0] if fitting else ""
        elif kind in {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT}:
            least, most, inner = value
            within = list(pieces(inner, alphabet))
            yield from within
            longest = max(within, key=len, default="")
            yield longest * min(most, max(least, 2))
            taken += longest * max(least, 1)
        elif kind is codes.SUBPATTERN:
            within = list(pieces(value[-1], alphabet))
            yield from within
            taken += max(within, key=len, default="")
        elif kind is codes.BRANCH:
            within = []
            for branch in value[1]:
                within = list(pieces(branch, alphabet))
                yield from within
                yield from (taken + each for each in within)
            taken += max(within, key=len, default="")
        if taken:
            yield taken


def fits(tree: Any, character: str) -> bool:
    """Whether a part of a pattern that takes one character takes this one."""
    [(kind, value)] = tree
    point = ord(character)
    if kind is codes.LITERAL:
        return bool(point == value)
    if kind is codes.NOT_LITERAL:
        return bool(point != value)
    if kind is codes.ANY:
        return character != "\n"
    if kind is codes.CATEGORY:
        negated = value.name.startswith("CATEGORY_NOT_")
        letter = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}[value.name.rpartition("_")[2]]
        return (re.match(letter, character) is not None) is not negated
    negated, holds = False, False
    for what, argument in value:
        if what is codes.NEGATE:
            negated = True
        elif what is codes.RANGE:
            holds |= argument[0] <= point <= argument[1]
        else:
            holds |= fits([(what, argument)], character)
    return holds is not negated


def hostile(pattern: re.Pattern[Any]) -> Iterator[Callable[[int], Any]]:
    """Texts of any length made of what the pattern takes, again and again, and then not."""
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    tree = parser.parse(source, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else 0)
    alphabet = sorted(
        {*"a0-. _'/,;:@+(\"\n\t!A\u00e9\u0131", *source}, key=lambda each: (not each.isalnum(), each)
    )
    found = sorted({each for each in pieces(tree, alphabet) if each}, key=len)
    short = [each for each in found if len(each) == 1]
    parts = found if len(found) <= UNITS // 3 else [*found[: UNITS // 6], *found[-UNITS // 6 :]]
    units = dict.fromkeys(
        (*parts, *(a + b for a in short[:4] for b in short[:12]), *(f"{each}\0" for each in parts))
    )
    heads = ("", max(found, key=len, default=""))
    for unit in units:
        for head in heads:
            yield partial(repeated, pattern, head, unit)


def repeated(pattern: re.Pattern[Any], head: str, unit: str, size: int) -> Any:
    return encoded(pattern, (head + unit * size)[:size] + "\0!")


def encoded(pattern: re.Pattern[Any], text: str) -> Any:
    return text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")


def work(look: Callable[[], object], runs: int) -> float:
    """Seconds of this thread's own time; the least of several runs, so that a busy machine adds nothing."""
    least = float("inf")
    for _ in range(runs):
        began = time.thread_time()
        look()
        least = min(least, time.thread_time() - began)
    return least


def grows(look: Callable[[Any], object], text: Callable[[int], Any]) -> float | None:
    """How much more work the long text is than the short one; nothing where it's too little to tell."""
    short, long = text(SHORT), text(LONG)
    once = work(lambda: look(long), 1)
    if once < NOTHING or once < 0.8 * TOO_MUCH * work(lambda: look(short), 1):
        return None
    return min(
        work(lambda: look(long), 2) / max(work(lambda: look(short), 3), NOTHING / TOO_MUCH) for _ in range(2)
    )


def worst(pattern: re.Pattern[Any]) -> tuple[float, str]:
    found = (0.0, "")
    for text in hostile(pattern):
        for look in (lambda given: list(pattern.finditer(given)), pattern.fullmatch):
            grown = grows(look, text)
            if grown is not None and grown > found[0]:
                found = (grown, repr(text(60)))
                if grown > TOO_MUCH:
                    return found
    return found


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_pattern_takes_no_longer_per_character_on_a_longer_text(name: str) -> None:
    grown, text = worst(OURS[name])

    assert grown <= TOO_MUCH, (
        f"{OURS[name].pattern!r} on {text}: {grown:.1f} times the work for {LINEAR} times"
    )


@pytest.mark.parametrize(
    "source",
    [
        r"(?<!\w)[\w'-]+ (?:sok\.|cad\.) \d+",
        r"[\w-]+(?:straße|str\.) ?\d+",
        r"x*y",
        r"\s+$",
        r"(?:ab)+c",
        rb"[0-9a-f]+;",
    ],
)
def test_a_quadratic_pattern_is_told_from_a_linear_one(source: str | bytes) -> None:
    assert worst(re.compile(source))[0] > TOO_MUCH


def test_patterns_are_found_wherever_they_are_kept() -> None:
    assert {
        "services.moderation.screening.text_scan.ADDRESS",
        "shared.text.plain_text.NO_TEXT",
    } <= OURS.keys()


def test_no_function_assembles_a_pattern_that_nobody_tries() -> None:
    found = {
        (str(path.relative_to(ROOT)), function)
        for path in sources()
        for function, value in called(path)
        if value is None
    }

    assert found == ASSEMBLED.keys()


@pytest.mark.parametrize("word", ["aa", "a a", "a-a a", "人人", "-", "a  a"])
@pytest.mark.parametrize("unit", ["a", "a ", "a\t\t", " ", "人", "-", "A-a ", "aaaa a "])
def test_a_word_of_the_campaign_is_looked_for_in_linear_time(word: str, unit: str) -> None:
    grown = grows(
        lambda folded: list(folded.occurrences(word)),
        lambda size: Folded((unit * size)[:size] + "!", "az"),
    )

    assert grown is None or grown <= TOO_MUCH
