"""integers: arithmetic of whole numbers; add, sub, mul, div, min, max, abs and neg of floats are in floats.py."""

from ptx.instructions import floats
from ptx.instructions.table import instruction
from ptx.types import BITS, FLOATS, ctype, unsigned, wider

SIGNS = {"add": "+", "sub": "-"}


def of_floats(i):
    return i.type in FLOATS


def carry(w):
    """The condition code, a register that no declaration names."""
    w.used["carry"] = "u32"
    return "carry"


@instruction("add", "sub")
def add(w, i):
    if of_floats(i):
        return floats.add(w, i)
    u, (target, *operands) = unsigned(i.type), i.operands
    x, y = (w.source(operand, u) for operand in operands)
    if i.has("sat"):
        a, b = (w.source(operand, "s32") for operand in operands)
        return w.assign(target, "s32", f"to_s32((f64){a} {SIGNS[i.name]} (f64){b})")
    result = w.assign(target, u, f"x {SIGNS[i.name]} y")
    lost = f"x > ({u})~y" if i.name == "add" else "x < y"
    keep = f"{carry(w)} = {lost};" if i.has("cc") else ""
    return f"{{ {u} x = {x}, y = {y}; {keep} {result} }}"


@instruction("addc", "subc")
def add_with_carry(w, i):
    u, bits = unsigned(i.type), BITS[i.type]
    x, y = (w.source(operand, u) for operand in i.operands[1:])
    sign, c = SIGNS[i.name[:3]], carry(w)
    keep = f"{c} = z >> {bits} & 1;" if i.has("cc") else ""
    result = w.assign(i.operands[0], u, "z")
    return f"{{ unsigned __int128 z = (unsigned __int128){x} {sign} {y} {sign} {c}; {keep} {result} }}"


def product(w, i):
    """The part of a product that an integer instruction asks for: (type, C)."""
    type_, (x, y) = i.type, i.operands[1:3]
    wide = "__int128" if BITS[type_] == 64 else ctype(wider(type_))
    if wide == "__int128" and type_[0] != "s":
        wide = "unsigned __int128"
    whole = f"({wide}){w.source(x, type_)} * ({wide}){w.source(y, type_)}"
    if i.has("wide"):
        return wider(type_), whole
    if i.has("hi"):
        return unsigned(type_), f"({ctype(unsigned(type_))})(({whole}) >> {BITS[type_]})"
    return unsigned(type_), f"({ctype(unsigned(type_))})({whole})"


@instruction("mul")
def multiply(w, i):
    return floats.multiply(w, i) if of_floats(i) else w.assign(i.operands[0], *product(w, i))


@instruction("mad", "madc")
def multiply_and_add(w, i):
    if of_floats(i):
        return floats.fused_multiply_add(w, i)
    type_, value = product(w, i)
    added = w.source(i.operands[3], type_)
    if not (i.has("cc") or i.name == "madc"):
        return w.assign(i.operands[0], type_, f"{value} + {added}")
    c = carry(w)
    keep = f"{c} = z >> {BITS[type_]};" if i.has("cc") else ""
    more = f" + {c}" if i.name == "madc" else ""
    result = w.assign(i.operands[0], type_, "z")
    return f"{{ unsigned __int128 z = (unsigned __int128){value} + {added}{more}; {keep} {result} }}"


@instruction("div", "rem")
def divide(w, i):
    if of_floats(i):
        return floats.divide(w, i)
    x, y = (w.source(operand, i.type) for operand in i.operands[1:])
    return w.assign(i.operands[0], i.type, f"{i.name}_{ctype(i.type)}({x}, {y})")


@instruction("min", "max")
def smaller(w, i):
    if of_floats(i):
        return floats.smaller(w, i)
    x, y = (w.source(operand, i.type) for operand in i.operands[1:])
    sign, c = "<" if i.name == "min" else ">", ctype(i.type)
    return f"{{ {c} x = {x}, y = {y}; {w.assign(i.operands[0], i.type, f'x {sign} y ? x : y')} }}"


@instruction("abs", "neg")
def negate(w, i):
    if of_floats(i):
        return floats.change_sign(w, i)
    x = w.source(i.operands[1], unsigned(i.type))
    value = "-x" if i.name == "neg" else f"({ctype(i.type)})x < 0 ? -x : x"
    return f"{{ {unsigned(i.type)} x = {x}; {w.assign(i.operands[0], unsigned(i.type), value)} }}"
