"""Measures the link rule (docs/rules.md, 7) on texts that people wrote.

`uv run python -m bench.links FOLDER` reads the Markdown files of a folder, splits them into
paragraphs (lists and fences stay whole; equal ones count once) and prints

- **false alarms**: of the paragraphs that name no other site and no mailbox, how many are refused.
  What names one is told by `bench/link_texts.py`, without the rule. Those in which linkify-it-py
  finds no more than a bare `word.tld` stand apart as arguable, for a person to look at. The
  headings are judged as titles in the same way;
- **missed**: each spelling of a foreign link in `lms/tests/link_cases.py` is planted at a random
  place in the running text of paragraphs that are accepted, and of headings; how many pass.

`--documents` judges whole files instead, cut where a block ends at the longest that a description
may be. The same folder and `--seed` give the same figures. Two processes; a hundred thousand
paragraphs take some minutes. The exit code is 1 if a link was missed or more than one paragraph
in a thousand is a false alarm.
"""

import argparse
import multiprocessing
import os
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from itertools import batched, groupby
from pathlib import Path
from typing import NamedTuple

from django.core.exceptions import ValidationError

from bench import link_texts
from bench.link_texts import Verdict
from lms.tests.link_cases import REFUSED
from lms.validators import validate_description, validate_title

LONGEST = 20_000
LONGEST_TITLE = 200
WANTED = 1 / 1000
# Stands where a link will: a word that no text has, and that no Markdown changes.
MARK = "ЗдесьБудетСсылкаXYZZY"
HOST_ENDING = re.compile(r"\.([^\W_]{2,})(?=\W*(?:$|[/:?#@]))")

type Judge = Callable[[str], None]


class Refusal(NamedTuple):
    kind: str
    """`paragraph` or `title`."""
    verdict: Verdict
    cause: str
    link: str
    file: str
    text: str


class Missed(NamedTuple):
    kind: str
    spelling: str
    file: str
    text: str


class Found(NamedTuple):
    counts: Counter[str]
    refusals: list[Refusal]
    missed: list[Missed]


def main() -> None:
    options = parse()
    found = measure(options.folder, documents=options.documents, seed=options.seed)
    lines = [*rates(found), "", *examples(found, options.examples)]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.exit(not passes(found))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.links", description=__doc__)
    parser.add_argument("folder", type=Path, help="with Markdown files, in folders or not")
    parser.add_argument("--documents", action="store_true", help="judge whole files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--examples", type=int, default=5, help="of each cause")
    return parser.parse_args()


def measure(folder: Path, *, documents: bool = False, seed: int = 1) -> Found:
    os.nice(10)
    texts = distinct(pieces(folder, documents=documents))
    found = Found(Counter(), [], [])
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, context) as processes:
        for counts, refusals, missed in processes.map(
            partial(judge_all, seed=seed), batched(texts, 500)
        ):
            found.counts.update(counts)
            found.refusals.extend(refusals)
            found.missed.extend(missed)
    return found


def pieces(folder: Path, *, documents: bool) -> Iterator[tuple[str, str]]:
    if not documents:
        yield from link_texts.blocks(folder)
        return
    for file, blocks in groupby(link_texts.blocks(folder), key=lambda named: named[0]):
        for text in link_texts.documents((text for _file, text in blocks), LONGEST):
            yield file, text


