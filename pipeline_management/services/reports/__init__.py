"""What a run's own job reports: by HTTP and by a file, with one writer behind both."""
