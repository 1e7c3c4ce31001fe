"""Real servers for the tests: MariaDB, Valkey, sshd and a single-node Slurm (docs/howto/lab.md)."""
