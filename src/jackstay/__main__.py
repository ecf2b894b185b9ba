"""`python -m jackstay …` is the command line."""

from jackstay.cli import main

if __name__ == "__main__":
    main()
