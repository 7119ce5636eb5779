"""The documents against the code: what can be compared is compared, so that no page lies for long."""

from __future__ import annotations

import ast
import re
from enum import StrEnum
from functools import cache
from pathlib import Path

import pytest

import campaigns.vocabulary
import celeryconfig
import channels.vocabulary
import notify.vocabulary
import preferences.vocabulary
from campaigns.rules.transitions import ALLOWED
from campaigns.vocabulary import CampaignStatus
from channels.vocabulary import Channel
from notify.rules.decision import ORDER
from notify.rules.lifecycle import FINAL, NEXT
from notify.vocabulary import DeliveryStatus, NotificationStatus, PageStep, Priority
from tests.architecture.tree import ROOT, read

VOCABULARIES = (channels.vocabulary, preferences.vocabulary, notify.vocabulary, campaigns.vocabulary)
#: Everything a person is expected to read.
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
CELL = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


@cache
def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next one."""
    return re.split(r"^#", text.split(f"{heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def enums() -> dict[str, set[str]]:
    """The members of each enum of the vocabularies."""
    return {
        name: {str(member) for member in kind}
        for vocabulary in VOCABULARIES
        for name, kind in vars(vocabulary).items()
        if isinstance(kind, type) and issubclass(kind, StrEnum) and kind is not StrEnum
    }


def test_the_glossary_explains_every_word_of_the_vocabularies_and_no_other() -> None:
    parts = re.split(r"^### ", page("docs/glossary.md"), flags=re.MULTILINE)[1:]
    explained = {part.split("`")[1]: set(CELL.findall(part)) for part in parts}
    assert explained == enums()


def test_the_lifecycle_drawing_has_the_edges_of_the_table() -> None:
    drawn = re.findall(r"^ +(\w+) --> (\w+)", page("docs/lifecycle.md"), flags=re.MULTILINE)
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == {(str(before), str(after)) for before, following in NEXT.items() for after in following}


def test_the_lifecycle_page_names_the_final_statuses() -> None:
    sentence = page("docs/lifecycle.md").split("Final are ")[1].split(";")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == {str(status) for status in FINAL}


def test_statuses_that_end_the_drawing_are_those_nothing_follows() -> None:
    ends = re.findall(r"^ +(\w+) --> \[\*\]", page("docs/lifecycle.md"), flags=re.MULTILINE)
    assert set(ends) == {str(status) for status, following in NEXT.items() if not following}


def test_the_drawing_of_campaigns_has_the_edges_of_the_table() -> None:
    drawn = {
        (before, after, act)
        for before, after, acts in re.findall(r"^ +(\S+) --> (\w+): (.+)$", page("docs/campaigns.md"), re.MULTILINE)
        for act in acts.split(", ")
    }
    table = {
        (str(before), str(leads or before), str(act))
        for act, (allowed, leads) in ALLOWED.items()
        for before in allowed or ("[*]",)
    }
    # What comes again goes back to waiting for its next time.
    assert drawn == table | {(str(CampaignStatus.RUNNING), str(CampaignStatus.SCHEDULED), "complete")}


@cache
def schema() -> str:
    """The SQL of the pipeline's migrations."""
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "notify/migrations").glob("0*.py")))


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [
        ("notify_notification", "status", NotificationStatus),
        ("notify_notification", "priority", Priority),
        ("notify_delivery", "priority", Priority),
        ("notify_delivery", "channel", Channel),
        ("notify_batch", "priority", Priority),
        ("notify_page", "priority", Priority),
        ("notify_page", "step", PageStep),
    ],
)
def test_a_check_constraint_allows_exactly_the_words(table: str, column: str, words: type[StrEnum]) -> None:
    body = schema().split(f"CREATE TABLE {table} (")[1].split(";\n")[0]
    allowed = re.search(rf"CHECK \({column} IN \(([^)]*)\)\)", body)
    assert allowed is not None
    assert set(re.findall(r"'(\w+)'", allowed[1])) == {str(word) for word in words}


def demands_of_a_status() -> dict[str, list[str]]:
    """What the one CASE of the table asks of a delivery in each status."""
    body = schema().split("CREATE TABLE notify_delivery (")[1].split("ELSE false END")[0]
    return {
        status: re.findall(r"(\w+) (?:IS|<>) ((?:NOT )?NULL|'')", demands)
        for status, demands in re.findall(r"WHEN '(\w+)' THEN (.*?)(?=WHEN|\Z)", body, flags=re.DOTALL)
    }


def test_the_table_knows_every_status_of_a_delivery_and_no_other() -> None:
    assert set(demands_of_a_status()) == {str(status) for status in DeliveryStatus}


