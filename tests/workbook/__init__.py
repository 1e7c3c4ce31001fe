"""Workbooks: template, reading, marking, hostile files, pages and API."""
