"""The machine at hand: what it is, what works on it, and the links that can be made here."""
