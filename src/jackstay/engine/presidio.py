"""The extra `pii`: names of people and places, found by Presidio with a spaCy model of the user's choice.

What the configuration says is checked without loading either, by what stands in the model's folder. A model that is not
there is never downloaded: that is left to the user, with the command for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jackstay.core.readable import readable
from jackstay.core.recognition import Finding, Recogniser
from jackstay.errors import ConfigurationError

EXTRA = "pip install 'jackstay[pii]'"

LABELS: Mapping[str, tuple[str, ...]] = {
    "PERSON": ("PERSON", "PER", "PRS", "persName"),
    "LOCATION": ("LOCATION", "LOC", "GPE", "GPE_LOC", "FAC", "FACILITY", "placeName", "geogName"),
    "NRP": ("NRP", "NORP", "NAT_REL_POL"),
    "ORGANIZATION": ("ORGANIZATION", "ORG", "GPE_ORG", "orgName"),
}
"""What spaCy's models of the various languages call these. Presidio knows the English and German ones."""

Mistake = Callable[[str], ConfigurationError]


@dataclass(frozen=True, slots=True)
class Model:
    """A spaCy model, as its folder describes it. `source`: a package's name, or the folder."""

    source: str | Path
    language: str
    labels: frozenset[str]
    """Empty if it does not say."""

    def finds(self, entity: str) -> bool:
        return not self.labels or not self.labels.isdisjoint(LABELS[entity])


def is_installed() -> bool:
    return all(find_spec(name) is not None for name in ("presidio_analyzer", "spacy"))


def model_of(name: str, folder: Path, mistake: Mistake) -> Model:
    """The model of that name, or at that path as seen from the folder."""
    package = _package(name) if name.isidentifier() else None
    if package is not None:
        return _described(name, package, mistake)
    path = (folder / Path(name).expanduser()).resolve()
    if path.is_dir():
        return _described(path, path, mistake)
    if name.isidentifier():
        raise mistake(f"is {name!r}, which is not installed; python -m spacy download {name}")
    raise mistake(f"is {name!r}, and there is no folder {path}; name a folder with a spaCy model, or a model's package")


def _package(name: str) -> Path | None:
    """The folder of an installed package; as spaCy looks for it."""
    from importlib.metadata import PackageNotFoundError, distribution  # it loads half of the standard library

    try:
        distribution(name)
    except PackageNotFoundError:
        return None
    spec = find_spec(name)
    places = (spec.submodule_search_locations if spec is not None else None) or ()
    return next(map(Path, places), None)


def _described(source: str | Path, folder: Path, mistake: Mistake) -> Model:
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        labels = [label for each in meta.get("labels", {}).values() for label in each]
        return Model(source, str(meta["lang"]), frozenset(map(str, labels)))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        what = f"is {str(source)!r}, which is no spaCy model ({folder / 'meta.json'}: {type(error).__name__}: {error})"
        raise mistake(f"{what}; name one that spacy.load takes") from error


def presidio(model: Model, entities: Collection[str], mistake: Mistake) -> Recogniser:
    """Loads both: a second or more. Raises what `mistake` makes if the model cannot be loaded."""
    # The extra, and what comes with it is not needed before a text is looked at.
    import spacy
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    class Loaded(SpacyNlpEngine):
        """Presidio's own way of loading a model downloads it if it is not there."""

        def load(self) -> None:
            self.nlp = {language: nlp}  # type: ignore[assignment]  # it says that there is never one

    try:
        nlp = spacy.load(model.source)
    except Exception as error:
        what = f"is {str(model.source)!r}, which spaCy cannot load: {type(error).__name__}: {error}"
        raise mistake(f"{what}; install what it needs, or another model") from error
    wanted, language = list(entities), model.language
    labels = {label: entity for entity in wanted for label in LABELS[entity]}
    # Of any other label Presidio would log a warning each time that it is found.
    ignored = sorted({label for pipe in nlp.pipe_names for label in _labels(nlp, pipe)} - set(labels))
    engine = Loaded(
        [{"lang_code": language, "model_name": str(model.source)}],
        NerModelConfiguration(model_to_presidio_entity_mapping=labels, labels_to_ignore=ignored),
    )
    registry = RecognizerRegistry([SpacyRecognizer(language, wanted)], supported_languages=[language])
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=[language])

    def find(text: str) -> Iterable[Finding]:
        read = readable(text)
        with nlp.memory_zone():  # without it spaCy keeps every word that it has ever seen
            found = analyzer.analyze(read.text, language, entities=wanted)
            return [(read.given(each.start), read.given(each.end), each.entity_type) for each in found]

    return find


def _labels(nlp: Any, pipe: str) -> Iterable[str]:
    return map(str, getattr(nlp.get_pipe(pipe), "labels", ()))
