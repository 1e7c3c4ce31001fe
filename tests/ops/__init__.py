"""Tests of what an operator runs: the lab, start.sh, PM2."""
