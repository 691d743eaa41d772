"""memory: loads, stores, addresses and atomics."""

from ptx.instructions.table import instruction
from ptx.types import BITS, FLOATS, ctype, is_signed, raw, unsigned

SPACES = {"global": "global", "const": "global", "shared": "shared", "local": "local"}


def place(w, i, address, size):
    """The host's pointer to a checked address."""
    if i.has("param"):
        return f"(char*){w.address(address)}"
    space = SPACES.get(i.one_of(*SPACES), "generic")
    what = ".".join([i.name, *i.modifiers])
    return f'{space}_at(t, {w.address(address)}, {size}, "{what}")'


def elements(i, operand):
    """The registers of {%r1, %r2}, or the one there is; bytes of each."""
    return operand.strip("{} ").replace(" ", "").split(","), BITS[i.type] // 8


@instruction("ld")
def load(w, i):
    registers, size = elements(i, i.operands[0])
    type_ = i.type if is_signed(i.type) else unsigned(i.type)
    lines = [f"char* p = {place(w, i, i.operands[1], size * len(registers))};"]
    lines += [w.assign(r, type_, f"LOAD({ctype(type_)}, p + {n * size})") for n, r in enumerate(registers)]
    return f"{{ {' '.join(lines)} }}"


@instruction("st")
def store(w, i):
    values, size = elements(i, i.operands[1])
    lines = [f"char* p = {place(w, i, i.operands[0], size * len(values))};"]
    type_ = raw(i.type)
    lines += [f"STORE({ctype(type_)}, p + {n * size}, {w.source(v, type_)});" for n, v in enumerate(values)]
    return f"{{ {' '.join(lines)} }}"


@instruction("mov")
def move(w, i):
    """Also packs and unpacks: mov.b64 {%r1, %r2}, %rd1."""
    target, source = i.operands
    type_ = raw(i.type)
    if target.startswith("{"):
        registers = target.strip("{} ").replace(" ", "").split(",")
        width = BITS[type_] // len(registers)
        parts = [w.assign(r, f"u{width}", f"whole >> {n * width}") for n, r in enumerate(registers) if r != "_"]
        return f"{{ {ctype(type_)} whole = {w.source(source, type_)}; {' '.join(parts)} }}"
    if source.startswith("{"):
        values = source.strip("{} ").replace(" ", "").split(",")
        width = BITS[type_] // len(values)
        parts = [f"({ctype(type_)}){w.source(v, f'u{width}')} << {n * width}" for n, v in enumerate(values)]
        return w.assign(target, type_, " | ".join(parts))
    return w.assign(target, type_, w.source(source, type_))


@instruction("cvta")
def convert_address(w, i):
    """Generic addresses of shared memory are the host's; all others are the same in both worlds."""
    value = w.source(i.operands[1], "u64")
    if i.has("shared"):
        value += f" {'-' if i.has('to') else '+'} (u64)k->shared"
    return w.assign(i.operands[0], "u64", value)


@instruction("atom")
def atomic(w, i):
    target, address, *values = i.operands
    operation = i.one_of("add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec")
    counts = operation == "add" and i.type in FLOATS
    type_ = i.type if counts or is_signed(i.type) else unsigned(i.type)
    arguments = ", ".join([place(w, i, address, BITS[type_] // 8), *(w.source(v, type_) for v in values)])
    return w.assign(target, type_, f"atom_{operation}_{type_}({arguments})")


@instruction("red")
def reduction(w, i):
    i.operands.insert(0, "_")
    return atomic(w, i)


@instruction("membar", "fence", "prefetch", "prefetchu", "discard", "applypriority", "nanosleep", "griddepcontrol")
def nothing_to_do(w, i):
    """Threads take turns, and see each other's writes at once."""
    return ";"
