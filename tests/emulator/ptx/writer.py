"""writer: a PTX module as C.

Registers are local variables without a sign, as wide as declared; an instruction reads an operand as a value of its
own type (`Writer.source`) and writes the bits of its result (`Writer.assign`).
"""

import re
from typing import NamedTuple

from ptx.instructions import WRITERS
from ptx.names import label, register, symbol
from ptx.parser import Function, Instruction, Label, Registers, Scope, Targets, Variable, integer, parse
from ptx.types import BITS, FLOATS, PtxError, ctype, unsigned

SPECIAL = {
    "%laneid": "(t->id & 31)",
    "%warpid": "(t->id >> 5)",
    "%lanemask_eq": "(1u << (t->id & 31))",
    "%lanemask_lt": "((1u << (t->id & 31)) - 1)",
    "%lanemask_le": "((2u << (t->id & 31)) - 1)",
    "%lanemask_gt": "~((2u << (t->id & 31)) - 1)",
    "%lanemask_ge": "~((1u << (t->id & 31)) - 1)",
    "%clock": "(u32)k->clock++",
    "%clock64": "k->clock++",
    "%globaltimer": "k->clock++",
    "WARP_SZ": "32u",
}
for axis in "xyz":
    SPECIAL |= {f"%tid.{axis}": f"t->{axis}", f"%ntid.{axis}": f"k->n{axis}"}
    SPECIAL |= {f"%ctaid.{axis}": f"k->b{axis}", f"%nctaid.{axis}": f"k->g{axis}"}

ARITHMETIC = r"(?:add|sub|mul|mad|fma|div|rcp|sqrt|rsqrt|ex2|lg2|sin|cos|tanh)"

CHOOSING = ("min", "max", "abs", "neg", "cvt")  # no arithmetic for the processor, which flushes nothing then


class Place(NamedTuple):
    """Where a variable is: the C expression of its address."""

    space: str
    address: str


def translate(text):
    """The C text of a PTX module."""
    module = parse(text)
    # The processor flushes denormals of all operations or of none.
    flushed = re.search(r"\.ftz\b", text) and not re.search(rf"\.f64\b|\b{ARITHMETIC}\.(?!\S*ftz)\S*f32\b", text)
    return ModuleWriter(module, "processor" if flushed else "instructions").text()


