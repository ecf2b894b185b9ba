"""`jackstay demo`: the exercise of the tutorial, then a run that is killed and resumed. Start at `demo.py`.

`production_flow.py` is the program that is run: an ordinary one, to be read and copied.
"""

from jackstay.testing.demo.demo import perform

__all__ = ["perform"]
