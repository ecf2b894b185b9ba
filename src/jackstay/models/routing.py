"""From a model's name to the endpoint that answers it: prefix, address, key, in the order CrewAI reads them.

Decides before any money is spent and without I/O. Does not import an SDK: whether one is installed is looked up.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import replace

from jackstay.core.specs import ModelConfig, Secret
from jackstay.errors import MissingExtraError, MissingKeyError, UnknownModelError
from jackstay.models.lazy import load
from jackstay.models.provider import Endpoint, Provider
from jackstay.models.table import COMPATIBLE, LAZY_PROVIDERS, OPENAI

DEFAULT_MODEL = "gpt-4.1-mini"
MODEL_VARIABLES = ("MODEL", "MODEL_NAME", "OPENAI_MODEL_NAME")
DEFAULT_ADDRESS_VARIABLES = ("BASE_URL", "API_BASE")
"""Read for the default model only: an address meant for one model must not catch all the others."""

BARE_NAMES = (("claude-", "anthropic"), ("gemini-", "gemini"), ("gemma-", "gemini"))
"""Names that need no prefix; any other bare name is OpenAI's."""


class Routes:
    """The providers that are known, found by prefix."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        self.by_name: dict[str, Provider] = {}
        self.by_prefix: dict[str, Provider] = {}
        for provider in providers:
            self.by_name[provider.name] = provider
            self.by_prefix.update(dict.fromkeys((provider.name, *provider.prefixes), provider))
        self._installed: set[str] = set()

    def provider(self, name: str) -> Provider:
        """The provider of an endpoint."""
        return self._prefixed(name) or COMPATIBLE

    def named(self, model: str) -> tuple[Provider, str] | None:
        """The provider that a name stands for, and the model's name there; None: no provider that is known."""
        try:
            return self._split(ModelConfig(model), "")
        except UnknownModelError:
            return None

    def _prefixed(self, prefix: str) -> Provider | None:
        if (known := self.by_prefix.get(prefix)) is None and prefix in LAZY_PROVIDERS:
            known = self.by_prefix[prefix] = load(LAZY_PROVIDERS[prefix])
        return known

    def resolve(self, config: ModelConfig, environ: Mapping[str, str], *, owner: str = "") -> Endpoint:
        """The endpoint of a model. Raises `UnknownModelError`, `MissingKeyError`, `MissingExtraError`."""
        named = _default_model(config, environ) if config.reads_environment else config
        provider, model = self._split(named, owner)
        self._require_sdk(provider, named.model, owner)
        key_name, key = _key(named, provider, environ, owner)
        endpoint = Endpoint(
            provider=provider.name,
            model=model,
            requested=named.model,
            base_url=_address(named, provider, environ),
            stream=named.stream,
            api=named.api,
            api_version=named.api_version,
            headers=tuple(sorted(named.headers.items())),
            options=tuple(sorted((k, str(v)) for k, v in named.options.items() if v is not None)),
            timeout_s=named.timeout_s,
            native_tools=named.native_tools is not False,
            native_output=named.native_output,
            context_window=named.context_window,
            prompt_caching=named.prompt_caching,
            key_name=key_name,
            key=key,
        )
        return provider.prepare(endpoint, environ) if provider.prepare else endpoint

    def _split(self, config: ModelConfig, owner: str) -> tuple[Provider, str]:
        """The provider and the model's name on the wire."""
        prefix, slash, rest = config.model.partition("/")
        if config.provider:
            provider = self._forced(config, owner)
            own = slash and self._prefixed(prefix.lower()) is provider
            return provider, rest if own else config.model
        if not config.model.strip():
            raise UnknownModelError(f"the model name{_of(owner)} is empty; write for example {DEFAULT_MODEL!r}")
        if not slash:
            name = next((name for start, name in BARE_NAMES if config.model.startswith(start)), OPENAI.name)
            return self.by_name[name], config.model
        if (known := self._prefixed(prefix.lower())) is not None:
            return known, rest
        if config.base_url:
            # The prefix is no provider's, so it belongs to the name as the server knows it (`meta-llama/Llama-3`).
            return COMPATIBLE, config.model
        raise self._unknown(prefix, config.model, owner)

    def _forced(self, config: ModelConfig, owner: str) -> Provider:
        wanted = (config.provider or "").lower()
        if (provider := self._prefixed(wanted)) is not None:
            return provider
        if config.base_url:
            return COMPATIBLE
        raise self._unknown(wanted, config.model, owner)

    def _unknown(self, prefix: str, model: str, owner: str) -> UnknownModelError:
        known = sorted({*self.by_name, *LAZY_PROVIDERS})
        near = difflib.get_close_matches(prefix.lower(), {*self.by_prefix, *LAZY_PROVIDERS}, n=3, cutoff=0.6)
        hint = f"did you mean {' or '.join(repr(name + '/…') for name in near)}? " if near else ""
        return UnknownModelError(
            f"unknown provider {prefix!r} in model {model!r}{_of(owner)}: {hint}Known: {', '.join(known)}. "
            f"For an OpenAI-compatible server give its address: LLM(model={model!r}, base_url='https://…/v1')"
        )

    def _require_sdk(self, provider: Provider, model: str, owner: str) -> None:
        """Looked up once per SDK: a search along the path costs 0.1 ms."""
        if provider.module is None or provider.module in self._installed:
            return
        if not _installed(provider.module):
            what = f"jackstay[{provider.extra}]" if provider.extra else provider.module
            raise MissingExtraError(
                f"model {model}{_of(owner)} needs the SDK of {provider.name}, which is not installed: "
                f"pip install '{what}'"
            )
        self._installed.add(provider.module)


def _installed(module: str) -> bool:
    """Looks without importing; of a dotted name the parent is (`google`, shared by many distributions, is empty)."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _default_model(config: ModelConfig, environ: Mapping[str, str]) -> ModelConfig:
    """No model was named: the environment's, at the environment's address."""
    model = _first(MODEL_VARIABLES, environ)[1] or DEFAULT_MODEL
    return replace(config, model=model, base_url=config.base_url or _first(DEFAULT_ADDRESS_VARIABLES, environ)[1])


def _address(config: ModelConfig, provider: Provider, environ: Mapping[str, str]) -> str | None:
    url = config.base_url or _first(provider.base_url_variables, environ)[1] or provider.default_base_url
    return url.rstrip("/") if url else None


def _key(config: ModelConfig, provider: Provider, environ: Mapping[str, str], owner: str) -> tuple[str, Secret | None]:
    """Where it comes from, and the key."""
    if config.api_key:
        return "api_key", Secret(config.api_key)
    name, value = _first(key_variables(provider, config.model), environ)
    if value or not provider.needs_key:
        return name, Secret(value) if value else None
    raise MissingKeyError(
        f"{provider.key_variables[0]} is not set (model {config.model}{_of(owner)}); "
        f"put it in .env, or run with JACKSTAY_MODEL=sim/demo"
    )


def key_variables(provider: Provider, requested: str) -> tuple[str, ...]:
    """Where the key may stand. For a server that is only compatible, the variable is named after its prefix:
    OPENAI_API_KEY is never sent to a stranger."""
    if provider is not COMPATIBLE:
        return provider.key_variables
    prefix = "".join(c if c.isalnum() else "_" for c in requested.partition("/")[0])
    return (f"{prefix.upper()}_API_KEY",)


def _first(names: Iterable[str], environ: Mapping[str, str]) -> tuple[str, str]:
    return next(((name, value) for name in names if (value := environ.get(name, "").strip())), ("", ""))


def _of(owner: str) -> str:
    return f" of {owner}" if owner else ""
