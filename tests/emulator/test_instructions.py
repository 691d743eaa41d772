"""Every instruction of PTX that the emulated device knows, on numbers of every kind, against NumPy or plain Python."""

import contextlib
import math
from fractions import Fraction

import numpy as np
import pytest
from emulator.by_hand import TYPES, Case, assert_equal, compute, entry, load_ptx, module

I32, U32, I64, U64 = np.int32, np.uint32, np.int64, np.uint64


def bits_of(type_):
    return 8 * np.dtype(TYPES[type_]).itemsize


def exactly(function):
    """A function of Python's own integers, one element after the other, for each element of arrays."""

    def on_arrays(*arrays):
        results = [function(*(x.item() for x in row)) for row in zip(*arrays, strict=True)]
        return np.array([r & (1 << 64) - 1 for r in results], U64)

    return on_arrays


def integer(opcode, function, types=("s32", "u32", "s64", "u64", "s16", "u16"), inputs="{0} {0}", out="{0}", code=""):
    """One case a type.  {0} is the type, and {1} twice as wide."""
    for type_ in types:
        wider = f"{type_[0]}{2 * bits_of(type_)}"
        operands = ", ".join(f"%{x}" for x in "abcde"[: len(inputs.split())])
        text = (code or f"{opcode} %z, {operands};").format(type_, wider)
        yield Case(text, inputs.format(type_, wider), out.format(type_, wider), exactly(function(type_)))


def wraps(function):
    return lambda type_: function


def divided(a, b, type_):
    if b == 0:
        return -1
    return abs(a) // abs(b) * (-1 if (a < 0) != (b < 0) else 1)


def remainder(a, b, type_):
    return a if b == 0 else a - b * divided(a, b, type_)


WIDE = ("s32", "u32", "s16", "u16")
WORDS = ("s32", "u32", "s64", "u64")

INTEGERS = [
    *integer("add.{0}", wraps(lambda a, b: a + b)),
    *integer("sub.{0}", wraps(lambda a, b: a - b)),
    *integer("mul.lo.{0}", wraps(lambda a, b: a * b)),
    *integer("mul.hi.{0}", lambda t: lambda a, b: a * b >> bits_of(t)),
    *integer("mul.wide.{0}", wraps(lambda a, b: a * b), WIDE, out="{1}"),
    *integer("mad.lo.{0}", wraps(lambda a, b, c: a * b + c), inputs="{0} {0} {0}"),
    *integer("mad.hi.{0}", lambda t: lambda a, b, c: (a * b >> bits_of(t)) + c, WORDS, "{0} {0} {0}"),
    *integer("mad.wide.{0}", wraps(lambda a, b, c: a * b + c), WIDE, "{0} {0} {1}", "{1}"),
    *integer("div.{0}", lambda t: lambda a, b: divided(a, b, t)),
    *integer("rem.{0}", lambda t: lambda a, b: remainder(a, b, t)),
    *integer("min.{0}", wraps(min)),
    *integer("max.{0}", wraps(max)),
    *integer("neg.{0}", wraps(lambda a: -a), ("s16", "s32", "s64"), "{0}"),
    *integer("abs.{0}", wraps(abs), ("s16", "s32", "s64"), "{0}"),
    *integer("add.sat.{0}", wraps(lambda a, b: max(-(2**31), min(2**31 - 1, a + b))), ["s32"]),
    *integer("sub.sat.{0}", wraps(lambda a, b: max(-(2**31), min(2**31 - 1, a - b))), ["s32"]),
]


