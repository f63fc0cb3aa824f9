"""An acquirer's or a bank's list held against this terminal's journal: pure, no file, no store."""
