"""names: what PTX's names become in C."""

import re


def symbol(name):
    """A function or variable of the module."""
    return "s_" + re.sub(r"\W", lambda character: f"_{ord(character[0]):02x}", name)


def label(name):
    return "L_" + re.sub(r"\W", "_", name)


def register(name):
    return "r_" + re.sub(r"\W", "_", name.lstrip("%"))
