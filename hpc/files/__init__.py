"""The file operations of a system, each a ``Command``: what to run and how to read its answer.

Paths are absolute, or relative to the home directory of the account. They are str in which bytes that are not
UTF-8 stand as surrogate escapes (PEP 383). A path only ever travels as one element of an argv. What a system
refuses comes as a class of ``hpc.errors.RemoteFileError``; it is told from the exit code, from tests made by
the same command, or from the closing words of coreutils in the C locale, never by asking again.
"""