def carries():
    """The condition code as one sees it: the high word of a sum, difference or product of two words."""

    def upper(function):
        return lambda *words: (function(words[0] | words[1] << 32, words[2] | words[3] << 32) >> 32) & 0xFFFFFFFF

    four, word = "u32 u32 u32 u32", exactly
    yield Case("add.cc.u32 %r1, %a, %c; addc.u32 %z, %b, %d;", four, "u32", word(upper(lambda x, y: x + y)))
    yield Case("sub.cc.u32 %r1, %a, %c; subc.u32 %z, %b, %d;", four, "u32", word(upper(lambda x, y: x - y)))
    chain = "add.cc.u32 %r1, %a, %c; addc.cc.u32 %r2, %b, %d; addc.u32 %z, 0, 0;"
    yield Case(chain, four, "u32", word(lambda a, b, c, d: (a + c + (b + d << 32)) >> 64))
    chain = "sub.cc.u32 %r1, %a, %c; subc.cc.u32 %r2, %b, %d; subc.u32 %z, 0, 0;"
    yield Case(chain, four, "u32", word(lambda a, b, c, d: (a - c + (b - d << 32)) >> 64))
    chain = "mad.lo.cc.u32 %r1, %a, %b, %c; madc.hi.u32 %z, %a, %b, %d;"
    yield Case(chain, four, "u32", word(lambda a, b, c, d: (a * b + c + (d << 32)) >> 32))
    chain = "mad.lo.cc.u32 %r1, %a, %b, %c; madc.hi.cc.u32 %r2, %a, %b, %d; addc.u32 %z, 0, 0;"
    yield Case(chain, four, "u32", word(lambda a, b, c, d: (a * b + c + (d << 32)) >> 64))
    chain = "add.cc.u32 %r1, %a, %b; madc.lo.cc.u32 %r1, %c, %d, 5; addc.u32 %z, 0, 0;"
    yield Case(chain, four, "u32", word(lambda a, b, c, d: (c * d % 2**32 + 5 + (a + b >> 32)) >> 32))


def field(a, p, n, bits, signed):
    """bfe of a number that Python sees with its sign: the bits above the top are copies of it."""
    p, n = p & 255, n & 255
    return (
        0
        if n == 0
        else (a >> min(p, bits) if signed or p < bits else 0) & (1 << n) - 1
        | (-1 << n if signed and (a >> min(p + n - 1, bits - 1)) & 1 else 0)
    )


def inserted(a, b, p, n, bits):
    p, n = p & 255, n & 255
    mask = ((1 << n) - 1 << p) & (1 << bits) - 1
    return b & ~mask | a << p & mask


def permuted(a, b, choice):
    whole = (a | b << 32).to_bytes(8, "little")
    chosen = [(whole[choice >> 4 * i & 7], choice >> 4 * i & 8) for i in range(4)]
    return int.from_bytes(bytes((255 if x & 128 else 0) if sign else x for x, sign in chosen), "little")


def looked_up(a, b, c):
    table = 0xE8  # the majority
    return sum((table >> (4 * (a >> i & 1) + 2 * (b >> i & 1) + (c >> i & 1)) & 1) << i for i in range(32))


SHIFTED = ("b16", "b32", "b64")
BIT_FIELDS = [
    *integer("and.{0}", wraps(lambda a, b: a & b), SHIFTED),
    *integer("or.{0}", wraps(lambda a, b: a | b), SHIFTED),
    *integer("xor.{0}", wraps(lambda a, b: a ^ b), SHIFTED),
    *integer("not.{0}", wraps(lambda a: ~a), SHIFTED, "{0}"),
    *integer("shl.{0}", wraps(lambda a, n: a << min(n, 64)), SHIFTED, "{0} u32"),
    *integer("shr.{0}", wraps(lambda a, n: a >> min(n, 64)), ("u16", "u32", "u64", "s16", "s32", "s64"), "{0} u32"),
    *integer("shf.l.wrap.{0}", wraps(lambda a, b, n: (a | b << 32) << (n & 31) >> 32), ["b32"], "{0} {0} u32"),
    *integer("shf.r.wrap.{0}", wraps(lambda a, b, n: (a | b << 32) >> (n & 31)), ["b32"], "{0} {0} u32"),
    *integer("shf.l.clamp.{0}", wraps(lambda a, b, n: (a | b << 32) << min(n, 32) >> 32), ["b32"], "{0} {0} u32"),
    *integer("shf.r.clamp.{0}", wraps(lambda a, b, n: (a | b << 32) >> min(n, 32)), ["b32"], "{0} {0} u32"),
    *integer("bfe.{0}", lambda t: lambda a, p, n: field(a, p, n, bits_of(t), t[0] == "s"), WORDS, "{0} u32 u32"),
    *integer(
        "bfi.{0}", lambda t: lambda a, b, p, n: inserted(a, b, p, n, bits_of(t)), ["b32", "b64"], "{0} {0} u32 u32"
    ),
    *integer("popc.{0}", wraps(lambda a: a.bit_count()), ["b32", "b64"], "{0}", "u32"),
    *integer("clz.{0}", lambda t: lambda a: bits_of(t) - a.bit_length(), ["b32", "b64"], "{0}", "u32"),
    *integer("brev.{0}", lambda t: lambda a: int(f"{a:0{bits_of(t)}b}"[::-1], 2), ["b32", "b64"], "{0}"),
    *integer("prmt.{0}", wraps(permuted), ["b32"], "{0} {0} {0}"),
    *integer("", wraps(looked_up), ["b32"], "{0} {0} {0}", code="lop3.b32 %z, %a, %b, %c, 0xE8;"),
    Case("and.pred %z, %a, %b;", "pred pred", "pred", lambda a, b: a & b),
    Case("or.pred %z, %a, %b;", "pred pred", "pred", lambda a, b: a | b),
    Case("xor.pred %z, %a, %b;", "pred pred", "pred", lambda a, b: a ^ b),
    Case("not.pred %z, %a;", "pred", "pred", lambda a: 1 - a),
]


