"""Workbooks: the template of a pipeline version as xlsx, reading what people filled in, marking what is wrong.

What people upload is only ever opened in a process of its own (``process.py``), which has limits of memory and
processor time: openpyxl keeps whole parts of a file in memory, and a file of 10 MB can be made to need gigabytes.
"""
