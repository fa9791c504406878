//! What is new: of the rows that were read, those that still want a verdict.
