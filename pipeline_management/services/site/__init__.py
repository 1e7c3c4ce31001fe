"""The site file: systems, people, labs and pipelines of one installation, described in YAML."""
