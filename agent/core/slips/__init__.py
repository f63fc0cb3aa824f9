"""What a slip says, as blocks of paper. Pure: no fonts, no printer, no bytes."""
