"""What is shown of a file without fetching it whole: which kind it is, and its content made harmless."""
