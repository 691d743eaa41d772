"""threads: barriers, and operations in which the lanes of a warp see each other."""

from ptx.instructions.table import instruction
from ptx.types import PtxError


@instruction("bar", "barrier")
def barrier(w, i):
    w.waits = True
    if i.has("warp"):
        return f"warp_operation(t, WARP_SYNC, 0, 0, 0, {w.source(i.operands[0], 'u32')});"
    if i.has("arrive"):
        raise PtxError(f"bar.arrive is not known: {i.text}")
    if i.has("red"):
        return reduce_at_barrier(w, i)
    number, expected = ([w.source(x, "u32") for x in i.operands] + ["0", "0"])[:2]
    return f"barrier(t, NO_REDUCTION, 0, {number}, {expected});"


def reduce_at_barrier(w, i):
    target, number, *expected, value = i.operands
    operation = f"BARRIER_{i.one_of('popc', 'and', 'or').upper()}"
    count = w.source(expected[0], "u32") if expected else "0"
    wait = f"barrier(t, {operation}, {w.source(value, 'pred')}, {w.source(number, 'u32')}, {count});"
    return f"{wait} {w.assign(target, 'u32' if i.has('popc') else 'pred', 't->result')}"


def operate(w, i, operation, type_, value, b="0", c="0", mask="0xffffffffu"):
    """One operation of a warp: %r1 or %r1|%p1 is the target."""
    w.waits = True
    target, *flag = (x.strip() for x in i.operands[0].split("|"))
    result = w.assign(target, type_, f"warp_operation(t, {operation}, {value}, {b}, {c}, {mask})")
    return " ".join([result, *(w.assign(x, "pred", "t->flag") for x in flag)])


@instruction("shfl")
def shuffle(w, i):
    operation = f"SHFL_{i.one_of('up', 'down', 'bfly', 'idx').upper()}"
    return operate(w, i, operation, "b32", *(w.source(x, "u32") for x in i.operands[1:]))


@instruction("vote")
def vote(w, i):
    what = i.one_of("any", "all", "uni", "ballot")
    value, mask = w.source(i.operands[1], "pred"), w.source(i.operands[2], "u32")
    return operate(w, i, f"VOTE_{what.upper()}", "b32" if what == "ballot" else "pred", value, mask=mask)


@instruction("match")
def match(w, i):
    value, mask = w.source(i.operands[1], i.type), w.source(i.operands[2], "u32")
    return operate(w, i, f"MATCH_{i.one_of('any', 'all').upper()}", "b32", value, mask=mask)


@instruction("redux")
def reduce(w, i):
    operation = i.one_of("add", "min", "max", "and", "or", "xor")
    if i.type == "u32" and operation in ("min", "max"):
        operation = f"u{operation}"
    value, mask = w.source(i.operands[1], "u32"), w.source(i.operands[2], "u32")
    return operate(w, i, f"REDUX_{operation.upper()}", "u32", value, mask=mask)


@instruction("activemask")
def active(w, i):
    """Threads take turns: each is alone."""
    return w.assign(i.operands[0], "b32", "1u << (t->id & 31)")
