"""bits: logic, shifts, bit fields, counting."""

from ptx.instructions.table import instruction
from ptx.types import BITS, is_signed, unsigned

SIGNS = {"and": "&", "or": "|", "xor": "^"}


@instruction(*SIGNS)
def logic(w, i):
    x, y = (w.source(operand, i.type) for operand in i.operands[1:])
    return w.assign(i.operands[0], i.type, f"{x} {SIGNS[i.name]} {y}")


@instruction("not")
def complement(w, i):
    return w.assign(i.operands[0], i.type, f"{'!' if i.type == 'pred' else '~'}{w.source(i.operands[1], i.type)}")


@instruction("shl", "shr")
def shift(w, i):
    type_ = i.type if is_signed(i.type) and i.name == "shr" else unsigned(i.type)
    x, n = w.source(i.operands[1], type_), w.source(i.operands[2], "u32")
    return w.assign(i.operands[0], type_, f"{i.name}_{type_}({x}, {n})")


@instruction("shf")
def funnel_shift(w, i):
    low, high, n = (w.source(operand, "b32") for operand in i.operands[1:])
    count = f"count_of({n}, {int(i.has('wrap'))})"
    return w.assign(i.operands[0], "b32", f"funnel_{'left' if i.has('l') else 'right'}({low}, {high}, {count})")


@instruction("bfe")
def extract(w, i):
    x, p, n = w.source(i.operands[1], i.type), *(w.source(operand, "u32") for operand in i.operands[2:])
    return w.assign(i.operands[0], i.type, f"bfe_{i.type}({x}, {p}, {n})")


@instruction("bfi")
def insert(w, i):
    x, y = (w.source(operand, unsigned(i.type)) for operand in i.operands[1:3])
    p, n = (w.source(operand, "u32") for operand in i.operands[3:])
    return w.assign(i.operands[0], unsigned(i.type), f"bfi_({x}, {y}, {p}, {n}, {BITS[i.type]})")


@instruction("popc")
def count_ones(w, i):
    return w.assign(i.operands[0], "u32", f"__builtin_popcountll({w.source(i.operands[1], unsigned(i.type))})")


@instruction("clz")
def count_leading_zeros(w, i):
    x = w.source(i.operands[1], unsigned(i.type))
    return w.assign(i.operands[0], "u32", f"{x} ? __builtin_clzll({x}) - {64 - BITS[i.type]} : {BITS[i.type]}")


@instruction("brev")
def reverse(w, i):
    u = unsigned(i.type)
    return w.assign(i.operands[0], u, f"reversed_{u}({w.source(i.operands[1], u)})")


@instruction("prmt", "lop3")
def choose(w, i):
    arguments = ", ".join(w.source(operand, "b32") for operand in i.operands[1:])
    return w.assign(i.operands[0], "b32", f"{i.name}_({arguments})")