def flush(x):
    return (
        np.where(np.abs(x) < np.finfo(np.float32).tiny, np.copysign(np.float32(0), x), x)
        if x.dtype == np.float32
        else x
    )


def flushing(function):
    return lambda *x: flush(np.asarray(function(*map(flush, x))))


def smaller(a, b):
    """-0 is smaller than 0, and a number beats NaN."""
    return np.where(a == b, np.where(np.signbit(a), a, b), np.fmin(a, b))


def larger(a, b):
    return np.where(a == b, np.where(np.signbit(a), b, a), np.fmax(a, b))


FLOATS = [
    Case(f"{name}.{kind} %z, %a, %b;", f"{t} {t}", t, function)
    for t, kind in (("f16", "rn.f16"), ("f32", "rn.f32"), ("f64", "rn.f64"))
    for name, function in (("add", np.add), ("sub", np.subtract), ("mul", np.multiply), ("div", np.divide))
    if (t, name) != ("f16", "div")  # PTX has none
]
FLOATS += [
    Case("fma.rn.f16 %z, %a, %b, %c;", "f16 f16 f16", "f16", lambda a, b, c: a.astype(np.float64) * b + c),
    Case("neg.f16 %z, %a;", "f16", "f16", np.negative),
    Case("abs.f16 %z, %a;", "f16", "f16", np.abs),
    Case("max.f16 %z, %a, %b;", "f16 f16", "f16", larger),
]
FLOATS += [
    case
    for t in ("f32", "f64")
    for case in (
        Case(f"min.{t} %z, %a, %b;", f"{t} {t}", t, smaller),
        Case(f"max.{t} %z, %a, %b;", f"{t} {t}", t, larger),
        Case(f"neg.{t} %z, %a;", t, t, np.negative),
        Case(f"abs.{t} %z, %a;", t, t, np.abs),
        Case(f"copysign.{t} %z, %a, %b;", f"{t} {t}", t, lambda a, b: np.copysign(b, a)),
        Case(f"sqrt.rn.{t} %z, %a;", t, t, np.sqrt),
        Case(f"rcp.rn.{t} %z, %a;", t, t, lambda a: 1 / a),
        Case(f"rsqrt.approx.{t} %z, %a;", t, t, lambda a: 1 / np.sqrt(a.astype(np.float64)), 1e-6),
    )
]
FLOATS += [
    Case(
        "min.NaN.f32 %z, %a, %b;", "f32 f32", "f32", lambda a, b: np.where((a != a) | (b != b), np.nan, smaller(a, b))
    ),
    Case("max.NaN.f32 %z, %a, %b;", "f32 f32", "f32", lambda a, b: np.where((a != a) | (b != b), np.nan, larger(a, b))),
    Case("add.sat.f32 %z, %a, %b;", "f32 f32", "f32", lambda a, b: np.clip(np.nan_to_num(a + b, nan=0), 0, 1) + 0),
    Case("add.f32 %z, %a, 0f3F800000;", "f32", "f32", lambda a: a + np.float32(1)),
    Case("add.f64 %z, %a, 0dC000000000000000;", "f64", "f64", lambda a: a - 2),
    Case("ex2.approx.f32 %z, %a;", "f32", "f32", np.exp2, 1e-5),
    Case("lg2.approx.f32 %z, %a;", "f32", "f32", np.log2, 1e-5),
    Case("sin.approx.f32 %z, %a;", "f32", "f32", lambda a: np.sin(a.astype(np.float64)), 1e-5),
    Case("cos.approx.f32 %z, %a;", "f32", "f32", lambda a: np.cos(a.astype(np.float64)), 1e-5),
    Case("tanh.approx.f32 %z, %a;", "f32", "f32", np.tanh, 1e-5),
    Case(
        "rcp.approx.ftz.f64 %z, %a;", "f64", "f64", lambda a: ((1 / a).view(U64) >> U64(32) << U64(32)).view(np.float64)
    ),
]
FLUSHED = [
    Case("mul.ftz.f32 %z, %a, %b;", "f32 f32", "f32", flushing(np.multiply)),
    Case("add.ftz.f32 %z, %a, %b;", "f32 f32", "f32", flushing(np.add)),
    Case("div.rn.ftz.f32 %z, %a, %b;", "f32 f32", "f32", flushing(np.divide)),
    Case("max.ftz.f32 %z, %a, %b;", "f32 f32", "f32", flushing(larger)),
    Case("abs.ftz.f32 %z, %a;", "f32", "f32", flushing(np.abs)),
    Case("setp.gt.ftz.f32 %z, %a, 0f00000000;", "f32", "pred", lambda a: flush(a) > 0),
]


