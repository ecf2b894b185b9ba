"""`python3 -m jackstay …` from the root of a fresh clone: set up the environment, then run the real thing in it.

This folder has no `__init__.py`, so it is a namespace package, which Python only falls back on. Wherever the real
package can be imported (`src/jackstay`, through the environment), it wins, also from this directory, and nothing
here is read. Do not add an `__init__.py`.
"""

import os
import subprocess
import sys


def main():  # type: () -> int
    """Hand the command line over to the environment's interpreter."""
    if sys.version_info < (3, 7):
        sys.exit("Jackstay needs CPython 3.11 or newer, and this is " + sys.version.split()[0])
    # After the version check, which explains better than a SyntaxError. `tools` is importable wherever this folder is:
    # both are found from the root of the clone.
    from tools.env import SetupError, ensure, report

    try:
        python = str(ensure("core"))
    except SetupError as error:
        return report(error)
    command = [python, "-m", "jackstay", *sys.argv[1:]]
    if os.name == "nt":  # execv would return to the prompt before the command has finished
        return subprocess.call(command)
    sys.stdout.flush()
    return os.execv(python, command)


if __name__ == "__main__":
    sys.exit(main())
