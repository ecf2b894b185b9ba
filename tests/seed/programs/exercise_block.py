"""The seed's solution as it stands."""

from pasting import paste  # type: ignore[import-not-found]

paste(13, globals())