class ModuleWriter:
    def __init__(self, module, flush):
        self.module, self.flush = module, flush
        self.places, self.shared_size = {}, 0
        self.defined = {f.name for f in module.functions if f.statements is not None}
        self.writers = {}

    def text(self):
        lines = ['#include "floats.h"', '#include "integers.h"', *map(self.variable, self.module.variables)]
        self.writers = {
            f.name: Writer(self, f, self.shared_size) for f in self.module.functions if f.statements is not None
        }
        lines += [writer.head() + ";" for writer in self.writers.values()]
        kernels = []
        for name, writer in self.writers.items():
            lines.append(writer.text())
            if writer.function.is_kernel:
                lines += [kernel_block(name), kernel_params(writer)]
                kernels.append(self.kernel_info(writer))
        variables = [v for v in self.module.variables if v.space != "shared"]
        lines.append(table("GlobalInfo globals", [global_info(v) for v in variables]))
        lines.append(table("KernelInfo kernels", kernels))
        return "\n".join(lines) + "\n"

    def variable(self, v):
        """Its declaration, empty for one in shared memory, which has only an offset."""
        if v.space == "shared":
            self.places[v.name], self.shared_size = shared_place(v, self.shared_size)
            return ""
        self.places[v.name] = Place("global", symbol(v.name))
        initial = f"static const u8 initial_{symbol(v.name)}[] = {{{', '.join(map(str, v.initial or b''))}}};\n"
        return (initial if v.initial else "") + f"static u64 {symbol(v.name)};"

    def called_by(self, name, found=()):
        """The writers of a function and of all that it calls."""
        if name in found:
            return []
        writer = self.writers[name]
        return [writer, *(w for callee in writer.calls for w in self.called_by(callee, (*found, name)))]

    def kernel_info(self, w):
        name, size = w.function.name, -(-w.shared_size // 16) * 16
        info = [f'"{name}"', symbol(name), f"block_{symbol(name)}", f"params_{symbol(name)}"]
        called = self.called_by(name)
        info += [len(w.function.params), w.params_size, size, sum(c.local for c in called)]
        waits = any(c.waits for c in called)
        return ", ".join(map(str, [*info, int(waits), int(self.flush == "processor"), w.function.max_threads]))


def shared_place(v, size):
    """Where a shared variable goes, `size` bytes being taken; how many are taken then."""
    if v.size == 0:  # as many bytes as the launch asks for, behind all others
        return Place("shared", "(u64)(k->shared_size - k->dynamic_size)"), size
    start = -(-size // v.align) * v.align
    return Place("shared", f"{start}ull"), start + v.size


def global_info(v):
    return f'"{v.name}", &{symbol(v.name)}, {v.size}, {f"initial_{symbol(v.name)}" if v.initial else "0"}'


def table(name, rows):
    return f"const {name}[] = {{{', '.join(f'{{{row}}}' for row in [*rows, 0])}}};"


def kernel_params(w):
    rows = [f"{offset}, {p.size}" for p, offset in zip(w.function.params, w.offsets, strict=True)]
    return table(f"ParamInfo params_{symbol(w.function.name)}", rows).replace("const", "static const", 1)


def kernel_block(name):
    """All threads of a block one after the other, for kernels in which none waits."""
    return (
        f"static void block_{symbol(name)}(Block* k) {{\n"
        "    Thread thread = {.block = k}, *t = &thread;\n"
        "    for (t->z = 0; t->z < k->nz; t->z++)\n"
        "        for (t->y = 0; t->y < k->ny; t->y++)\n"
        f"            for (t->x = 0; t->x < k->nx; t->x++, t->id++) {symbol(name)}(t);\n"
        "}"
    )


class Writer:
    """One function."""

    def __init__(self, module, function: Function, shared_size):
        self.module, self.function, self.shared_size = module, function, shared_size
        self.scopes, self.lines, self.declarations, self.used = [{}], [], [], {}
        self.targets, self.calls, self.waits, self.local = {}, [], False, 0
        self.line = ""
        self.place_parameters()
        for statement in function.statements:
            self.write(statement)

    def place_parameters(self):
        self.offsets, self.params_size = [], 0
        for n, p in enumerate(self.function.returns):
            self.scopes[0][p.name] = Place("param", f"(u64)returns[{n}]")
        for n, p in enumerate(self.function.params):
            self.offsets.append(-(-self.params_size // p.align) * p.align)
            self.params_size = self.offsets[-1] + p.size
            address = f"(u64)k->params + {self.offsets[-1]}" if self.function.is_kernel else f"(u64)params[{n}]"
            self.scopes[0][p.name] = Place("param", f"({address})")

    def head(self):
        more = "" if self.function.is_kernel else ", char** returns, char** params"
        return f"static void {symbol(self.function.name)}(Thread* t{more})"

    def text(self):
        lines = [f"{self.head()} {{", "    Block* k = t->block;"]
        lines += [f"    {type_} {name} = 0;" for name, type_ in self.used.items()]
        return "\n".join([*lines, *(f"    {line}" for line in self.declarations + self.lines), "}"])

    # -- statements

    def write(self, statement):
        match statement:
            case Scope(opens=True):
                self.scopes.append({})
                self.lines.append("{")
            case Scope():
                self.scopes.pop()
                self.lines.append("}")
            case Label(name):
                self.lines.append(f"{label(name)}:;")
            case Targets(name, labels):
                self.targets[name] = labels
            case Registers(type_, names):
                for name in names:
                    self.scopes[-1][name] = self.register_type(type_)
            case Variable():
                self.write_variable(statement)
            case Instruction():
                self.write_instruction(statement)

    def register_type(self, type_):
        if type_ not in BITS:
            raise PtxError(f"registers of type {type_} are not known")
        return "pred" if type_ == "pred" else unsigned(type_)

    def write_variable(self, v):
        if v.space == "shared":
            self.scopes[-1][v.name], self.shared_size = shared_place(v, self.shared_size)
            return
        name = "v_" + re.sub(r"\W", "_", v.name)
        declaration = f"char {name}[{max(v.size, 1)}] __attribute__((aligned(16)));"
        if v.space == "local":
            self.local += v.size + 16
            self.declarations += [declaration, f"memset({name}, 0xff, sizeof {name});"]
        else:
            self.lines.append(declaration)
        self.scopes[-1][v.name] = Place(v.space, f"(u64){name}")

    def write_instruction(self, i):
        self.line = i.text
        write = WRITERS.get(i.name)
        if write is None:
            raise PtxError(f"no such instruction here: {i.text}  (add it to tests/emulator/ptx/instructions)")
        try:
            code = write(self, i)
        except (IndexError, KeyError, StopIteration, ValueError) as error:
            raise PtxError(f"this form of {i.name} is not known: {i.text}") from error
        if i.guard:
            register = self.register(i.guard.lstrip("!"))
            code = f"if ({'!' * i.guard.startswith('!')}{register}) {{ {code} }}"
        self.lines.append(code)

    # -- operands

    def find(self, name):
        return next((scope[name] for scope in reversed(self.scopes) if name in scope), None)

    def is_register(self, name):
        return isinstance(self.find(name), str)

    def register(self, name):
        """The C variable of a register."""
        type_ = self.find(name)
        if not isinstance(type_, str):
            raise PtxError(f"{self.function.name}: no register {name}: {self.line}")
        depth = max(n for n, scope in enumerate(self.scopes) if name in scope)
        variable = register(name) + (f"_{depth}_{type_}" if depth else "")  # inner scopes may use a name again
        self.used[variable] = type_
        return variable

    def address_of(self, name):
        """The address of a variable, as a C expression."""
        place = self.find(name) or self.module.places.get(name)
        if not isinstance(place, Place):
            raise PtxError(f"{self.function.name}: no register or variable {name}: {self.line}")
        return place.address

    def source(self, x, type_):
        """The operand x as a C expression of the given type."""
        if x.startswith("!"):
            return f"(!{self.register(x[1:])})"
        if self.is_register(x):
            return self.read_register(x, type_)
        if re.match(r"-?\d", x):
            return self.number(x, type_)
        value = SPECIAL.get(x) or self.address(f"[{x}]")
        return f"(({ctype(type_)})({value}))"

    def read_register(self, x, type_):
        variable = self.register(x)
        if type_ in FLOATS:
            return f"{type_}_of({variable})"
        return variable if self.find(x) == ctype(type_) else f"(({ctype(type_)}){variable})"

    def number(self, x, type_):
        value = integer(x.lstrip("-")) * (-1 if x.startswith("-") else 1)
        if type_ == "pred":
            return str(value)
        if type_ in FLOATS:
            return f"{type_}_of({value:#x}u{'ll' * (type_ == 'f64')})"
        value %= 1 << BITS[type_]
        return f"(({ctype(type_)}){value}u{'ll' * (BITS[type_] > 32)})"

    def float_source(self, i, x, type_=None):
        """A source of an instruction that may flush its operands."""
        return self.flushed(i, self.source(x, type_ or i.type), type_ or i.type)

    def flushed(self, i, value, type_):
        explicit = self.module.flush == "instructions" or i.name in CHOOSING
        return f"flushed({value})" if explicit and i.has("ftz") and type_ == "f32" else value

    def assign(self, x, type_, value):
        """C that writes a value of the given type to the register x; "_" is a value that nobody wants."""
        if x == "_":
            return f"(void)({value});"
        variable = self.register(x)
        if type_ in FLOATS:
            return f"{variable} = bits_{type_}({value});"
        if type_ == "pred":
            return f"{variable} = {value};"
        return f"{variable} = ({self.find(x)})({ctype(type_)})({value});"

    def assign_float(self, i, x, value):
        """The result of a floating-point instruction, flushed and saturated where it says so."""
        if i.has("sat"):
            value = f"saturated_{i.type}({value})"
        return self.assign(x, i.type, self.flushed(i, value, i.type))

    def address(self, x):
        """[%rd1+8], [name], [name+-4], [16] as a C expression."""
        match = re.fullmatch(r"\[\s*([\w$%]+)\s*(?:\+\s*(-?\d+))?\s*\]", x)
        if not match:
            raise PtxError(f"an address that is not known: {self.line}")
        base, offset = match[1], int(match[2] or 0)
        if self.is_register(base):
            start = f"(u64){self.register(base)}"
        else:
            start = f"{base}ull" if base.isdigit() else self.address_of(base)
        return f"({start} + ({offset}ll))" if offset else f"({start})"
