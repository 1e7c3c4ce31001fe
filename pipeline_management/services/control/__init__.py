"""What people want of their runs: holding, releasing, cancelling, running again."""
