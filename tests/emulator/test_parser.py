"""The parser of PTX, and what it does not know."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from ptx.parser import Instruction, Label, Registers, Scope, Targets, Variable, parse  # noqa: E402
from ptx.types import PtxError  # noqa: E402
from ptx.writer import translate  # noqa: E402

HEADER = ".version 8.8\n.target sm_90\n.address_size 64\n"


def statements(body):
    (function,) = parse(f"{HEADER}.visible .entry k() {{ {body} }}").functions
    return function.statements


def test_a_function():
    text = """
    // a comment with ; and {
    .extern .func (.param .b32 r) other(.param .b64 a, .param .b64 b);
    .visible .entry kernel(
        .param .u64 .ptr .global .align 4 kernel_param_0,
        .param .align 8 .b8 kernel_param_1[24]
    ) .maxntid 32, 2, 1 .minnctapersm 2
    { ret; }
    """
    other, kernel = parse(HEADER + text).functions
    assert other.statements is None and len(other.params) == 2 and other.returns == [("r", 4, 4)]
    assert kernel.is_kernel and kernel.max_threads == 64
    assert kernel.params == [("kernel_param_0", 8, 8), ("kernel_param_1", 24, 8)]


def test_variables():
    text = """
    .global .align 4 .f32 table[3] = {0f3F800000, 0fC0000000};
    .const .align 8 .b8 words[5] = {104, 105, 10};
    .extern .shared .align 16 .b8 dynamic[];
    .visible .global .u32 count = 0x1F;
    """
    assert parse(HEADER + text).variables == [
        ("global", "table", 12, 4, bytes([0, 0, 128, 63, 0, 0, 0, 192, 0, 0, 0, 0])),
        ("const", "words", 5, 8, b"hi\n\0\0"),
        ("shared", "dynamic", 0, 16, None),
        ("global", "count", 4, 4, bytes([31, 0, 0, 0])),
    ]


def test_statements():
    body = """
    .reg .pred %p<3>; .reg .b32 %r1, %r2;
    .local .align 8 .b8 depot[16];
    .loc 1 2 3
    { call (result), f, (a, b); }
    $L_1: @!%p1 bra.uni $L_1;
    T: .branchtargets $L_1, $L_2;
    .pragma "nounroll";
    st.shared::cta.v2.f32 [%rd1+-8], {%f1, %f2};
    """
    found = statements(body)
    assert found[:3] == [
        Registers("pred", ["%p0", "%p1", "%p2"]),
        Registers("b32", ["%r1", "%r2"]),
        Variable("local", "depot", 16, 8, None),
    ]
    assert found[3] == Scope(True) and found[4].operands == ["(result)", "f", "(a, b)"] and found[5] == Scope(False)
    assert found[6] == Label("$L_1") and found[8] == Targets("T", ["$L_1", "$L_2"])
    assert isinstance(found[7], Instruction) and found[7].guard == "!%p1" and found[7].modifiers == ["uni"]
    assert found[9].modifiers == ["shared", "v2", "f32"] and found[9].operands == ["[%rd1+-8]", "{%f1, %f2}"]


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        (".alias a, b;", "cannot read '.alias a, b;"),
        (".global .tex t;", "a variable that is not known: '.global .tex t'"),
        (".global .u64 p = table;", "an initialiser that is not known: table"),
        (".entry k() { add.s32 %r1, %r1, 1; }", "no register or variable %r1: add.s32 %r1, %r1, 1"),
        (".entry k() { .reg .b32 %r1; mov.b32 %r1, nobody; }", "no register or variable nobody: mov.b32 %r1, nobody"),
        (".entry k() { .reg .b32 %r1; cvt.sat.s8.s32 %r1, %r1; }", "this form of cvt is not known: cvt.sat.s8.s32"),
        (".entry k() { .reg .b32 %r1; add.f16x2 %r1, %r1, %r1; }", "the type f16x2 is not known: add.f16x2"),
        (".entry k() { .reg .b16 %r1; add.bf16 %r1, %r1, %r1; }", "the type bf16 is not known: add.bf16"),
        (".entry k() { call f, (); }", "f is called, and is nowhere defined"),
        (".entry k() { call (r), %rd1, (); }", "a call that is not known"),
        (".entry k() { bar.arrive 0, 64; }", "bar.arrive is not known"),
        (".entry k() { { ret; }", "a brace is not closed"),
    ],
)
def test_what_is_not_known(text, fact):
    with pytest.raises(PtxError) as caught:
        translate(HEADER + text)
    assert fact in str(caught.value)
