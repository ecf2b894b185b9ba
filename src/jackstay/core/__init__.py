"""Pure decisions and values: no I/O, no clock, no asyncio, no globals. Time, ids and randomness come in as arguments."""
