"""The measure of the link rule: what its oracle finds, and that it counts alarms and misses."""

import random

import pytest
from django.core.exceptions import ValidationError

from bench import link_texts, links
from bench.link_texts import Verdict, blocks_of, finding, finding_in_title
from lms.tests.link_cases import REFUSED
from lms.validators import validate_description

FILE = """---
title: Bread
---
# Bread

Mix *flour* and water.
Wait.

- salt

  more salt
- yeast

```python
x.to(oven)

x.bake()
```

[1]: /lessons/2
"""


def test_a_file_is_split_into_paragraphs_with_lists_and_fences_whole():
    assert list(blocks_of(FILE)) == [
        "# Bread",
        "Mix *flour* and water.\nWait.",
        "- salt\n\n  more salt\n- yeast",
        "```python\nx.to(oven)\n\nx.bake()\n```",
        "[1]: /lessons/2",
    ]


def test_documents_are_cut_where_a_block_ends():
    assert list(link_texts.documents(["aaa", "bb", "cccccc"], 7)) == ["aaa\n\nbb", "cccccc"]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("See https://evil.example/x", Verdict.NAMED),
        ("```\nftp://evil.example\n```", Verdict.NAMED),
        ("https\\://evil.com", Verdict.NAMED),
        ("[x](https:evil)", Verdict.NAMED),
        ("[x][1]\n\n[1]: //evil", Verdict.NAMED),
        ("![x](tg:evil)", Verdict.NAMED),
        ("<img src=//evil/x.png>", Verdict.NAMED),
        ("Write to a@evil.ru", Verdict.NAMED),
        ("www.evil.com", Verdict.NAMED),
        ("Look at allegro.pl, it is cheap", Verdict.ARGUABLE),
        ("Open main.py", Verdict.ARGUABLE),
        ("x.to(device)", Verdict.ARGUABLE),
        ("See https://www.youtube.com/watch?v=x and youtu.be/x", Verdict.NOTHING),
        ("[next](/lessons/2) <a href='#top'>up</a>", Verdict.NOTHING),
        ("Write to a@example.com", Verdict.NOTHING),
        ("`evil.com` and `a@evil.com`", Verdict.NOTHING),
        ("_Let's do it._ Node.js, и т.д.", Verdict.NOTHING),
        ("`https://`, https://<host>, `https://{host}`", Verdict.NOTHING),
    ],
)
def test_the_oracle_tells_who_names_a_site_without_the_rule(text, verdict):
    assert finding(text).verdict is verdict


@pytest.mark.parametrize(
    ("title", "verdict"),
    [
        ("https://evil.example", Verdict.NAMED),
        ("a@evil.ru", Verdict.NAMED),
        ("evil.com", Verdict.ARGUABLE),
        ("Bread, part 2", Verdict.NOTHING),
    ],
)
def test_a_title_has_no_code_for_the_oracle(title, verdict):
    assert finding_in_title(title).verdict is verdict


def test_headings_are_read_as_titles():
    assert list(link_texts.titles("# The *best*  bread `x`\n\nText")) == ["The best bread x"]


@pytest.fixture
def lessons(tmp_path):
    """Two files with one paragraph in common."""
    (tmp_path / "one.md").write_text("# Bread\n\nMix *flour* and water, wait.\n\nSee evil.com")
    (tmp_path / "two.md").write_text(
        "Mix *flour* and\nwater, wait.\n\n    `x`\n\nhttps://evil.example"
    )
    return tmp_path


def judged(folder, monkeypatch, *, refuses):
    """What is found in a folder by a rule that refuses texts with one of these words."""

    def rule(text):
        for word in refuses:
            if word in text:
                raise ValidationError("", params={"link": word})

    monkeypatch.setattr(links, "validate_description", rule)
    monkeypatch.setattr(links, "validate_title", rule)
    return links.judge_all(tuple(links.distinct(links.pieces(folder, documents=False))), seed=1)


def test_refusals_are_false_alarms_arguable_or_right(lessons, monkeypatch):
    found = judged(lessons, monkeypatch, refuses=["wait", "evil.com", "https"])

    assert [(one.verdict, one.cause, one.file) for one in found.refusals] == [
        (Verdict.NOTHING, "text: other", "one.md"),
        (Verdict.ARGUABLE, "text: bare .com", "one.md"),
    ]
    assert links.rates(found)[:3] == [
        "5 paragraphs: 1 name a site or a mailbox, 1 perhaps, 3 none",
        "  false alarms: 1 of 3, 333.33 in 1,000",
        "  with the arguable 1: 500.00 in 1,000",
    ]
    assert not links.passes(found)
    assert "1 × paragraph, nothing: text: other" in list(links.examples(found, 5))


def test_a_planted_link_that_passes_is_missed(lessons, monkeypatch):
    monkeypatch.setattr(links, "spellings", lambda _rule: ["tg:evil"])

    found = judged(lessons, monkeypatch, refuses=[])

    assert {(one.kind, one.file) for one in found.missed} == {
        ("paragraph", "one.md"),
        ("title", "one.md"),
        ("paragraph", "two.md"),
    }
    assert all(" tg:evil " in one.text for one in found.missed)
    assert not links.passes(found)


def test_nothing_is_planted_into_code_and_targets():
    text = "`a b c` [x](</a b> 'c d')\n\n    e f"

    for seed in range(20):
        planted = links.plant(text, "tg:evil", random.Random(seed), as_title=False)
        assert planted is None or "]( tg:evil" not in planted
        if planted is not None:
            assert "tg:evil" in "".join(link_texts.running_text(link_texts.PARSER.parse(planted)))


def test_a_spelling_is_planted_where_its_marks_mean_what_they_mean_alone():
    rest = ("http**s**://evil", random.Random(1))

    assert links.plant("**a b c", *rest, as_title=False) is None
    assert links.plant("a\n\n**b** c", *rest, as_title=False) is not None
    assert links.plant("```\na", "[x]: //evil", random.Random(1), as_title=False) is None
    assert links.plant("a | b", "[x](\n//evil)", random.Random(1), as_title=False) == (
        "a | b\n\n[x](\n//evil)\n\na | b"
    )


def test_each_group_of_spellings_is_planted():
    planted = set(links.spellings(validate_description))

    assert all(planted & set(texts) for texts in REFUSED.values())


def test_a_folder_is_measured_in_two_processes(lessons):
    found = links.measure(lessons)

    assert found.counts["paragraph nothing"] == 3
    assert found.counts["paragraph named"] == 1
    assert not found.missed
