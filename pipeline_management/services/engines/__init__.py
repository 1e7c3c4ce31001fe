"""What runs a pipeline: plain shell scripts, Jetstream, Snakemake; one interface for all of them."""
