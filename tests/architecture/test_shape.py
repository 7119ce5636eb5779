"""The size budget and the habits of the code, counted. CONTRIBUTING.md gives the reasons."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles

import channels
from campaigns.vocabulary import CampaignStep
from notify.vocabulary import Step
from tests.architecture.tree import (
    APPS,
    ROOT,
    Function,
    Source,
    body_length,
    decorators,
    imports,
    length,
    product,
    suite,
    words,
)

FUNCTION_LINES, MODULE_LINES, TASK_LINES, TEST_LINES = 40, 400, 12, 40
#: A thing that is called so has not been named yet.
NO_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "handler", "info"}
#: As a verb it says nothing; as a noun it is what an operating system runs.
NO_VERB = "process"
#: Names that Django looks for.
THEIR_NAMES = {"handler400", "handler403", "handler404", "handler500"}
#: Says by itself why: a library without types was called. Every other directive needs words.
SELF_EXPLAINING = "type: ignore[no-untyped-call]"
REASON = re.compile(r"(?:# noqa: [A-Z0-9, ]+|# type: ignore\[[a-z, -]+\])(?P<reason>.*)")


def nothing(found: Sequence[str]) -> None:
    """Shows every place, not the first."""
    assert not found, "\n".join(["", *found])


def p90(sizes: Sequence[int]) -> float:
    return quantiles(sizes, n=10)[-1]


def sized(sources: Sequence[Source]) -> list[tuple[int, str]]:
    return [(length(node), f"{source.at(node)} {node.name}") for source in sources for node in source.functions()]


def cases() -> Iterator[tuple[Source, Function]]:
    """Every test function there is."""
    for source in suite():
        if source.path.name.startswith("test_"):
            yield from ((source, node) for node in source.functions() if node.name.startswith("test_"))


def test_no_function_is_longer_than_forty_lines() -> None:
    nothing([f"{where}: {size}" for size, where in sized(product()) if size > FUNCTION_LINES])


def test_most_functions_are_far_shorter_than_the_limit() -> None:
    sizes = [size for size, _ in sized(product())]
    assert median(sizes) <= 8
    assert p90(sizes) <= 22


def test_no_module_is_longer_than_four_hundred_lines() -> None:
    nothing([f"{source.name}: {source.lines}" for source in product() if source.lines > MODULE_LINES])


def test_most_modules_are_far_shorter_than_the_limit() -> None:
    sizes = [source.lines for source in product() if source.lines > 1]
    assert median(sizes) <= 110
    assert p90(sizes) <= 250


def test_a_task_names_a_verb_and_does_little_else() -> None:
    tasks = [(s, node) for s in product() for node in s.functions() if {"shared_task", "task"} & set(decorators(node))]
    assert len(tasks) >= len(Step)
    nothing([f"{s.at(node)}: {body_length(node)}" for s, node in tasks if body_length(node) > TASK_LINES])


def test_every_step_has_exactly_one_task_and_no_task_is_without_a_step() -> None:
    named = [
        ast.unparse(keyword.value)
        for source in product()
        for node in source.functions()
        for call in node.decorator_list
        if isinstance(call, ast.Call) and "task" in ast.unparse(call.func)
        for keyword in call.keywords
        if keyword.arg == "name"
    ]
    assert sorted(named) == sorted(f"{type(step).__name__}.{step.name}.value" for step in (*Step, *CampaignStep))


def test_no_test_function_is_longer_than_forty_lines() -> None:
    nothing([f"{s.at(node)}: {length(node)}" for s, node in cases() if length(node) > TEST_LINES])


def test_most_test_functions_are_far_shorter_than_the_limit() -> None:
    sizes = [length(node) for _, node in cases()]
    assert median(sizes) <= 12
    assert p90(sizes) <= 25


def test_every_test_is_named_with_a_sentence_of_four_words_or_more() -> None:
    nothing([f"{s.at(node)} {node.name}" for s, node in cases() if len(node.name.split("_")) < 5])


def test_our_own_code_is_imported_at_the_top_of_a_module() -> None:
    found = [
        source.at(statement)
        for source in product()
        for function in source.functions()
        if (source.path.name, function.name) != ("apps.py", "ready")
        for statement, name in imports(function)
        if name.split(".")[0] in APPS
    ]
    nothing(found)


def test_everything_says_what_it_returns() -> None:
    bare = [f"{s.at(node)} {node.name}" for s in (*product(), *suite()) for node in s.functions() if not node.returns]
    nothing(bare)


def test_everything_public_has_a_docstring() -> None:
    nothing([where for source in product() for where in undocumented(source)])


def undocumented(source: Source) -> Iterator[str]:
    """Public things without a sentence. Django names the parts of a management command, and an overload has none."""
    if source.text and not ast.get_docstring(source.tree):
        yield source.at(1)
    if "commands" in source.path.parts:
        return
    classes = (node for node in source.tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_"))
    bodies = (source.tree.body, *(node.body for node in classes))
    for node in (node for body in bodies for node in body if isinstance(node, Function | ast.ClassDef)):
        is_public = not node.name.startswith("_") and node.name != "Meta" and "overload" not in decorators(node)
        if is_public and not ast.get_docstring(node):
            yield f"{source.at(node)} {node.name}"


def test_nothing_is_named_like_a_drawer_for_leftovers() -> None:
    named = [(source.name, source.path.stem) for source in product()]
    for source in product():
        nodes = (node for node in ast.walk(source.tree) if isinstance(node, Function | ast.ClassDef))
        named += [(source.at(node), node.name) for node in nodes if node.name not in THEIR_NAMES]
    nothing([f"{where} {name}" for where, name in named if NO_NAMES & set(words(name)) or words(name)[:1] == [NO_VERB]])


def test_whoever_catches_everything_says_why() -> None:
    nothing([where for source in (*product(), *suite()) for where in wide_catches(source)])


def wide_catches(source: Source) -> Iterator[str]:
    """Handlers of everything without a comment; one that cleans up and raises again explains itself."""
    comments = source.comments()
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = "Exception" if node.type is None else ast.unparse(node.type)
        last = node.body[-1]
        goes_on = not (isinstance(last, ast.Raise) and last.exc is None)
        lines = range(node.lineno - 1, (last.end_lineno or last.lineno) + 1)
        if re.search(r"\b(Base)?Exception\b", caught) and goes_on and not any(line in comments for line in lines):
            yield source.at(node)


def test_whoever_silences_a_checker_says_why() -> None:
    silent = [
        source.at(line)
        for source in (*product(), *suite())
        for line, comment in source.comments().items()
        if is_unreasoned(comment, source.comments().get(line - 1, ""))
    ]
    nothing(silent)


def is_unreasoned(comment: str, above: str) -> bool:
    """The reason stands behind the directive, or as a comment of its own on the line above."""
    directive = REASON.search(comment)
    if directive is None or SELF_EXPLAINING in comment:
        return False
    return len(directive["reason"].strip(" -#")) < 4 and len(above) < 6


def test_channels_is_our_package_and_not_the_one_on_pypi() -> None:
    assert Path(channels.__file__ or "").parent == ROOT / "channels"


def test_docker_is_a_folder_of_files_and_no_package() -> None:
    assert list((ROOT / "docker").rglob("__init__.py")) == []
