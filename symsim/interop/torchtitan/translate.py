"""Read what starts torchtitan, or what it saved, as a model and the strategy behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from symsim.diagnostics import Place, error, nearest
from symsim.interop.foreign_file import ForeignFile, read_foreign
from symsim.interop.json_text import Object, parse
from symsim.interop.model_text import identifier
from symsim.interop.rules.imported_strategy import imported_strategy
from symsim.interop.rules.key_expressions import Keys
from symsim.interop.rules.key_facts import KeyFacts
from symsim.interop.rules.reading import Reading
from symsim.interop.rules.rule_book import RuleBook
from symsim.interop.toml_text import parse_toml
from symsim.interop.torchtitan.launch_line import Launch, launch_of
from symsim.interop.torchtitan.log_line import configuration, has_configuration
from symsim.interop.torchtitan.registered import defaults, names, registered
from symsim.language.models import model_source

BOOK = RuleBook("torchtitan")
REFUSED_BY = "torchtitan itself refuses this"
INSTEAD = "change the run, or write the strategy by hand"
SILENT = "torchtitan refuses it"


def translate(files: Sequence[ForeignFile], lenient: bool) -> str:
    """The text of a model, where its flavor is shipped here, and of the strategy.

    Raises:
        InputError: all that is wrong with the file.
    """
    file = files[0]
    suffix = file.path.suffix.lower()
    if file.keys is not None or file.problem is not None:
        if file.keys is None:
            assert file.problem is not None
            raise file.problem
        own = with_policy(file.keys)
        whole = _saved(own)
    elif suffix == ".toml":
        own = parse_toml(file.source)
        whole = _of_toml(own)
    elif has_configuration(file.source):
        own = with_policy(parse(configuration(file.source)))
        whole = _saved(own)
    else:
        return _launched(file, lenient)
    return _text(file, own, whole, lenient)


def _launched(file: ForeignFile, lenient: bool) -> str:
    launch = launch_of(file.source)
    if launch is None:
        place = Place(file.source, 1, 1)
        raise error("E520", f"{file.path} starts no torchtitan", place, "--module llama3 --config llama3_8b …")
    if launch.config_file is not None:
        return _text(file, launch.keys, _over(_of_toml(_toml_of(file.path, launch)), launch), lenient)
    if launch.module is None or launch.config is None:
        raise error("E512", "--module and --config are both needed", launch.place, "--module llama3 --config llama3_8b")
    base = registered(launch.module.rpartition(".")[2], launch.config)
    if base is None:
        given = f"{launch.module} {launch.config}"
        hint = nearest(given, names()) or f"known are: {', '.join(names())}"
        further = "give the JSON that debug.save_config_file writes"
        raise error("E512", f"the configuration '{given}' is not known here", launch.place, f"{hint}; {further}")
    base["release"] = "0.3"
    base["saved"] = False
    return _text(file, launch.keys, _over(base, launch), lenient)


def _toml_of(path: Path, launch: Launch) -> Object:
    assert launch.config_file is not None
    named = Path(launch.config_file)
    found = read_foreign(named if named.is_absolute() else path.parent / named)
    return parse_toml(found.source)


def _over(base: Object, launch: Launch) -> Object:
    """The flags over what they change."""
    out = merged(base, launch.keys)
    out["launched"] = launch.ranks
    return out


def merged(base: Mapping[str, object], over: Mapping[str, object]) -> Object:
    """Two nested objects; a key of the second counts, in its place."""
    out = Object()
    out.update(base)
    out.places.update(getattr(base, "places", {}))
    for key, value in over.items():
        held = out.get(key)
        out[key] = merged(held, value) if isinstance(held, Mapping) and isinstance(value, Mapping) else value
        if isinstance(over, Object) and key in over.places:
            out.places[key] = over.places[key]
    return out


def with_policy(keys: Object) -> Object:
    """A saved configuration with a word for what recomputes: the JSON tells the kinds apart by a key alone."""
    held = keys.get("activation_checkpoint")
    if "activation_checkpoint" not in keys or (isinstance(held, Mapping) and "mode" in held):
        return keys
    kinds = {"memory_budget": "budget", "force_recompute_mm_shapes_by_fqns": "selective"}
    own = held if isinstance(held, Object) else Object()
    word = "none" if held is None else next((kind for key, kind in kinds.items() if key in own), "full")
    policy = Object()
    policy.update(own)
    policy.places.update(own.places)
    policy["mode"] = word
    return merged(keys, {"activation_checkpoint": policy}) if isinstance(held, Mapping) else _put(keys, policy)


def _put(keys: Object, policy: Object) -> Object:
    out = merged(keys, {})
    out["activation_checkpoint"] = policy
    return out


def _saved(keys: Object) -> Object:
    """The keys of a saved file: every field is there."""
    whole = merged(defaults(), keys)
    whole["release"] = "0.3" if "model_spec" in keys else "0.2"
    whole["saved"] = whole["release"] == "0.3"
    whole["few_bits"] = _few_bits(keys)
    groups = keys.get("optimizer")
    listed = groups.get("param_groups") if isinstance(groups, Mapping) else None
    if isinstance(listed, list):
        used = [g.get("optimizer_name") for g in listed if isinstance(g, Mapping)]
        whole = merged(whole, {"optimizer": {"names": used, "name": used[0] if used else None}})
    return whole


def _of_toml(keys: Object) -> Object:
    whole = merged(defaults(), keys)
    whole["release"] = "0.2"
    whole["saved"] = False
    whole["few_bits"] = _few_bits(keys)
    return whole


def _few_bits(keys: Object) -> str | None:
    """The precision that a file of 0.2 asks of its linears: the first converter that quantises."""
    model = keys.get("model")
    converters = model.get("converters") if isinstance(model, Mapping) else None
    known = BOOK.maps()["few_bits"]
    listed = converters if isinstance(converters, list) else []
    return next((known[name] for name in listed if isinstance(name, str) and name in known), None)


def _text(file: ForeignFile, own: Object, whole: Object, lenient: bool) -> str:
    """The model of the flavor, and the strategy."""
    reading = Reading(whole, file.source, KeyFacts({}), None, REFUSED_BY, "run", INSTEAD)
    counted = Reading(own, file.source, KeyFacts({}), None, REFUSED_BY, "run", INSTEAD)
    spec = whole.get("model_spec") or whole.get("model")
    flavor = f"{spec.get('name')} {spec.get('flavor')}" if isinstance(spec, Mapping) else ""
    shipped = Keys(reading, BOOK.maps()).maps["model"].get(flavor)
    notes = (
        [] if shipped is not None else [f"the model '{flavor}' of torchtitan is not shipped here: name one yourself"]
    )
    strategy = imported_strategy(
        BOOK, "torchtitan", reading, identifier(file.path.stem), "", lenient, SILENT, notes=notes, own=counted
    )
    return strategy if shipped is None else f"{model_source(shipped).text}\n{strategy}"
