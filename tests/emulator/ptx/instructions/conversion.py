"""conversion: cvt, between integers, floats, and both."""

from ptx.instructions.table import direction, instruction
from ptx.types import BITS, FLOATS, ctype

TO_WHOLE = {"rni": "rint", "rzi": "trunc", "rmi": "floor", "rpi": "ceil"}


@instruction("cvt")
def convert(w, i):
    to, source = i.types[0], i.types[-1]
    x = w.float_source(i, i.operands[1], source)
    if source in FLOATS and to in FLOATS:
        return w.assign(i.operands[0], to, between_floats(w, i, to, source, x))
    if i.has("sat"):
        raise ValueError("saturation of integers")
    if source in FLOATS:
        whole = TO_WHOLE[i.one_of(*TO_WHOLE)]
        return w.assign(i.operands[0], to, f"to_{ctype(to)}({whole}({x}))")
    if direction(i) is not None:
        x = exactly(x, source, to, direction(i))
    return w.assign(i.operands[0], to, f"({ctype(to)})({x})")


def exactly(x, source, to, towards):
    """An integer rounded to f32 in a direction; of up to 32 bits, for f64 holds these exactly."""
    if to != "f32" or BITS[source] > 32:
        raise ValueError(source)
    return f"directed((f64)({x}), 0, {towards})"


def between_floats(w, i, to, source, x):
    if whole := i.one_of(*TO_WHOLE):
        x = f"{TO_WHOLE[whole]}({x})"
    elif to != source and direction(i) is not None:
        if to != "f32":
            raise ValueError(to)
        x = f"directed({x}, 0, {direction(i)})"
    value = f"({to})({x})"
    if i.has("sat"):
        value = f"saturated_{to}({value})"
    return w.flushed(i, value, to)