def rounded(exact, towards):
    """A rational number as float32: to the nearest, down, up or to zero."""
    near = np.float32(float(exact) if abs(exact) < 1e300 else math.copysign(1e300, exact))
    around = [np.nextafter(near, np.float32(-np.inf)), near, np.nextafter(near, np.float32(np.inf))]
    finite = {x.item(): Fraction(x.item()) for x in around if np.isfinite(x)}
    if towards == "rn":
        return (
            near
            if len(finite) < 3
            else min(finite, key=lambda x: (abs(finite[x] - exact), np.float32(x).view(U32) % 2))
        )
    down = towards == "rm" or (towards == "rz" and exact > 0)
    if down:
        return max([x for x in finite if finite[x] <= exact], default=-math.inf)
    return min([x for x in finite if finite[x] >= exact], default=math.inf)


def root(x):
    """The square root, cut off far beyond the last bit that could matter."""
    return Fraction(math.isqrt(math.floor(x * 4**200)), 2**200)


def rational(function, of_others, towards):
    """Correctly rounded where all numbers are finite, and what NumPy says of the others."""

    def on_arrays(*arrays):
        others = of_others(*arrays)
        for i, row in enumerate(zip(*(a.tolist() for a in arrays), strict=True)):
            if np.all(np.isfinite(row)):
                with contextlib.suppress(ZeroDivisionError, ValueError):  # of math.isqrt
                    others[i] = rounded(function(*map(Fraction, row)), towards)
        return others

    return on_arrays


def directed():
    """Zeros may have either sign here; the nearest float32 is 6e-8 away from its neighbours."""
    operations = {
        "add": ("f32 f32", lambda a, b: a + b, np.add),
        "sub": ("f32 f32", lambda a, b: a - b, np.subtract),
        "mul": ("f32 f32", lambda a, b: a * b, np.multiply),
        "div": ("f32 f32", lambda a, b: a / b, np.divide),
        "fma": ("f32 f32 f32", lambda a, b, c: a * b + c, lambda a, b, c: a * b + c),
        "sqrt": ("f32", root, np.sqrt),
        "rcp": ("f32", lambda a: 1 / a, lambda a: 1 / a),
    }
    for name, (inputs, function, of_others) in operations.items():
        for towards in ("rn", "rz", "rm", "rp"):
            operands = ", ".join(f"%{x}" for x in "abc"[: len(inputs.split())])
            yield Case(
                f"{name}.{towards}.f32 %z, {operands};", inputs, "f32", rational(function, of_others, towards), 1e-12
            )
    for towards in ("rz", "rm", "rp"):
        yield Case(f"cvt.{towards}.f32.f64 %z, %a;", "f64", "f32", rational(lambda a: a, np.float32, towards), 1e-12)
        yield Case(f"cvt.{towards}.f32.s32 %z, %a;", "s32", "f32", rational(lambda a: a, np.float32, towards), 1e-12)
    wide = lambda a, b, c: a.astype(np.longdouble) * b + c  # noqa: E731
    yield Case("fma.rn.f64 %z, %a, %b, %c;", "f64 f64 f64", "f64", wide, 1e-15)