def distinct(texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    seen: set[int] = set()
    for file, text in texts:
        if len(text) <= LONGEST and (key := hash(" ".join(text.split()))) not in seen:
            seen.add(key)
            yield file, text


def judge_all(texts: tuple[tuple[str, str], ...], *, seed: int) -> Found:
    found = Found(Counter(), [], [])
    for file, text in texts:
        judge("paragraph", validate_description, file, text, seed, found)
        for title in link_texts.titles(text):
            if len(title) <= LONGEST_TITLE:
                judge("title", validate_title, file, title, seed, found)
    return found


def judge(kind: str, rule: Judge, file: str, text: str, seed: int, found: Found) -> None:
    oracle = link_texts.finding if kind == "paragraph" else link_texts.finding_in_title
    verdict, words = oracle(text)
    link = refused(rule, text)
    if link is not None and verdict is Verdict.ARGUABLE and not concerns(link, words):
        verdict = Verdict.NOTHING
    found.counts[f"{kind} {verdict}"] += 1
    if link is None:
        plant_one(kind, rule, file, text, seed, found)
    elif verdict is not Verdict.NAMED:
        found.refusals.append(Refusal(kind, verdict, cause(kind, text, link), link, file, text))


def refused(rule: Judge, text: str) -> str | None:
    """The link for which the rule refuses a text, or None."""
    try:
        rule(text)
    except ValidationError as error:
        return str((error.params or {})["link"])
    return None


def concerns(link: str, words: Iterable[str]) -> bool:
    return any(word.lower() in link.lower() or link.lower() in word.lower() for word in words)


def cause(kind: str, text: str, link: str) -> str:
    """Where the link stands and what makes it one, so that like refusals come together."""
    in_code = kind == "paragraph" and any(
        link in code for code in link_texts.code(link_texts.PARSER.parse(text))
    )
    place = "code" if in_code else "text"
    if match := re.match(r"(?i)[a-z][a-z0-9+.\-]*:", link):
        return f"{place}: scheme {match[0].lower()}"
    if "@" in link:
        return f"{place}: mailbox"
    ending = HOST_ENDING.search(link)
    shape = "path" if re.search(r"[/?#]", link) else "bare"
    return f"{place}: {shape} .{ending[1].lower()}" if ending else f"{place}: other"


@cache
def spellings(rule: Judge) -> list[str]:
    """The spellings that the rule refuses where they stand alone, in the order of the table."""
    return [text for texts in REFUSED.values() for text in texts if refused(rule, text) is not None]


def plant_one(kind: str, rule: Judge, file: str, text: str, seed: int, found: Found) -> None:
    """Plant one of the spellings into an accepted text, and note it if the rule lets it pass."""
    chance = random.Random(f"{seed} {text}")  # noqa: S311
    spelling = chance.choice(spellings(rule))
    planted = plant(text, spelling, chance, as_title=kind == "title")
    if planted is None:
        return
    found.counts[f"{kind} planted"] += 1
    if refused(rule, planted) is None:
        found.missed.append(Missed(kind, spelling, file, planted))


def plant(text: str, spelling: str, chance: random.Random, *, as_title: bool) -> str | None:
    """The text with the spelling in its running text; what needs lines of its own (as definitions of
    links) stands after it. None if there is no place where it is read as it is alone."""
    if re.match(r"(?:[>\-*] *)?\[[^\]]*\]+:|.*\n", spelling):
        marked = f"{text}\n\n{MARK}\n\n{text}"
        has_no_place = as_title or not is_running_text(marked)
        return None if has_no_place else marked.replace(MARK, spelling)
    places = [match.start() for match in re.finditer(r"(?<!\\)[ \n]|\Z", text)]
    for place in chance.sample(places, min(len(places), 5)):
        marked = f"{text[:place]} {MARK} {text[place:].lstrip(' ')}"
        planted = marked.replace(MARK, spelling)
        if as_title or (is_running_text(marked) and is_read_alike(planted, spelling)):
            return planted
    return None


def is_running_text(marked: str) -> bool:
    """Whether the mark stands in text that a reader sees: in no code, target or HTML."""
    return any(
        child.type == "text" and MARK in child.content
        for token in link_texts.PARSER.parse(marked)
        for child in token.children or []
    )


def is_read_alike(planted: str, spelling: str) -> bool:
    """Whether the marks of the spelling mean there what they mean alone."""
    alone = link_texts.PARSER.renderInline(spelling).strip()
    return alone in link_texts.PARSER.render(planted)


def rates(found: Found) -> list[str]:
    lines = []
    for kind in ("paragraph", "title"):
        named, arguable, nothing = (found.counts[f"{kind} {verdict}"] for verdict in Verdict)
        false = count(found, kind, Verdict.NOTHING)
        doubtful = count(found, kind, Verdict.ARGUABLE)
        missed = sum(miss.kind == kind for miss in found.missed)
        every = named + arguable + nothing
        planted = found.counts[f"{kind} planted"]
        lines += [
            f"{every} {kind}s: {named} name a site or a mailbox, {arguable} perhaps, {nothing} none",
            f"  false alarms: {false} of {nothing}, {share(false, nothing)}",
            f"  with the arguable {doubtful}: {share(false + doubtful, arguable + nothing)}",
            f"  missed: {missed} of {planted} planted",
        ]
    return lines


def count(found: Found, kind: str, verdict: Verdict) -> int:
    return sum(refusal.kind == kind and refusal.verdict is verdict for refusal in found.refusals)


def share(part: int, whole: int) -> str:
    return f"{1000 * part / whole if whole else 0:.2f} in 1,000"


def passes(found: Found) -> bool:
    false = count(found, "paragraph", Verdict.NOTHING)
    return not found.missed and false <= WANTED * found.counts[f"paragraph {Verdict.NOTHING}"]


def examples(found: Found, number: int) -> Iterator[str]:
    groups: dict[str, list[str]] = defaultdict(list)
    for refusal in found.refusals:
        heading = f"{refusal.kind}, {refusal.verdict}: {refusal.cause}"
        shown = around(refusal.text, refusal.link)
        groups[heading].append(f"{refusal.link}  ←  {shown}  ({refusal.file})")
    for miss in found.missed:
        shown = around(miss.text, miss.spelling)
        groups[f"{miss.kind}, MISSED: {miss.spelling}"].append(f"{shown}  ({miss.file})")
    for heading, lines in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])):
        yield f"{len(lines)} × {heading}"
        yield from (f"    {line}" for line in spread(lines, number))


def spread(lines: list[str], number: int) -> list[str]:
    """A few from all over the list, because neighbours come from one file."""
    return lines[:: max(1, len(lines) // number)][:number]


def around(text: str, link: str) -> str:
    start = max(text.find(link), 0)
    return repr(text[max(0, start - 60) : start + len(link) + 40])


if __name__ == "__main__":
    main()
