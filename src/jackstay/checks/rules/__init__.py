"""One file per rule. A rule is a function of one file and the project around it; `checks.RULES` lists them."""