RELATIONS = {
    "eq": np.equal, "ne": lambda a, b: (a < b) | (a > b), "lt": np.less, "le": np.less_equal,
    "gt": np.greater, "ge": np.greater_equal,
}  # fmt: skip
UNORDERED = {
    "equ": "eq", "neu": "ne", "ltu": "lt", "leu": "le", "gtu": "gt", "geu": "ge",
}  # fmt: skip


def comparisons():
    for t in ("s16", "u16", "s32", "u32", "s64", "u64", "f16", "f32", "f64"):
        for name, function in RELATIONS.items():
            yield Case(f"setp.{name}.{t} %z, %a, %b;", f"{t} {t}", "pred", function)
    for t in ("f32", "f64"):
        for name, of_numbers in UNORDERED.items():
            function = RELATIONS[of_numbers]
            yield Case(
                f"setp.{name}.{t} %z, %a, %b;", f"{t} {t}", "pred",
                lambda a, b, f=function: f(a, b) | np.isnan(a) | np.isnan(b),
            )  # fmt: skip
        yield Case(f"setp.num.{t} %z, %a, %b;", f"{t} {t}", "pred", lambda a, b: ~(np.isnan(a) | np.isnan(b)))
        yield Case(f"setp.nan.{t} %z, %a, %b;", f"{t} {t}", "pred", lambda a, b: np.isnan(a) | np.isnan(b))
    for name, of_signed in (("lo", "lt"), ("ls", "le"), ("hi", "gt"), ("hs", "ge")):
        yield Case(f"setp.{name}.u32 %z, %a, %b;", "u32 u32", "pred", RELATIONS[of_signed])
    three = "s32 s32 pred"
    yield Case("setp.lt.and.s32 %z, %a, %b, %c;", three, "pred", lambda a, b, c: (a < b) & (c == 1))
    yield Case("setp.lt.or.s32 %p1|%z, %a, %b, %c;", three, "pred", lambda a, b, c: ~(a < b) | (c == 1))
    yield Case("setp.lt.xor.s32 %z|%p1, %a, %b, !%c;", three, "pred", lambda a, b, c: (a < b) ^ (c == 0))
    for t in ("s32", "b64", "f32", "f64", "u16"):
        yield Case(f"selp.{t} %z, %a, %b, %c;", f"{t} {t} pred", t, lambda a, b, c: np.where(c == 1, a, b))
    yield Case(
        "@%c mov.u32 %z, %a; @!%c mov.u32 %z, %b;", "u32 u32 pred", "u32", lambda a, b, c: np.where(c == 1, a, b)
    )


def clamped(round_, to):
    low, high = np.iinfo(TYPES[to]).min, np.iinfo(TYPES[to]).max
    not_a_number = -(2**63) if bits_of(to) == 64 else 0

    def convert(x):
        results = [
            not_a_number if math.isnan(v) else max(low, min(high, v if math.isinf(v) else round_(v)))
            for v in x.tolist()
        ]
        results = [high if r == math.inf else low if r == -math.inf else int(r) for r in results]
        return np.array([r & (1 << 64) - 1 for r in results], U64)

    return convert


def conversions():
    integers = ("s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64")
    for source in integers:
        for to in integers:
            if source != to:
                yield Case(f"cvt.{to}.{source} %z, %a;", source, to, lambda a, t=to: a.astype(TYPES[t]))
        for to in ("f32", "f64"):
            yield Case(f"cvt.rn.{to}.{source} %z, %a;", source, to, lambda a, t=to: a.astype(TYPES[t]))
    for source in ("f32", "f64"):
        for name, round_ in (("rni", round), ("rzi", math.trunc), ("rmi", math.floor), ("rpi", math.ceil)):
            for to in integers:
                yield Case(f"cvt.{name}.{to}.{source} %z, %a;", source, to, clamped(round_, to))
        for name, round_ in (("rni", np.rint), ("rzi", np.trunc), ("rmi", np.floor), ("rpi", np.ceil)):
            yield Case(f"cvt.{name}.{source}.{source} %z, %a;", source, source, round_)
        half = lambda a: a.astype(np.float16)  # noqa: E731
        yield Case(f"cvt.rn.f16.{source} %z, %a;", source, "f16", half)
        yield Case(f"cvt.{source}.f16 %z, %a;", "f16", source, lambda a, t=source: a.astype(TYPES[t]))
    for name, round_ in (("rni", round), ("rzi", math.trunc)):
        yield Case(f"cvt.{name}.s32.f16 %z, %a;", "f16", "s32", clamped(round_, "s32"))
    yield Case("cvt.rn.f16.s32 %z, %a;", "s32", "f16", lambda a: a.astype(np.float16))
    yield Case("cvt.f64.f32 %z, %a;", "f32", "f64", lambda a: a.astype(np.float64))
    yield Case("cvt.rn.f32.f64 %z, %a;", "f64", "f32", lambda a: a.astype(np.float32))
    saturated = lambda a: np.clip(np.nan_to_num(a, nan=0), 0, 1) + 0  # noqa: E731
    yield Case("cvt.sat.f32.f32 %z, %a;", "f32", "f32", saturated)


