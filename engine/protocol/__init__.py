"""Commands in, events and status out, the grammar of commands and scripts. No torch."""
