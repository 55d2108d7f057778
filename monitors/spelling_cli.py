"""`haechi case keyword spellings`, `spell` and `unspell`."""

from typing import Any

from monitors.command_line import (
    AsJson,
    CaseName,
    Keyword,
    Words,
    opened_register,
    print_json,
    print_table,
    read_words,
    say,
)
from monitors.spelling_changes import ListedSpelling, SpellingEditor


def list_spellings(name: CaseName, keyword: Keyword, *, as_json: AsJson = False) -> None:
    """List the spellings that are looked for, and whether each can be switched off (own)."""
    with opened_register() as register:
        found = SpellingEditor(register).list_all(name, keyword)
    if as_json:
        for one in found:
            print_json(as_row(one))
        return
    rows = [[str(value) for value in as_row(one).values()] for one in found]
    print_table(("spelling", "kind", "found", "state"), rows)


def add_spellings(
    name: CaseName, keyword: Keyword, words: Words, *, as_json: AsJson = False
) -> None:
    """Look for these spellings, too; all of them, or none."""
    given = read_words(words)
    with opened_register() as register:
        for one in SpellingEditor(register).add(name, keyword, given):
            row = as_row(one)
            said = f"{row['text']}: {row['state'].replace('_', ' ')}, found: {row['found']}"
            say(row, said, as_json=as_json)


def switch_spellings_off(
    name: CaseName, keyword: Keyword, words: Words, *, as_json: AsJson = False
) -> None:
    """Look for these spellings no longer; all of them, or none."""
    given = read_words(words)
    with opened_register() as register:
        SpellingEditor(register).switch_off(name, keyword, given)
    for word in given:
        say({"text": word, "off": True}, f"{word} is off", as_json=as_json)


def as_row(one: ListedSpelling) -> dict[str, Any]:
    """Give a spelling as the JSON of these commands."""
    spelling = one.spelling
    return {
        "text": spelling.text,
        "kind": spelling.kind.value,
        "found": spelling.found.value,
        "state": one.state.value,
    }
