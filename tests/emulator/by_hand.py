"""by_hand: instructions of PTX written by hand, run on the emulated device, and compared with NumPy."""

from typing import NamedTuple

import numpy as np

TYPES = {"f16": np.float16, "f32": np.float32, "f64": np.float64, "pred": np.int32}
TYPES |= {
    f"{kind}{bits}": np.dtype(f"{'i' if kind == 's' else 'u'}{bits // 8}").type
    for kind in "bus"
    for bits in (8, 16, 32, 64)
}

SPECIAL = {
    "f": [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        1.5,
        2.5,
        -2.5,
        0.1,
        3e9,
        -3e9,
        1e-40,
        -1e-40,
        1e19,
        -1e19,
        np.inf,
        -np.inf,
        np.nan,
    ],
    "i": [0, 1, -1, 2, 7, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, -128],
}


class Case(NamedTuple):
    """`code` computes z of type `out` from a, b, c, ...; `expected` does so in NumPy."""

    code: str
    inputs: str  # the types of a, b, c
    out: str
    expected: object
    near: float = 0  # relative error allowed; 0: the same bits (every NaN is one)


def values(type_, count, rng):
    """Numbers of every kind, the special ones among them."""
    dtype = np.dtype(TYPES[type_])
    if type_ == "pred":
        return rng.integers(0, 2, count, dtype)
    special = np.array(SPECIAL["f" if dtype.kind == "f" else "i"])
    kinds = [rng.integers(0, 256, count * dtype.itemsize, np.uint8).view(dtype)]  # any bits at all
    with np.errstate(all="ignore"):
        kinds.append(rng.choice(special, count).astype(dtype))
        kinds.append((rng.standard_normal(count) * 10.0 ** rng.integers(-3, 9, count)).astype(dtype))
    return np.choose(rng.integers(0, len(kinds), count), kinds).astype(dtype)


def entry(n, case):
    """A kernel of one case: thread i loads a[i], b[i], ..., computes and stores z[i]."""
    names = "abcde"[: len(case.inputs.split())]
    inputs = dict(zip(names, case.inputs.split(), strict=True))
    params = ", ".join(f".param .u64 p_{x}" for x in [*names, "z"])
    lines = [
        f".visible .entry k{n}({params}) {{",
        ".reg .b64 %at<9>; .reg .b32 %i, %flag; .reg .b32 %r<9>; .reg .b64 %d<9>;",
    ]
    lines += [".reg .pred %p<9>; .reg .f32 %f<9>; .reg .b16 %h<9>;", "mov.u32 %i, %tid.x;"]
    for m, (x, type_) in enumerate([*inputs.items(), ("z", case.out)]):
        lines.append(f".reg .{register(type_)} %{x}; ld.param.u64 %at{m}, [p_{x}];")
        lines.append(f"mad.wide.u32 %at{m}, %i, {np.dtype(TYPES[type_]).itemsize}, %at{m};")
        if x != "z":
            lines.append(load(x, type_, m))
    return "\n".join([*lines, case.code, store(case.out, len(names)), "ret; }"])


def register(type_):
    """The type of the register that holds such a value."""
    return type_ if type_ in ("f32", "f64", "pred") else f"b{max(16, int(type_[1:]))}"


def load(x, type_, m):
    if type_ == "pred":
        return f"ld.global.u32 %flag, [%at{m}]; setp.ne.s32 %{x}, %flag, 0;"
    return f"ld.global.{type_.replace('f16', 'b16')} %{x}, [%at{m}];"


def store(type_, m):
    if type_ == "pred":
        return f"selp.u32 %flag, 1, 0, %z; st.global.u32 [%at{m}], %flag;"
    return f"st.global.{type_.replace('f16', 'b16')} [%at{m}], %z;"


def module(*entries):
    """The PTX of a module."""
    return "\n".join([".version 8.8", ".target sm_90", ".address_size 64", *entries])


def load_ptx(text, folder):
    """A CuPy module of a PTX text."""
    import cupy

    path = folder / "by_hand.ptx"
    path.write_text(text, encoding="utf-8")
    return cupy.RawModule(path=str(path))


def compute(kernel, case, rng, count=512):
    """The inputs of a case, what the device makes of them, and what NumPy does."""
    import cupy

    inputs = [values(type_, count, rng) for type_ in case.inputs.split()]
    z = cupy.zeros(count, TYPES[case.out])
    kernel((1,), (count,), (*map(cupy.asarray, inputs), z))
    with np.errstate(all="ignore"):
        expected = np.asarray(case.expected(*inputs)).astype(TYPES[case.out])
    return inputs, z.get(), np.broadcast_to(expected, z.shape)


def assert_equal(case, inputs, actual, expected):
    if case.near:
        same = np.isclose(actual, expected, rtol=case.near, atol=0, equal_nan=True)
    else:
        bits = f"u{actual.dtype.itemsize}"
        same = (actual.view(bits) == np.ascontiguousarray(expected).view(bits)) | (
            (actual != actual) & (expected != expected)
        )
    wrong = np.flatnonzero(~same)[:3]
    shown = [(*(x[i] for x in inputs), "gives", actual[i], "not", expected[i]) for i in wrong]
    assert not len(wrong), f"{case.code}: {shown}"
