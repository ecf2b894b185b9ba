"""The `jackstay` command. `app.py` has the commands and their options; each one's work is a module beside it.

Those modules are imported by the command that needs them: `jackstay --help` loads no database and no model library.
"""

from jackstay.cli.app import main

__all__ = ["main"]
