"""Large files between people, the staging area and systems.

``requests``: what people ask for. ``parts``: uploads in parts. ``arrivals``: files that came to the area.
``work``: the workers' round; ``to_system`` and ``to_store`` do the moving, ``routes`` chooses the way.
``tidying``: what is left over. ``changes`` alone writes states.
"""
