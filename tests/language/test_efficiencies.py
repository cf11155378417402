"""``efficiency CLASS(sizes) { … }``: what it may say, and which form a kernel takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from symsim.analysis.evaluate import answer, machine_of
from symsim.compiler.efficiency import coefficients, expression, form_of
from symsim.diagnostics import InputError, Source
from symsim.language import tree
from symsim.language.figures import COEFFICIENTS, is_coefficient, neutral
from symsim.language.library import Library, library_of
from symsim.language.parser import parse_model
from symsim.loading.question import question
from symsim.symbols import symbol
from tests.errors.texts import layers_of

OPERATOR = """operator scan_chunks(x[t, n]) -> y[t, n] {
    forward { compute 1000000 * t * n as scan(t, n); traffic x + y }
}
"""


def item(text: str) -> tree.EfficiencyItem:
    (found,) = parse_model(Source("own.sym", text))
    assert isinstance(found, tree.EfficiencyItem)
    return found


def library(text: str) -> Library:
    return library_of(parse_model(Source("own.sym", text)))


def test_sizes_lets_and_the_share_are_read() -> None:
    found = item("efficiency mine(m, k) {\n    let waves = ceil(m / sms)\n    reaches level * m / (sms * waves)\n}\n")
    assert found.name == "mine" and found.sizes == ("m", "k")
    assert [let.name for let in found.lets] == ["waves"]
    assert coefficients(found) == ("level", "sms")


def test_a_form_is_in_its_sizes_and_in_figures_of_the_machine() -> None:
    sizes, value = expression(item("efficiency mine(k) { reaches level * k / (k + ramp_k) }"), "mine.forward")
    (k,) = sizes
    assert value == symbol("mine.forward.level") * k / (k + symbol("mine.forward.ramp_k"))


def test_the_form_of_a_phase_goes_before_that_of_the_class() -> None:
    own = library("efficiency mine(m) { reaches level }\nefficiency mine.weight_grad(m) { reaches level / 2 }\n")
    names = [getattr(form_of(own, "mine", phase), "name", None) for phase in ("forward", "weight_grad")]
    assert names == ["mine", "mine.weight_grad"]
    assert form_of(own, "other", "forward") is None


def test_a_form_of_ones_own_replaces_the_librarys() -> None:
    own = library("efficiency matmul(m, k, n) { reaches level / 2 }\n")
    found = form_of(own, "matmul", "forward")
    assert found is not None and found.place.source.name == "own.sym"


@pytest.mark.parametrize("name", library_of().efficiencies)
def test_coefficients_without_a_machine_leave_the_level_alone(name: str) -> None:
    found = library_of().efficiencies[name]
    sizes, value = expression(found, name)
    plain = {symbol(f"{name}.{c}"): neutral(c) for c in coefficients(found) if c != "level"}
    given = dict(zip(sizes, (7, 96, 33, 128, 64, 64), strict=False))
    assert float(value.subs({**plain, **given, symbol(f"{name}.level"): 0.5})) == pytest.approx(0.5)


def test_kinds_of_coefficients_are_told_by_their_names() -> None:
    assert all(is_coefficient(n.replace("*", "x")) for n in COEFFICIENTS)
    assert not any(map(is_coefficient, ("ramp", "ramp_", "tile_", "waves", "efficiency", "bf16")))
    assert (neutral("ramp_k"), neutral("tile_m"), neutral("level")) == (0, 1, None)


def shares(folder: Path, form: str, system: str) -> float:
    path = folder / "own.sym"
    path.write_text(layers_of("scan_chunks", OPERATOR + form), encoding="utf-8")
    machine = folder / "box.sym"
    machine.write_text(system, encoding="utf-8")
    asked = question(str(path), "world=1,gbs=1,seq=100", str(machine))
    return float(answer(asked.model, asked.plan, machine_of(asked)).values["scan_chunks.forward.efficiency"])


BOX = """system box
gpus_per_node = 8
sms = 10
memory {{ capacity = 80 GiB }}
hbm {{ bandwidth = 3 TB/s; efficiency = 0.9; latency = 1 us }}
matmul {{ bf16 = 989 TFLOP/s; efficiency = 0.7 }}
scan {{ {scan} }}
nvlink {{ span = 8; bandwidth = 450 GB/s }}
network {{ bandwidth = 50 GB/s }}
"""
FORM = "efficiency scan(tokens, state) { reaches level * tokens / sms / ceil(tokens / sms) * state / (state + ramp_s) }"


@pytest.mark.parametrize(
    ("form", "scan", "share"),
    [
        (FORM, "level = 0.5; ramp_s = 64", 0.25),
        (FORM, "level = 0.5; sms = 80; ramp_s = 64", 0.25 * 100 / 160),
        (FORM, "level = 0.5; forward { level = 0.3 }", 0.3),
        (FORM, "efficiency = 0.4", 0.4),
        ("", "efficiency = 0.4", 0.4),
        ("", "level = 0.4", 0.4),
    ],
)
def test_a_machine_states_what_a_form_of_ones_own_needs(tmp_path: Path, form: str, scan: str, share: float) -> None:
    assert shares(tmp_path, form, BOX.format(scan=scan)) == pytest.approx(share)


def test_a_class_that_states_nothing_takes_the_products_level(tmp_path: Path) -> None:
    assert shares(tmp_path, FORM, BOX.format(scan="level = 0.5").replace("scan { level = 0.5 }\n", "")) == 0.7


def test_a_form_that_names_nothing_known_is_refused_where_the_name_stands() -> None:
    with pytest.raises(InputError) as caught:
        coefficients(item("efficiency mine(m) {\n    let a = m / tiles\n    reaches level * a\n}\n"))
    place = caught.value.diagnostics[0].place
    assert place is not None and (place.line, place.column) == (2, 17)
