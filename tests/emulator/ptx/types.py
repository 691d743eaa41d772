"""types: PTX's types, and the C types that hold them."""

BITS = {"pred": 1, "b128": 128}
BITS |= {f"{kind}{bits}": bits for kind in "bus" for bits in (8, 16, 32, 64)}
BITS |= {"f16": 16, "f32": 32, "f64": 64}

FLOATS = ("f16", "f32", "f64")


class PtxError(Exception):
    """PTX that this translator does not know."""


def ctype(t):
    """The C type of a PTX type: bits are unsigned."""
    return t if t == "pred" or t in FLOATS else f"{'s' if t[0] == 's' else 'u'}{BITS[t]}"


def unsigned(t):
    return f"u{BITS[t]}"


def raw(t):
    """The type of the same width without a meaning."""
    return "pred" if t == "pred" else f"b{BITS[t]}"


def is_signed(t):
    return t[0] == "s"


def wider(t):
    """The type of a product of two."""
    return f"{'s' if is_signed(t) else 'u'}{2 * BITS[t]}"