def test_the_lifecycle_page_tells_what_the_table_demands_of_each_status() -> None:
    lines = section(page("docs/lifecycle.md"), "## What the database refuses").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    told = {row[0].strip("`"): [cell == "yes" for cell in row[1:]] for row in rows}
    columns = ("reason_code", "lease_until", "sent_at")
    demanded = {
        status: [(column, "NOT NULL") in demands for column in columns]
        for status, demands in demands_of_a_status().items()
    }
    assert told == demanded


def test_the_readme_names_only_variables_that_are_read() -> None:
    told = re.findall(r"`([A-Z]+(?:_[A-Z]+)+|PORT)`", page("README.md"))
    of_tests = {"PYTEST_ARGS", "RABBITMQ_URL"}
    assert set(told) - of_tests - set(CELL.findall(page("docs/settings.md"))) == set()


def test_the_readme_has_the_verbs_of_the_makefile() -> None:
    targets = re.findall(r"^([a-z]+):", page("Makefile"), flags=re.MULTILINE)
    of_maintainers = {"help", "static", "lock"}
    assert set(re.findall(r"`make ([a-z]+)`", page("README.md"))) == set(targets) - of_maintainers


def test_the_architecture_lists_every_pool_with_its_queues_and_processes() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ((?:`[\w.]+` ?)+) \| (\d+) \|$", page("ARCHITECTURE.md"), flags=re.MULTILINE)
    told = [(name, tuple(re.findall(r"`([\w.]+)`", queues)), int(number)) for name, queues, number in rows]
    assert told == [(pool.name, pool.queues, pool.concurrency) for pool in celeryconfig.POOLS]


def test_every_decision_is_listed_and_numbered_in_order() -> None:
    files = sorted(file.name for file in (ROOT / "docs/decisions").glob("0*.md"))
    listed = LINK.findall(page("docs/decisions/README.md"))
    assert listed == files
    assert [int(name[:4]) for name in files] == list(range(1, len(files) + 1))


def test_a_decision_has_its_question_decision_evidence_and_consequence() -> None:
    files = sorted((ROOT / "docs/decisions").glob("0*.md"))
    told = {file.name: re.findall(r"^\*\*(\w+)\.\*\*", file.read_text("utf-8"), flags=re.MULTILINE) for file in files}
    assert told == {file.name: ["Question", "Decision", "Evidence", "Consequence"] for file in files}


def test_contributors_are_told_of_every_folder_of_tests() -> None:
    folders = {f"tests/{file.name}/" for file in (ROOT / "tests").iterdir() if any(file.glob("**/*.py"))}
    assert set(re.findall(r"`(tests/\w+/)`", section(page("CONTRIBUTING.md"), "## Tests"))) == folders


def test_every_case_of_idempotency_names_a_test_that_exists() -> None:
    cases = re.findall(r"^\| (\d+) \|.*\| `(tests/[^`]+)` \|$", page("docs/idempotency.md"), flags=re.MULTILINE)
    assert [int(number) for number, _ in cases] == list(range(1, len(cases) + 1))
    assert [name for _, name in cases if not exists(name)] == []


def exists(name: str) -> bool:
    file, _, function = name.partition("::")
    if not (ROOT / file).is_file():
        return False
    return function in {node.name for node in ast.walk(read(ROOT / file).tree) if isinstance(node, ast.FunctionDef)}


def test_every_page_can_be_reached_from_the_readme() -> None:
    found, ahead = {ROOT / "README.md"}, [ROOT / "README.md"]
    while ahead:
        file = ahead.pop()
        linked = {
            (file.parent / link).resolve() for link in LINK.findall(file.read_text("utf-8")) if link.endswith(".md")
        }
        ahead += [one for one in linked - found if one.exists()]
        found |= linked
    assert [str(file.relative_to(ROOT)) for file in PAGES if file not in found and file.name != "CHANGELOG.md"] == []


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(file: Path) -> None:
    links = [link for link in LINK.findall(file.read_text(encoding="utf-8")) if not link.startswith("http")]
    assert [link for link in links if not (file.parent / link).exists()] == []


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_path_a_page_names_is_there(file: Path) -> None:
    """`notify/plan.py` and the like; a name with a placeholder is nobody's."""
    named = re.findall(
        r"`((?:config|campaigns|notify|preferences|channels|tests|docs|docker)/[\w./-]*)`", page(str(file))
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_page_on_decisions_has_the_rules_in_the_order_in_which_they_are_asked() -> None:
    told = CELL.findall(section(page("docs/why.md"), "## The rules"))
    assert told == [str(rule) for rule in ORDER]
