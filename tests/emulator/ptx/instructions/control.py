"""control: jumps, calls and the end."""

import re

from ptx.instructions.table import instruction
from ptx.names import label, symbol
from ptx.types import PtxError


@instruction("bra")
def jump(w, i):
    return f"goto {label(i.operands[0])};"


@instruction("brx")
def jump_by_number(w, i):
    number, targets = i.operands
    cases = [f"case {n}: goto {label(target)};" for n, target in enumerate(w.targets[targets])]
    cases.append('default: k->device->die(t, "brx.idx: no such label");')
    return f"switch ({w.source(number, 'u32')}) {{ {' '.join(cases)} }}"


@instruction("ret")
def give_back(w, i):
    return "return;"


@instruction("exit")
def leave(w, i):
    if not w.function.is_kernel:
        raise PtxError("exit in a function that is called")
    return "return;"


@instruction("trap", "brkpt")
def end(w, i):
    return f'k->device->die(t, "{i.name}");'


CALL = re.compile(r"(?:\((?P<returns>[^)]*)\),)?(?P<name>[\w$%]+)(?:,\((?P<params>[^)]*)\))?")


@instruction("call")
def call(w, i):
    match = CALL.fullmatch(",".join(i.operands).replace(" ", ""))
    if not match or match["name"].startswith("%"):
        raise PtxError(f"a call that is not known: {i.text}")
    returns, params = ([x for x in (match[k] or "").split(",") if x] for k in ("returns", "params"))
    if match["name"] == "vprintf":
        arguments = ", ".join(f"LOAD(u64, (char*){w.address_of(x)})" for x in params)
        return f"STORE(u32, (char*){w.address_of(returns[0])}, k->device->print(t, {arguments}));"
    if match["name"] == "__assertfail":
        return 'k->device->die(t, "an assertion of the kernel failed");'
    return call_function(w, match["name"], returns, params)


def call_function(w, name, returns, params):
    """Parameters and results are in memory on both sides."""
    if name not in w.module.defined:
        raise PtxError(f"{name} is called, and is nowhere defined")
    w.calls.append(name)
    lists = [", ".join([f"(char*){w.address_of(x)}" for x in names] + ["0"]) for names in (returns, params)]
    return f"{{ char *out[] = {{{lists[0]}}}, *in[] = {{{lists[1]}}}; {symbol(name)}(t, out, in); }}"
