"""What a picture file may hold, beside what ``srlab.images`` makes of it.

Kinds, profiles, ranges, transparency, what a file says of itself, and writing.
``srlab.images`` is the door; nothing in here knows of networks.
"""
