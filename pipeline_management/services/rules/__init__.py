"""Rules that a pipeline version declares about the rows of its configurations taken together.

``vocabulary`` reads and checks declarations, ``checking`` applies them to a configuration.
"""
