"""symsim: a symbolic cost-model compiler for training large language models.

    plan = symsim.load("llama3_70b", "tp8_pp4", "h100_sxm")
    symsim.evaluate(plan).iteration_s

Importing this package loads nothing heavy; a function brings in what it needs: numpy when arrays are evaluated, sympy
when a formula is built.
"""

TYPE_CHECKING = False
"""What type checkers take for true: the name alone costs no import."""

if TYPE_CHECKING:
    from symsim.api.answers import Answer
    from symsim.api.asking import Comparison, Sensitivity, compare, sensitivity
    from symsim.api.columns import Columns
    from symsim.api.compiled import Compiled, compile
    from symsim.api.evaluating import evaluate
    from symsim.api.explaining import Explanation, explain
    from symsim.api.formulas import Formula, formula
    from symsim.api.plans import Plan, load
    from symsim.api.searching import Found, Search, search
    from symsim.api.solving import Solution, solve
    from symsim.diagnostics import InputError
else:
    _MODULES = {
        "api.answers": ("Answer",),
        "api.asking": ("Comparison", "Sensitivity", "compare", "sensitivity"),
        "api.columns": ("Columns",),
        "api.compiled": ("Compiled", "compile"),
        "api.evaluating": ("evaluate",),
        "api.explaining": ("Explanation", "explain"),
        "api.formulas": ("Formula", "formula"),
        "api.plans": ("Plan", "load"),
        "api.searching": ("Found", "Search", "search"),
        "api.solving": ("Solution", "solve"),
        "diagnostics": ("InputError",),
    }

    def __getattr__(name):
        for module, names in _MODULES.items():
            if name in names:
                from importlib import import_module

                globals()[name] = found = getattr(import_module(f"symsim.{module}"), name)
                return found
        meant = next((call for call, words in _CALLED.items() if name in words.split()), None)
        hint = f"; did you mean symsim.{meant}?" if meant else ""
        raise AttributeError(f"module 'symsim' has no attribute '{name}'{hint}")

    _CALLED = {
        "evaluate(plan)": "eval estimate predict run simulate",
        "load('config.json')": "import_ import_hf from_hf from_pretrained",
        "formula(model, format='latex')": "export latex formulas",
        "search(model, space, system)": "optimize sweep tune",
        "compare(first, second)": "diff",
        "load(model, strategy, system)": "Model Strategy System plan",
    }

    def __dir__():
        return sorted({*globals(), *__all__})


__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Columns",
    "Comparison",
    "Compiled",
    "Explanation",
    "Formula",
    "Found",
    "InputError",
    "Plan",
    "Search",
    "Sensitivity",
    "Solution",
    "__version__",
    "compare",
    "compile",
    "evaluate",
    "explain",
    "formula",
    "load",
    "search",
    "sensitivity",
    "solve",
]
