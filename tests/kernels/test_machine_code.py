"""What is read off machine code, on code written for it."""

from __future__ import annotations

from tests.kernels import machine_code

HELD = """
        /*0000*/                   MOV R1, c[0x0][0x28] ;        /* 0x00000a0000017a02 */
        /*0010*/                   LDG.E.128.STRONG.GPU R8, desc[UR16][R12.64] ;
        /*0020*/                   LDG.E.128 R16, desc[UR16][R12.64+0x1000] ;
        /*0030*/                   LDG.E.U16 R2, desc[UR16][R12.64+0x2000] ;
        /*0040*/                   IADD3 R20, R20, R8, R17 ;
        /*0050*/                   IADD3 R20, R20, R2, RZ ;
        /*0060*/              @!P0 BRA 0x10 ;
        /*0070*/                   EXIT ;
"""
ONE_BY_ONE = """
        /*0010*/                   LDG.E.128 R8, desc[UR16][R12.64] ;
        /*0020*/                   IADD3 R20, R20, R11, RZ ;
        /*0030*/                   LDG.E.128 R8, desc[UR16][R12.64+0x1000] ;
        /*0040*/                   IADD3 R20, R20, R11, RZ ;
        /*0050*/                @P1 BRA.U 0x10 ;
"""
AHEAD = """
        /*0010*/                   IADD3 R20, R20, R8, RZ ;
        /*0020*/                   LDG.E.128 R8, desc[UR16][R12.64] ;
        /*0030*/                   IADD3 R20, R20, R4, RZ ;
        /*0040*/                   LDG.E.64 R4, desc[UR16][R12.64+0x1000] ;
        /*0050*/                   IADD3 R12, R12, 0x10, RZ ;
        /*0060*/                @P1 BRA 0x10 ;
"""
COPIED = """
        /*0010*/                   LDGSTS.E.BYPASS.128 [R5], desc[UR16][R12.64] ;
        /*0020*/                   LDGSTS.E.BYPASS.128 [R5+0x800], desc[UR16][R12.64+0x800] ;
        /*0030*/                   LDGDEPBAR ;
        /*0040*/                   DEPBAR.LE SB0, 0x2 ;
        /*0050*/                   LDS.128 R8, [R6] ;
        /*0060*/                @P1 BRA 0x10 ;
"""


def counted(sass):
    """Instructions, loads and bytes in flight of each loop."""
    return [(one.instructions, one.loads, one.in_flight) for one in machine_code.loops(sass)]


def test_copies_are_in_flight_as_many_groups_as_a_thread_goes_on_with():
    assert counted(COPIED) == [(6, 2, 64)]
    assert counted(COPIED.replace("SB0, 0x2", "SB0, 0x0")) == [(6, 2, 0)]


def test_loads_before_the_first_that_is_read_are_in_flight_together():
    assert counted(HELD) == [(6, 3, 36)]


def test_a_load_that_is_read_before_the_next_flies_alone():
    assert counted(ONE_BY_ONE) == [(5, 2, 16)]


def test_what_is_loaded_ahead_for_the_next_turn_is_in_flight_across_it():
    assert counted(AHEAD) == [(6, 2, 24)]


def test_a_loop_without_loads_is_none():
    assert machine_code.loops("/*0000*/ IADD3 R1, R1, R2, RZ ;\n/*0010*/ @P0 BRA 0x0 ;") == []


def test_programs_are_resident_as_far_as_their_registers_go():
    assert machine_code.resident(64, 128, 8) == 8
    assert machine_code.resident(65, 128, 8) == 7
    assert machine_code.resident(20, 128, 8) == 8
