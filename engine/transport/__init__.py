"""The socket of a host, who is connected to it, and the list of live hosts. No torch."""
