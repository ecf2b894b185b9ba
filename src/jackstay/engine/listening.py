"""Who hears the pieces of a streamed answer, and whether anything was shown: that cannot be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackstay.core.messages import Answer
from jackstay.core.pieces import Piece, PieceKind
from jackstay.engine.telling import listeners

if TYPE_CHECKING:
    from jackstay.engine.asker import Ask
    from jackstay.engine.scope import Scope
    from jackstay.models.provider import Delta, Listener


class Listening:
    """The listener of one call, over all its attempts: whoever asks (`Ask.on_delta`), and whoever listens to the scope."""

    def __init__(self, scope: Scope, path: str, tell: Listener | None, model: str) -> None:
        self._scope, self._path, self._tell, self._model = scope, path, tell, model
        self.heard = False

    def __call__(self, delta: Delta) -> None:
        # What only listeners of the process hear changes nothing: another model may still answer.
        self.heard = self.heard or self._tell is not None or self._scope.listener is not None
        if self._tell is not None:
            self._tell(delta)
        if listeners:
            self._scope.run.news("model_piece", self._path, (self._scope, delta, self._model))
        if delta.kind != "thinking":
            _pass_on(self._scope, self._path, delta.kind, delta.text, delta.tool_index, delta.tool_name)

    def restart(self) -> None:
        """The answer comes anew (engine rule 19)."""
        if self.heard:
            from jackstay.models.provider import Delta  # with it come the types of the wire

            self(Delta("restart", ""))


def listening(scope: Scope, path: str, ask: Ask) -> Listening | None:
    """None: nobody listens, and the answer need not be streamed."""
    wanted = ask.on_delta is not None or scope.listener is not None or (ask.config.stream and bool(listeners))
    return Listening(scope, path, ask.on_delta, ask.question.models[0]) if wanted else None


def tell_whole(scope: Scope, path: str, answer: Answer, *, replayed: bool) -> None:
    """An answer that does not come piece by piece: out of the record, or of a model that does not stream."""
    if scope.listener is None:
        return
    if answer.text:
        _pass_on(scope, path, "text", answer.text, replayed=replayed)
    for index, call in enumerate(answer.tool_calls):
        _pass_on(scope, path, "tool_call", call.arguments, index, call.name, replayed=replayed)


def _pass_on(
    scope: Scope,
    path: str,
    kind: PieceKind,
    text: str,
    tool_index: int = 0,
    tool_name: str = "",
    *,
    replayed: bool = False,
) -> None:
    if scope.listener is not None:
        scope.listener(Piece(path, scope.agent or "", kind, text, tool_index, tool_name, replayed))