def moves():
    yield Case("mov.b64 {%r1, %r2}, %a; mov.b64 %z, {%r2, %r1};", "b64", "b64", lambda a: a >> U64(32) | a << U64(32))
    yield Case("mov.b32 {%h1, %h2}, %a; cvt.u32.u16 %z, %h2;", "b32", "u32", lambda a: a >> U32(16))
    yield Case("mov.b32 %z, %a;", "f32", "u32", lambda a: a.view(U32))
    yield Case("mov.pred %z, %a;", "pred", "pred", lambda a: a)
    thread = np.arange(512, dtype=U32)
    yield Case("mov.u32 %z, %laneid;", "u32", "u32", lambda a: thread % 32)
    yield Case("mov.u32 %z, %warpid;", "u32", "u32", lambda a: thread // 32)
    yield Case("mov.u32 %z, %ntid.x;", "u32", "u32", lambda a: np.full(512, 512))
    masks = {"eq": 0, "lt": -1, "le": -1, "gt": 0, "ge": 0}
    for name in masks:
        relation = {"eq": np.equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}[name]
        lanes = [sum(1 << lane for lane in range(32) if relation(lane, own % 32)) for own in range(512)]
        yield Case(f"mov.u32 %z, %lanemask_{name};", "u32", "u32", lambda a, m=lanes: np.array(m, U32))


def controls():
    loop = "mov.u32 %z, 0; AGAIN: add.u32 %z, %z, 3; sub.u32 %a, %a, 1; setp.gt.s32 %p1, %a, 0; @%p1 bra AGAIN;"
    yield Case(f"and.b32 %a, %a, 15; {loop}", "u32", "u32", lambda a: 3 * np.maximum(a & 15, 1))
    table = "TABLE: .branchtargets ONE, TWO, THREE;"
    jump = "ONE: mov.u32 %z, 10; bra DONE; TWO: mov.u32 %z, 20; bra DONE; THREE: mov.u32 %z, 30; DONE:"
    yield Case(f"rem.u32 %a, %a, 3; {table} brx.idx %a, TABLE; {jump}", "u32", "u32", lambda a: 10 + 10 * (a % 3))
    inner = "{ .reg .b32 %r1; mov.u32 %r1, 6; } { .reg .f32 %r1; mov.f32 %r1, 0f3F800000; }"
    yield Case(f"mov.u32 %r1, 5; {inner} mov.u32 %z, %r1;", "u32", "u32", lambda a: np.full(512, 5))


FAMILIES = {
    "integers": INTEGERS,
    "carries": [*carries()],
    "bits": BIT_FIELDS,
    "floats": FLOATS,
    "floats rounded in a direction": [*directed()],
    "floats flushed by the processor": FLUSHED,
    "floats flushed beside doubles": [*FLUSHED, Case("cvt.ftz.f64.f32 %z, %a;", "f32", "f64", flush)],
    "comparisons": [*comparisons()],
    "conversions": [*conversions()],
    "moves": [*moves()],
    "control": [*controls()],
}


@pytest.mark.parametrize("family", FAMILIES)
def test_family(family, rng, tmp_path):
    cases = FAMILIES[family]
    kernels = load_ptx(module(*(entry(n, case) for n, case in enumerate(cases))), tmp_path)
    for n, case in enumerate(cases):
        assert_equal(case, *compute(kernels.get_function(f"k{n}"), case, rng))
