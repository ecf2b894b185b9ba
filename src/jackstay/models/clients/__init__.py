"""One module per SDK: makes the connection of a row of the routing table. Imported at the first call only."""
