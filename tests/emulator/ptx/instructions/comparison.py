"""comparison: setp and selp."""

from ptx.instructions.table import instruction
from ptx.types import FLOATS, ctype, raw, unsigned

SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
OF_UNSIGNED = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}
OPPOSITE = {"equ": "ne", "neu": "eq", "ltu": "ge", "leu": "gt", "gtu": "le", "geu": "lt"}  # those that NaN fulfils
COMBINE = {"and": "&", "or": "|", "xor": "^"}


def compared(relation, is_float):
    """C that compares x and y."""
    if relation in OPPOSITE:
        return f"!({compared(OPPOSITE[relation], is_float)})"
    if relation == "ne" and is_float:  # C's != is true of NaN
        return "(x < y || x > y)"
    numbers = "x == x && y == y"
    return {"num": f"({numbers})", "nan": f"!({numbers})"}.get(relation) or f"x {SIGNS[relation]} y"


@instruction("setp")
def set_predicate(w, i):
    """setp.lt.and.s32 p|q, x, y, r: p is x < y and r, q is the opposite of x < y and r."""
    relation, type_ = i.modifiers[0], i.type
    if relation in OF_UNSIGNED:
        relation, type_ = OF_UNSIGNED[relation], unsigned(type_)
    x, y = (w.float_source(i, operand, type_) for operand in i.operands[1:3])
    lines = [f"{ctype(type_)} x = {x}, y = {y};", f"pred c = {compared(relation, type_ in FLOATS)};"]
    more = ""
    if combine := i.one_of(*COMBINE):
        lines.append(f"pred r = {w.source(i.operands[3], 'pred')};")
        more = f" {COMBINE[combine]} r"
    for target, value in zip(i.operands[0].split("|"), ("c", "!c"), strict=False):
        lines.append(w.assign(target.strip(), "pred", value + more))
    return f"{{ {' '.join(lines)} }}"


@instruction("selp")
def select(w, i):
    type_ = raw(i.type)
    x, y, p = w.source(i.operands[1], type_), w.source(i.operands[2], type_), w.source(i.operands[3], "pred")
    return w.assign(i.operands[0], type_, f"{p} ? {x} : {y}")
