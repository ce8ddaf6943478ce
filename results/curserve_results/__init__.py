"""Results: raw samples in; tables, figures, comparisons and gates out. Pure functions, immutable samples."""
