"""What came of a cell: its two halves joined to samples, its answers judged."""
