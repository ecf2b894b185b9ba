"""Check the documentation's links: files and headings that they point to exist. Run by `make docs`.

Looks at every Markdown page of the repository and at links inside it only: what is on the net is not asked. The code
blocks are run by `tests/docs`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
SKIPPED = (".venv", ".git", "build", "dist", "node_modules")

FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1\s*$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
ANCHOR = re.compile(r"<a\s+(?:id|name)=\"([^\"]+)\"")


def main() -> int:
    pages = sorted(path for path in ROOT.rglob("*.md") if not set(path.relative_to(ROOT).parts) & set(SKIPPED))
    faults = [fault for page in pages for fault in broken_links(page)]
    for fault in faults:
        print(fault)
    print(f"links: {len(pages)} pages, {len(faults)} broken")
    return 1 if faults else 0


def broken_links(page: Path) -> Iterator[str]:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = [match.group(1) for pattern in (LINK, REFERENCE) for match in pattern.finditer(INLINE_CODE.sub("", text))]
    for target in targets:
        if re.match(r"[a-z][a-z0-9+.-]*:", target, re.IGNORECASE):
            continue
        name, _, fragment = unquote(target).partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.is_relative_to(ROOT):
            yield f"{page.relative_to(ROOT)}: {target} leaves the repository"
        elif not file.exists():
            yield f"{page.relative_to(ROOT)}: {target} does not exist"
        elif fragment and file.suffix == ".md" and fragment.lower() not in anchors(file):
            yield f"{page.relative_to(ROOT)}: {target}: no such heading"


def anchors(page: Path) -> set[str]:
    """The ids that a rendered page has: its headings as GitHub spells them, and explicit anchors."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    found = {match.group(1).lower() for match in ANCHOR.finditer(text)}
    counts: dict[str, int] = {}
    for match in HEADING.finditer(text):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match.group(1)).lower()
        slug = re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")
        found.add(f"{slug}-{counts[slug]}" if slug in counts else slug)
        counts[slug] = counts.get(slug, 0) + 1
    return found


if __name__ == "__main__":
    sys.exit(main())
