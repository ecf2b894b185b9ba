"""Readable English of a wanted length about a topic: the simulated model's way of writing."""

from __future__ import annotations

from jackstay.models.sim_brief import Brief
from jackstay.models.sim_draw import Draw

_ASPECTS = (
    "cost", "reliability", "adoption", "latency", "evaluation", "security", "data quality", "maintenance", "tooling",
    "observability", "governance", "team skills", "integration", "scaling", "privacy", "user trust", "testing",
    "documentation", "recovery after failures", "planning",
)  # fmt: skip
_CLAIMS = (
    "For {topic}, good {a} comes before {b} in the first months.",
    "Teams that measure {a} early make fewer changes to {topic} later.",
    "The clearest progress in {topic} is in {a}, with {b} some way behind.",
    "Most open questions about {topic} come down to {a} and {b}.",
    "Small pilots of {topic} show that {a} improves once {b} has an owner.",
    "A plain checklist for {a} removes many surprises around {topic}.",
    "Where work on {topic} is already routine, {a} is the reason given most often.",
    "It is easy to overstate {a}; {b} decides whether work on {topic} lasts.",
    "The usual trade in {topic} is between {a} and {b}.",
    "Reports on {topic} agree about {a} and differ about {b}.",
    "One practical step for {topic} is to write down what good {a} means.",
    "Experience with {topic} suggests to review {a} every quarter.",
    "Nobody regrets an early investment in {a} when the use of {topic} grows.",
    "The weak spot of {topic} remains {b}, even with good {a}.",
)
_OPENERS = (
    "{Topic} can be summed up in a few points.",
    "This is a short view of {topic}, written by the {role}.",
    "Work on {topic} has moved from experiments to everyday use.",
    "The following looks at {topic} with {a} and {b} in mind.",
)
_CLOSERS = (
    "In short, work on {topic} rewards patience with {a}.",
    "The next step for {topic} is a trial with clear limits on {a}.",
    "Overall, the state of {topic} is good where {a} and {b} are looked after.",
)
_PHRASES = ("for small and large teams", "at home and abroad", "in most places", "by now", "today")
_HEADINGS = ("Overview", "What is known", "Risks", "Next steps")


def write(brief: Brief, draw: Draw) -> str:
    """The answer's text: in the wanted shape, of the wanted number of words, sentences or items."""
    if brief.sentences is not None:
        return " ".join(_sentences(brief, draw, brief.sentences))
    match brief.shape:
        case "bullets":
            return _bullets(brief, draw)
        case "sections":
            return _sections(brief, draw)
        case _:
            return _prose(brief, draw)


def sentence(topic: str, draw: Draw) -> str:
    """One sentence about a topic."""
    return _fill(draw.choice(_CLAIMS), topic, "author", draw)


def _fill(template: str, topic: str, role: str, draw: Draw) -> str:
    first = draw.below(len(_ASPECTS))
    second = (first + 1 + draw.below(len(_ASPECTS) - 1)) % len(_ASPECTS)
    capital = topic[:1].upper() + topic[1:]
    return template.format(topic=topic, Topic=capital, role=role, a=_ASPECTS[first], b=_ASPECTS[second])


def _opening(brief: Brief, draw: Draw) -> list[str]:
    lines = [_fill(draw.choice(_OPENERS), brief.topic, brief.role, draw)]
    if brief.feedback:
        lines.append("This version takes the remarks into account.")
    if brief.findings:
        lines.append(f"The research found: {_excerpt(brief.findings[-1])}.")
    elif brief.context:
        lines.append(f"It builds on the earlier work: {_excerpt(brief.context)}.")
    return lines


def _excerpt(text: str) -> str:
    return " ".join(text.split()[:14]).rstrip(".,;:")


def _sentences(brief: Brief, draw: Draw, count: int) -> list[str]:
    lines = _opening(brief, draw)
    while len(lines) < count:
        lines.append(_fill(draw.choice(_CLAIMS), brief.topic, brief.role, draw))
    return lines[:count]


def _prose(brief: Brief, draw: Draw) -> str:
    lines = _opening(brief, draw)
    closing = _fill(draw.choice(_CLOSERS), brief.topic, brief.role, draw)
    if brief.words < 3 * len(closing.split()):
        return _paragraphs(_fitted(lines, brief, draw, brief.words))
    return f"{_paragraphs(_fitted(lines, brief, draw, brief.words - len(closing.split())))} {closing}"


def _fitted(lines: list[str], brief: Brief, draw: Draw, words: int) -> list[str]:
    """The lines, with claims added, of exactly so many words."""
    missing = words - sum(len(line.split()) for line in lines)
    if missing < 0:
        return [" ".join(" ".join(lines).split()[:words]).rstrip(" .,;:") + "."]
    claims: list[str] = []
    while True:
        # A whole round of claims before one repeats: readable at 500 words, too.
        claims = claims or draw.shuffled(_CLAIMS)
        line = _fill(claims.pop(), brief.topic, brief.role, draw)
        if len(line.split()) > missing:
            break
        lines.append(line)
        missing -= len(line.split())
    return [*lines[:-1], _padded(lines[-1], missing)]


def _padded(line: str, missing: int) -> str:
    """A sentence made longer by so many words, at its end."""
    tail: list[str] = []
    while missing > 0:
        for phrase in _PHRASES:
            if len(phrase.split()) <= missing:
                tail.append(phrase)
                missing -= len(phrase.split())
    return f"{line.rstrip('.')} {' '.join(tail)}." if tail else line


def _paragraphs(lines: list[str]) -> str:
    return "\n\n".join(" ".join(lines[start : start + 5]) for start in range(0, len(lines), 5))


def _bullets(brief: Brief, draw: Draw) -> str:
    count = brief.items or 5
    lines = [f"- {_fill(claim, brief.topic, brief.role, draw)}" for claim in _cycle(draw, count)]
    if brief.findings:
        lines[0] = f"- The research found: {_excerpt(brief.findings[-1])}."
    return "\n".join(lines)


def _cycle(draw: Draw, count: int) -> list[str]:
    claims: list[str] = []
    while len(claims) < count:
        claims += draw.shuffled(_CLAIMS)
    return claims[:count]


def _sections(brief: Brief, draw: Draw) -> str:
    title = brief.topic[:1].upper() + brief.topic[1:]
    heads = sum(len(heading.split()) + 1 for heading in _HEADINGS) + 1 + len(title.split())
    each = max(12, (brief.words - heads) // len(_HEADINGS))
    parts = [f"# {title}"]
    for number, heading in enumerate(_HEADINGS):
        lines = _opening(brief, draw) if number == 0 else []
        for claim in draw.shuffled(_CLAIMS):
            if sum(len(line.split()) for line in lines) >= each:
                break
            lines.append(_fill(claim, brief.topic, brief.role, draw))
        parts.append(f"## {heading}\n\n{' '.join(lines)}")
    return "\n\n".join(parts)
