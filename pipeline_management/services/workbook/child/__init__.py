"""What opens an uploaded workbook, in a process of its own; nothing here imports the rest of Centro."""
