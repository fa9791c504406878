//! Readings, long, to a batch, wide; and verdicts, wide, back to rows.
