"""table: the instructions by name."""

WRITERS = {}


def instruction(*names):
    """Register a function that writes these instructions."""

    def register(function):
        WRITERS.update(dict.fromkeys(names, function))
        return function

    return register


ROUNDINGS = {"rz": 0, "rm": -1, "rp": 1}  # the directed ones: the nearest is C's own


def direction(i):
    """Which way an instruction rounds: 0 to zero, -1 down, 1 up; None: to the nearest."""
    return ROUNDINGS.get(i.one_of(*ROUNDINGS))
