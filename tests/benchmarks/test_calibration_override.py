"""The scorers of `benchmarks/calibration_override.py`, fewer tables, with tolerances."""

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "calibration_override.py"
N_TABLES = 40


@pytest.fixture(scope="module")
def program():
    spec = spec_from_file_location("calibration_override", PROGRAM)
    module = module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def found(program):
    return {case.name: (case, *program.simulate(case, N_TABLES, seed=7)) for case in program.CASES}


NOISY = "all read, signal to noise 0.5"


def test_what_is_true_is_found_where_the_assumption_holds(found):
    for case, _, _, many in found.values():
        if case.hostile or case.name == NOISY:
            continue
        assert sum(many.understood) / N_TABLES == pytest.approx(case.understood, abs=0.02), case
        if case.rate is None:
            # 2.5 % of 40 tables is one.
            assert many.undefined >= 0.85, case
        else:
            assert many.undefined == 0, case
            assert sum(many.rates) / N_TABLES == pytest.approx(case.rate, abs=0.03), case
            # 33 of 40 or fewer have a chance of 0.1 % at 95 %.
            assert many.coverage("O") > 33 / 40, case


def test_the_outcomes_do_not_say_what_is_true(found):
    says = {name: said for name, (_, said, _, _) in found.items()}
    assert says["pure noise"] == pytest.approx([0.5, 0.25], abs=0.03)
    assert says["noise with a taste for polish"] == pytest.approx([0.5, 0.56], abs=0.03)
    assert says["30 % read, the blind always tempted"] == pytest.approx([0.65, 0.64], abs=0.03)
    assert says["blind, exponential scale"][1] > 0.9


def test_noise_makes_a_lower_bound(found):
    case, _, _, many = found[NOISY]
    assert 0.3 < sum(many.understood) / N_TABLES < 0.45 < case.understood
    assert 0.25 < sum(many.rates) / N_TABLES < 0.4 < case.rate


def test_what_the_estimator_cannot_tell_is_printed_as_it_is(found):
    # Style of P_o: taken in with the original placebo, told by matched ones.
    _, _, one, many = found["blind, style of P_o flatters the polished"]
    assert one.undefined == 0
    assert many.undefined > 0.85
    # Style of the real request alone: no placebo of another style can tell.
    assert found["blind, style of the real request alone"][3].undefined == 0
    for name, below in (
        ("half read, noise x 3 under real requests", True),
        ("half read, noise x 3 under placebos", False),
    ):
        case, _, _, many = found[name]
        assert sum(many.understood) / N_TABLES == pytest.approx(case.understood, abs=0.03)
        assert (sum(many.rates) / N_TABLES < case.rate - 0.1) is below
        assert (sum(many.rates) / N_TABLES > case.rate + 0.1) is not below
    assert sum(found["the same, no labels"][3].rates) / N_TABLES == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("shape", ["equal", "pareto"])
def test_clusters(program, shape):
    clusters = {"equal": lambda _: program.equal(20), "pareto": lambda r: program.pareto(r, 20)}
    case = program.Case(
        name=shape,
        make=lambda d: program.partly(d, read=0.9, lost=0.5, taste=1),
        understood=0.9,
        rate=0.5,
    )
    _, _, many = program.simulate(case, 100, clusters=clusters[shape])
    # 87 of 100 or fewer have a chance of 0.1 % at 95 %.
    assert many.coverage("u") > 0.87
    assert many.coverage("O") > 0.87


@pytest.mark.slow
def test_the_program_prints_every_case(program):
    done = subprocess.run(
        [sys.executable, PROGRAM, "--simulations", "2"], capture_output=True, text=True, check=True
    )
    for case in program.CASES:
        assert case.name in done.stdout
