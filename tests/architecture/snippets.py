#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that every C++ block in the documentation stands, line for line, in a compiled file, and
that every link within the repository leads somewhere.

A block names its file in the line before its fence: `<!-- from examples/first_agent.cpp -->`.
Indentation common to the block is of no account.
"""
import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"(?:<!-- from (\S+) -->\n)?```cpp\n(.*?)```", re.S)


def stands_in(block, text):
    lines, source = textwrap.dedent(block).splitlines(), text.splitlines()
    for start in range(len(source) - len(lines) + 1):
        piece = textwrap.dedent("\n".join(source[start : start + len(lines)])).splitlines()
        if piece == lines:
            return True
    return False


def dead_links(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        if not (page.parent / target).exists():
            yield f"{page.relative_to(ROOT)}: the link to {target} leads nowhere"


def main():
    wrong, count = [], 0
    for page in PAGES:
        wrong += dead_links(page)
        for name, block in BLOCK.findall(page.read_text()):
            count += 1
            where = f"{page.relative_to(ROOT)}: the block that begins `{block.splitlines()[0]}`"
            if not name:
                wrong.append(f"{where} names no file")
            elif not stands_in(block, (ROOT / name).read_text()):
                wrong.append(f"{where} does not stand in {name}")
    print("\n".join(wrong) or f"{count} blocks of C++ in {len(PAGES)} pages stand in compiled files")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
